"""Normalisation (`reference/norm.py`), of `M` sets of `n` elements each:

    mean          M (n - 1) additions, M divisions                            (not for RMS)
    variance      x - mean: M n additions (not for RMS); squares: M n multiplications, M (n - 1) additions, M divisions
    y             sqrt(var + eps): M additions and square roots; M n divisions
    weight, bias  M n multiplications, M n additions

Batch norm in eval mode takes mean and variance as given: a subtraction, a division, then weight and bias; C square roots.
(Folded into one multiplication and one addition they would cost 2; the equation is counted as it stands.)
"""

from __future__ import annotations

from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import norm
from coequal.reference.layer import Layer, Shape
from coequal.reference.norm import BatchNorm, ChannelLayerNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm


def _affine(kind: str, shape: Sizes, weight: int, bias: int, parameters: Size) -> Cost:
    size = numel(shape)
    return Cost.of(kind, mul=size * weight, add=size * bias, reads=size, writes=size, weights=parameters)


def standardised(kind: str, sets: Size, size: Size, centre: int = 1) -> Cost:
    """`sets` sets of `size` elements to mean 0 (`centre`) and variance 1."""
    n = sets * size
    adds = (n - sets) + sets + centre * ((n - sets) + n)
    return Cost.of(kind, mul=n, add=adds, div=sets * (1 + centre) + n, exp=sets)


def channel_norm(layer: Any, shape: Sizes, padding: str) -> Cost:
    """Batch, group and instance norm."""
    kind = "norm" if layer.affine else "norm without affine"
    parameters = sum(numel(s) for name, s in layer.parameters().items() if not name.endswith("tracked"))
    cost = _affine(kind, shape, int(layer.affine), int(layer.affine), parameters)
    if layer.statistics:
        size = numel(shape)
        return cost + Cost.of(kind, add=size + layer.channels, div=size, exp=layer.channels)
    groups = layer.num_groups if isinstance(layer, GroupNorm) else layer.num_features
    sets = shape[0] * groups
    return cost + standardised(kind, sets, product((layer.channels // groups, *shape[2:])))


def token_norm(layer: Any, shape: Sizes, padding: str) -> Cost:
    """Layer and RMS norm."""
    axes = len(layer.normalized_shape)
    names, parameters = layer.parameters(), sum(numel(s) for s in layer.parameters().values())
    cost = _affine("token norm", shape, int("weight" in names), int("bias" in names), parameters)
    centre = int(isinstance(layer, LayerNorm))
    return cost + standardised("token norm", product(shape[:-axes]), product(shape[-axes:]), centre)


def _checked(layer: Any, shape: Sizes) -> Sizes:
    """The shape itself; the layer checks it, with any number of frames for a letter."""
    layer.output_shape(tuple(size if isinstance(size, int) else 1 for size in shape))
    return shape


def position_norm(layer: ChannelLayerNorm, shape: Sizes, padding: str) -> Cost:
    """Layer norm of each position's channels."""
    parameters = sum(map(numel, layer.parameters().values()))
    positions = shape[0] * product(shape[2:])
    return _affine("token norm", shape, 1, 1, parameters) + standardised("token norm", positions, shape[1])


shape_formula.register(ChannelLayerNorm, _checked)
clip_formula.register(ChannelLayerNorm, position_norm)
for _kind in (BatchNorm, GroupNorm, InstanceNorm):
    shape_formula.register(_kind, _checked)
    clip_formula.register(_kind, channel_norm)
for _tokens in (LayerNorm, RMSNorm):
    shape_formula.register(_tokens, _checked)
    clip_formula.register(_tokens, token_norm)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return norm.BatchNorm(scale.channels), scale.video
