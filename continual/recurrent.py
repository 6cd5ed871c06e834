"""Recurrent layers a frame at a time: torch.nn.RNN, LSTM, GRU; the state is their own hidden state.

Clips `(B, T, E)` with `batch_first=True`, `(T, B, E)` without; frames `(B, E)`. `forward` returns the outputs alone, without
the hidden state, so that the layers compose.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import recurrent as layers
from coequal.reference.timing import Timing

__all__ = ["GRU", "LSTM", "RNN"]

Tensor = torch.Tensor


class _Recurrent(Streaming):
    """What the three share."""

    batch_first: bool

    @property
    def time(self) -> int:  # type: ignore[override]
        """1, or 0 without `batch_first`."""
        return 1 if self.batch_first else 0

    @property
    def timing(self) -> Timing:
        """Everything so far."""
        return Timing(math.inf)

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode: the outputs."""
        return super().forward(clip)[0]  # type: ignore[misc]

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in, one out."""
        output, hidden = super().forward(frame.unsqueeze(self.time), state)  # type: ignore[misc]
        return [output.squeeze(self.time)], hidden


class RNN(_Recurrent, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN."""


class LSTM(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM."""


class GRU(_Recurrent, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU."""


RECURRENT: tuple[Any, ...] = (RNN, LSTM, GRU)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.bidirectional:
        return "the backward direction starts at the end of the clip", "use one direction"
    if module.training and module.dropout and module.num_layers > 1:
        return "dropout between its layers is random in train mode", "call .eval() first"
    return None


plainly({getattr(nn, kind.__name__): kind for kind in RECURRENT}, _refusal)


@makes
def _(layer: layers.RNN) -> nn.Module:
    return _recurrent(clip_modules.RNN, layer, nonlinearity=layer.nonlinearity)


@makes
def _(layer: layers.LSTM) -> nn.Module:
    return _recurrent(clip_modules.LSTM, layer, proj_size=layer.proj_size)


@makes
def _(layer: layers.GRU) -> nn.Module:
    return _recurrent(clip_modules.GRU, layer)


def _recurrent(kind: Any, layer: Any, **options: Any) -> nn.Module:
    options |= {"bias": layer.bias, "bidirectional": layer.bidirectional, "batch_first": True}
    return kind(layer.input_size, layer.hidden_size, layer.num_layers, **options)
