"""Cells: a stack of them, a frame at a time, against the layer with their weights."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.torch_recurrent.layers import SIZES, layer_of
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


class Stack:
    """`RNNCell`, `LSTMCell` or `GRUCell` for each layer, each fed with the output of the one before."""

    def __init__(self, cells: list[Any]) -> None:
        self.cells = cells
        self.states: list[Any] = [None] * len(cells)

    def step(self, frame: Tensor) -> Tensor:
        """One frame, `(B, C)` or `(C)`."""
        for number, cell in enumerate(self.cells):
            self.states[number] = cell(frame, self.states[number])
            frame = self.states[number][0] if isinstance(cell, nn.LSTMCell) else self.states[number]
        return frame


def cell_of(layer: Any, number: int) -> Any:
    """A cell that holds the parameters of a layer of a stack."""
    size = layer.input_size if number == 0 else layer.hidden_size
    options = {"nonlinearity": layer.nonlinearity} if isinstance(layer, nn.RNN) else {}
    cell = getattr(nn, f"{type(layer).__name__}Cell")(size, layer.hidden_size, bias=layer.bias, **options)
    for name, _ in list(cell.named_parameters()):
        setattr(cell, name, getattr(layer, f"{name}_l{number}"))
    return cell


@family(**SIZES, rows=st.booleans())
def cells(num_layers: int, input_size: int, dtype: torch.dtype, rows: bool, **options: Any) -> Subject:
    """Frames `(B, C)`, or `(C)` without rows; a cell has all options of its layer but the projection."""
    layer = layer_of(input_size=input_size, num_layers=num_layers, dtype=dtype, **options)
    stack = [cell_of(layer, number) for number in range(num_layers)]
    example = torch.randn(8, *[2] * rows, input_size, dtype=dtype)
    axes: dict[str, Any] = {"time": 0, "batch": 1 if rows else None}
    return Subject(clip=lambda x: layer(x)[0], stream=lambda: Stack(stack), example=example, modules=layer, **axes)
