"""Non-local operation (`reference/non_local.py`) of N positions to M keys, C channels to C' inner ones:

    maps        N C C' for each of g, theta and phi; g alone if gaussian
    pools       of keys and values, if pooled
    products    N M K for the scores, N M C' for the sums; K is C' or, if gaussian, C
    weights     N M divisions, or N rows of softmax of M each

There is no step: every position sees the whole clip.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, output_shape, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import non_local
from coequal.reference.layer import Layer, Shape
from coequal.reference.non_local import POOL, NonLocal


@shape_formula.register
def outputs(layer: NonLocal, shape: Sizes) -> Sizes:
    """Inner channels."""
    return (shape[0], layer.inner, *shape[2:])


def positions(layer: NonLocal, shape: Sizes) -> tuple[Size, Size]:
    """Of queries, and of keys."""
    seen = output_shape(POOL, shape) if layer.pooled else shape
    return product(shape[2:]), product(seen[2:])


@domains.register
def _(layer: NonLocal, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    batch, (queries, keys) = shape[0], positions(layer, shape)
    width = shape[1] if layer.mode == "gaussian" else layer.inner
    return {
        **{name: Domain(ranges(batch, queries, layer.inner, layer.channels)) for name in layer.maps},
        "scores": Domain(ranges(batch, queries, keys, width)),
        "sums": Domain(ranges(batch, queries, keys, layer.inner)),
    }


@clip_formula.register
def _(layer: NonLocal, shape: Sizes, padding: str) -> Cost:
    batch, (queries, keys) = shape[0], positions(layer, shape)
    width = shape[1] if layer.mode == "gaussian" else layer.inner
    pairs, sums = batch * queries * keys, batch * queries * layer.inner
    parts = [clip_formula(linear, shape, padding) for linear in layer.maps.values()]
    if layer.pooled:
        parts += [clip_formula(POOL, (batch, channels, *shape[2:]), padding) for channels in (width, layer.inner)]
    products = Cost.of("attention", mul=pairs * (width + layer.inner), add=pairs * (width - 1) + sums * (keys - 1))
    if layer.mode == "dot product":
        weights = Cost.of("scale", div=pairs)
    else:
        weights = softmax.rows("attention softmax", pairs, batch * queries)
        weights += Cost.of("scale", mul=pairs if layer.mode == "embedded" else 0)
    return Cost.total([*parts, products, weights, Cost.of("attention", reads=numel(shape), writes=sums)])


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    side = max(2, scale.side)
    return non_local.NonLocal(scale.channels, scale.channels), (1, scale.channels, scale.frames, side, side)
