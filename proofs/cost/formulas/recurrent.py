"""Recurrent layers (`reference/recurrent.py`), for each token, of G gates of H features from E inputs and P outputs:

    products    G H E with the input, G H P with the state; P H with a projection       (P = H without one)
    biases      2 G H additions
    RNN         H additions (a + b), H tanh or comparisons
    LSTM        8 H additions, 3 H multiplications, 3 H divisions, 5 H transcendentals
    GRU         7 H additions, 3 H multiplications, 2 H divisions, 3 H transcendentals

with the sigmoid `1 / (1 + exp(-x))`: an addition, an exponential, a division. A step costs what a token of a clip costs:
nothing is saved and nothing lost, which is why recurrent networks are the stream's native form. State: h, and c for LSTM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.dispatch import (
    Sizes,
    Steps,
    clip_formula,
    domains,
    one_frame,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.linear import product_cost
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import recurrent
from coequal.reference.layer import Layer, Shape
from coequal.reference.recurrent import GRU, LSTM, RNN


def _shape(layer: Any, shape: Sizes) -> Sizes:
    layer.output_shape(tuple(size if is_number(size) else 1 for size in shape))
    return (*shape[:2], layer.output_size * (1 + layer.bidirectional))


def products(layer: Any) -> dict[str, tuple[int, int]]:
    """Name -> (outputs, inputs) of every matrix of all layers and directions."""
    return {name: shape for name, shape in layer.parameters().items() if name.startswith("weight")}  # type: ignore[misc]


def _domains(layer: Any, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    return {name: Domain(ranges(*shape[:2], *matrix)) for name, matrix in products(layer).items()}


def cell(layer: Any) -> Cost:
    """Gates of one feature of one token."""
    if isinstance(layer, LSTM):
        return Cost.of("recurrent cell", add=8, mul=3, div=3, exp=5)
    if isinstance(layer, GRU):
        return Cost.of("recurrent cell", add=7, mul=3, div=2, exp=3)
    return Cost.of("recurrent cell", add=1, **{"exp" if layer.nonlinearity == "tanh" else "compare": 1})


def _clip(layer: Any, shape: Sizes, padding: str) -> Cost:
    tokens, copies = shape[0] * shape[1], layer.num_layers * (1 + layer.bidirectional)
    costs = [product_cost("recurrent", tokens, inputs, outputs, False) for outputs, inputs in products(layer).values()]
    biases = sum(s[0] for name, s in layer.parameters().items() if name.startswith("bias"))
    written = tokens * layer.output_size * (1 + layer.bidirectional)
    return Cost.total(
        [
            *costs,
            cell(layer) * (tokens * layer.hidden_size * copies),
            Cost.of("recurrent", reads=numel(shape), writes=written),
            Cost.of("recurrent bias", add=tokens * biases, weights=biases),
        ]
    )


def _step(layer: Any, shape: Sizes, padding: str) -> Steps:
    return Steps((_clip(layer, one_frame(layer, shape), padding) + Cost.of("recurrent", traffic=2 * _state(layer, shape)),))


def _state(layer: Any, shape: Sizes) -> Size:
    cells = layer.hidden_size if isinstance(layer, LSTM) else 0
    return shape[0] * layer.num_layers * (layer.output_size + cells)


for _kind in (RNN, LSTM, GRU):
    shape_formula.register(_kind, _shape)
    domains.register(_kind, _domains)
    clip_formula.register(_kind, _clip)
    step_formula.register(_kind, _step)
    state_formula.register(_kind, _state)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return recurrent.LSTM(scale.width, scale.width), scale.sequence
