"""Linear map and table look-up (`reference/linear.py`): `y[..., o] = bias[o] + sum_i weight[o, i] * x[..., i]`.

    domain       tokens, o < O, i < I
    clip         O I multiply-adds for each token, I - 1 additions for each output, and the bias
    step         those of one token

A look-up multiplies nothing: it reads one row of the table for each token.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import linear
from coequal.reference.layer import Layer, Shape
from coequal.reference.linear import Embedding, Linear


def product_cost(kind: str, tokens: Size, inputs: Size, outputs: Size, bias: bool) -> Cost:
    """`tokens` vectors of `inputs` features to `outputs`, as class `kind` and "`kind` bias"."""
    domain = Domain(ranges(tokens, outputs, inputs))
    cost = Cost.of(kind, mul=domain.count(), add=tokens * outputs * (inputs - 1), weights=inputs * outputs)
    return cost + Cost.of(f"{kind} bias", add=tokens * outputs, weights=outputs) if bias else cost


@shape_formula.register
def _(layer: Linear, shape: Sizes) -> Sizes:
    layer.output_shape((layer.in_features if shape[-1] == layer.in_features else -1,))  # its own message
    return (*shape[:-1], layer.out_features)


@domains.register
def _(layer: Linear, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    return {"linear": Domain(ranges(product(shape[:-1]), layer.out_features, layer.in_features))}


@clip_formula.register
def _(layer: Linear, shape: Sizes, padding: str) -> Cost:
    tokens = product(shape[:-1])
    cost = product_cost("linear", tokens, layer.in_features, layer.out_features, layer.bias)
    return cost + Cost.of("linear", reads=numel(shape), writes=tokens * layer.out_features)


@shape_formula.register
def _(layer: Embedding, shape: Sizes) -> Sizes:
    return (*shape, layer.embedding_dim)


@clip_formula.register
def _(layer: Embedding, shape: Sizes, padding: str) -> Cost:
    rows = numel(shape) * layer.embedding_dim
    return Cost.of("move", reads=numel(shape), weights=rows, writes=rows)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return linear.Linear(scale.width, scale.hidden), scale.sequence
