"""Skeletons (`reference/skeleton.py`): V multiply-adds for each element that is mixed, V^2 for its edges; a batch norm.

Adaptive edges take besides, for M persons, V joints, C' inner channels: two maps of C C' for each joint of each frame,
M V^2 C' for the scores of each frame, a softmax of V^2 for each frame or once for the clip.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import skeleton
from coequal.reference.layer import Layer, Shape
from coequal.reference.skeleton import AdaptiveJointMixing, JointMixing, JointNorm


@shape_formula.register
def _(layer: JointMixing, shape: Sizes) -> Sizes:
    return shape


@domains.register
def _(layer: JointMixing, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    return {"joints": Domain(ranges(numel(shape), layer.joints))}


@clip_formula.register
def _(layer: JointMixing, shape: Sizes, padding: str) -> Cost:
    products, size, edges = domains(layer, shape, padding)["joints"].count(), numel(shape), layer.joints**2
    mixed = Cost.of("linear", mul=products, add=products - size, reads=size, writes=size, weights=2 * edges)
    return mixed + Cost.of("elementwise", mul=edges)


@shape_formula.register
def _(layer: AdaptiveJointMixing, shape: Sizes) -> Sizes:
    return shape


@domains.register
def _(layer: AdaptiveJointMixing, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    frames = shape[0] * shape[2] * shape[4]
    return {
        "maps": Domain(ranges(2, frames, layer.joints, layer.inner, layer.channels)),
        "scores": Domain(ranges(frames, layer.joints, layer.joints, layer.inner)),
        "joints": Domain(ranges(numel(shape), layer.joints)),
    }


@clip_formula.register
def _(layer: AdaptiveJointMixing, shape: Sizes, padding: str) -> Cost:
    counts = {name: domain.count() for name, domain in domains(layer, shape, padding).items()}
    size, square, frames = numel(shape), layer.joints**2, shape[0] * shape[2] * shape[4]
    sets = frames if layer.scope == "frame" else shape[0] * shape[4]
    over_time = (frames - sets) * square
    return Cost.total(
        [
            *[clip_formula(layer.map, shape, padding)] * 2,
            Cost.of("attention", mul=counts["scores"], add=counts["scores"] - frames * square + over_time),
            Cost.of("scale", div=frames * square + (sets * square if layer.scope == "clip" else 0)),
            softmax.rows("attention softmax", sets * square, sets * layer.joints),
            Cost.of("elementwise", add=square + sets * square, weights=2 * square),
            Cost.of("linear", mul=counts["joints"], add=counts["joints"] - size, reads=size, writes=size),
        ]
    )


@shape_formula.register
def _(layer: JointNorm, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: JointNorm, shape: Sizes, padding: str) -> Cost:
    groups = 1 if layer.persons else shape[4]
    return clip_formula(layer.norm, (shape[0] * groups, layer.norm.num_features, shape[2]), padding)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return skeleton.JointMixing(scale.side), (1, scale.channels, scale.frames, scale.side, 2)
