"""Skeletons (`reference/skeleton.py`): V multiply-adds for each element that is mixed, V^2 for its edges; a batch norm."""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import skeleton
from coequal.reference.layer import Layer, Shape
from coequal.reference.skeleton import JointMixing, JointNorm


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
def _(layer: JointNorm, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: JointNorm, shape: Sizes, padding: str) -> Cost:
    return clip_formula(layer.norm, (shape[0], layer.norm.num_features, shape[2]), padding)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return skeleton.JointMixing(scale.side), (1, scale.channels, scale.frames, scale.side, 2)
