"""Recurrent layers a frame at a time: torch.nn.RNN, LSTM, GRU; the state is their own hidden state.

Clips `(B, T, E)` with `batch_first=True`, `(T, B, E)` without; frames `(B, E)`. `forward` returns the outputs alone, without
the hidden state, so that the layers compose.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from coequal.continual.streaming import State, Streaming
from coequal.reference.timing import Timing

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
