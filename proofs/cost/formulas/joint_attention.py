"""Attention over V joints of M persons (`reference/joint_attention.py`), A heads, C'' channels of queries and C of values:

clip    T M V^2 (C'' + C) for both products, T M A V rows of softmax of V each
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import joint_attention
from coequal.reference.joint_attention import JointAttention
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: JointAttention, shape: Sizes) -> Sizes:
    return (shape[0], layer.channels, *shape[2:])


@domains.register
def _(layer: JointAttention, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    batch, _, length, joints, persons = shape
    pairs = ranges(batch * length * persons, joints, joints)
    return {"q k": Domain((*pairs, *ranges(layer.inner))), "weights v": Domain((*pairs, *ranges(layer.channels)))}


@clip_formula.register
def _(layer: JointAttention, shape: Sizes, padding: str) -> Cost:
    batch, _, length, joints, persons = shape
    counts = {name: domain.count() for name, domain in domains(layer, shape, padding).items()}
    rows = batch * length * persons * layer.num_heads * joints
    size = batch * length * persons * joints
    return (
        Cost.of("attention", mul=counts["q k"], add=counts["q k"] - rows * joints)
        + Cost.of("scale", mul=rows * joints)
        + softmax.rows("attention softmax", rows * joints, rows)
        + Cost.of("attention", mul=counts["weights v"], add=counts["weights v"] - size * layer.channels)
        + Cost.of("attention", reads=size * (2 * layer.inner + layer.channels), writes=size * layer.channels)
    )


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    layer = joint_attention.JointAttention(scale.width, scale.width, scale.heads)
    return layer, (1, 3 * scale.width, scale.frames, scale.side, 2)
