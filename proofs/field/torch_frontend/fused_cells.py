"""What torch's fused cells on a GPU compute, in operations that have meanings: all gates of an LSTM or GRU in one kernel.

Gates `(B, 4 H)` or `(B, 3 H)` of input and hidden state, without or with biases; the last result is what a backward pass
would need. Source: pytorch/pytorch, `aten/src/ATen/native/cuda/RNN.cu`; equations as in the documentation of torch.nn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Tensor = torch.Tensor


def lstm_cell(
    input_gates: Tensor,
    hidden_gates: Tensor,
    cx: Tensor,
    input_bias: Tensor | None = None,
    hidden_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden state and cell state, `(B, H)`, of `sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)`."""
    gates = _biased(input_gates, input_bias) + _biased(hidden_gates, hidden_bias)
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy, gates


def gru_cell(
    input_gates: Tensor,
    hidden_gates: Tensor,
    hx: Tensor,
    input_bias: Tensor | None = None,
    hidden_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The hidden state `(B, H)`, of `sigmoid(r), sigmoid(z), tanh(n)`: the bias of the new gate stands in r's product."""
    given, held = _biased(input_gates, input_bias), _biased(hidden_gates, hidden_bias)
    (ir, iz, new), (hr, hz, hn) = given.chunk(3, 1), held.chunk(3, 1)
    r, z = (ir + hr).sigmoid(), (iz + hz).sigmoid()
    n = (new + r * hn).tanh()
    return (hx - n) * z + n, given


def _biased(gates: Tensor, bias: Tensor | None) -> Tensor:
    return gates if bias is None else gates + bias


FUSED: dict[str, Callable[..., Any]] = {"_thnn_fused_lstm_cell": lstm_cell, "_thnn_fused_gru_cell": gru_cell}
