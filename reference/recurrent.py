"""Recurrent layers: a hidden state that remembers every frame so far. Clips `(B, T, E)` (torch: `batch_first=True`).

With `a = W_ih x[t] + b_ih` and `b = W_hh h[t-1] + b_hh`, split into one slice for each gate, and `h[-1] = c[-1] = 0`:

    RNN    h[t] = tanh(a + b)                                          (or relu)
    LSTM   i, f, g, o = sigm(a_i + b_i), sigm(a_f + b_f), tanh(a_g + b_g), sigm(a_o + b_o)
           c[t] = f c[t-1] + i g
           h[t] = o tanh(c[t])                                         (W_hr times that, with a projection)
    GRU    r, z = sigm(a_r + b_r), sigm(a_z + b_z)
           n    = tanh(a_n + r b_n)
           h[t] = (1 - z) n + z h[t-1]

Layer `l + 1` reads the outputs of layer `l`. A bidirectional layer reads the clip both ways and concatenates the outputs: it
needs the whole clip, so it cannot be streamed.

Sources: Elman, "Finding structure in time", 1990; Hochreiter & Schmidhuber, "Long short-term memory", 1997, with the forget
gate of Gers et al., 2000, and the projection of Sak et al., 2014; Cho et al., EMNLP 2014 (reset gate after the product, as
in cuDNN and torch.nn).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing

State = tuple[Array, ...]  # (h,), or (h, c) for LSTM, each (B, H)
Cell = Callable[[Array, Array, State, Array | None], State]


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`; where `exp` overflows the quotient is 0, its limit.

    Without a comparison, unlike `activation.sigmoid`, so that gates can be computed over a prime field too.
    """
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def relu(x: Array) -> Array:
    """`max(x, 0)`."""
    return np.maximum(x, 0)


NONLINEARITIES: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "relu": relu}


def rnn_cell(nonlinearity: Callable[[Array], Array]) -> Cell:
    """One step of an Elman network: `a, b (B, H)` from the input and from the state."""
    return lambda a, b, state, projection: (nonlinearity(a + b),)


def lstm_cell(a: Array, b: Array, state: State, projection: Array | None) -> State:
    """One step of an LSTM: `a, b (B, 4 H)`, state `(h, c)`; `projection (P, H)` or None."""
    _, cell = state
    i, f, g, o = np.split(a + b, 4, axis=-1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    return (hidden if projection is None else hidden @ projection.T), cell


def gru_cell(a: Array, b: Array, state: State, projection: Array | None) -> State:
    """One step of a GRU: `a, b (B, 3 H)`, state `(h,)`."""
    (hidden,) = state
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3, axis=-1), np.split(b, 3, axis=-1)
    r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return ((1 - z) * n + z * hidden,)


def recurrent_loops(kind: str, parameters: Parameters, clip: Array) -> Array:
    """Naive form of layer 0, read forwards, one scalar at a time; `kind`: "tanh", "relu", "LSTM" or "GRU"."""
    weight_ih, weight_hh = parameters["weight_ih_l0"], parameters["weight_hh_l0"]
    bias_ih, bias_hh, weight_hr = (parameters.get(f"{name}_l0") for name in ("bias_ih", "bias_hh", "weight_hr"))
    size = weight_ih.shape[0] // {"LSTM": 4, "GRU": 3}.get(kind, 1)
    outputs = []
    for sequence in clip:
        h, c = [0] * weight_hh.shape[1], [0] * size
        for x in sequence:
            a = [sum(w * v for w, v in zip(row, x, strict=True)) for row in weight_ih]
            b = [sum(w * v for w, v in zip(row, h, strict=True)) for row in weight_hh]
            if bias_ih is not None and bias_hh is not None:
                a = [value + bias for value, bias in zip(a, bias_ih, strict=True)]
                b = [value + bias for value, bias in zip(b, bias_hh, strict=True)]
            if kind == "LSTM":
                i, f, g, o = ([a[k * size + j] + b[k * size + j] for j in range(size)] for k in range(4))
                c = [sigmoid(f[j]) * c[j] + sigmoid(i[j]) * np.tanh(g[j]) for j in range(size)]
                h = [sigmoid(o[j]) * np.tanh(c[j]) for j in range(size)]
                if weight_hr is not None:
                    h = [sum(w * v for w, v in zip(row, h, strict=True)) for row in weight_hr]
            elif kind == "GRU":
                r, z = ([sigmoid(a[k * size + j] + b[k * size + j]) for j in range(size)] for k in range(2))
                n = [np.tanh(a[2 * size + j] + r[j] * b[2 * size + j]) for j in range(size)]
                h = [(1 - z[j]) * n[j] + z[j] * h[j] for j in range(size)]
            else:
                h = [NONLINEARITIES[kind](a[j] + b[j]) for j in range(size)]
            outputs.append(h)
    return np.array(outputs).reshape(*clip.shape[:2], -1)


def scan(cell: Cell, size: int, parameters: Parameters, suffix: str, clip: Array) -> Array:
    """Vectorised form of one layer in one direction: the outputs `(B, T, H)` of `cell` over a clip `(B, T, E)`.

    All products with the input are one matrix product; only those with the state wait for the frame before.
    """
    inputs = _affine(parameters, "ih", suffix, clip)
    zero = np.zeros_like(inputs[:, 0])
    projection = parameters.get(f"weight_hr_{suffix}")
    state: State = (zero[:, : parameters[f"weight_hh_{suffix}"].shape[1]], zero[:, :size])[: 2 if cell is lstm_cell else 1]
    outputs = []
    for t in range(clip.shape[1]):
        state = cell(inputs[:, t], _affine(parameters, "hh", suffix, state[0]), state, projection)
        outputs.append(state[0])
    return np.stack(outputs, axis=1)


def _affine(parameters: Parameters, source: str, suffix: str, x: Array) -> Array:
    product = x @ parameters[f"weight_{source}_{suffix}"].T
    bias = parameters.get(f"bias_{source}_{suffix}")
    return product if bias is None else product + bias


@dataclass(frozen=True)
class _Recurrent:
    """What RNN, LSTM and GRU share: stacking of layers and directions, parameter names, shapes."""

    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    bidirectional: bool = False

    gates: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for field in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, field) < 1:
                raise ValueError(f"{type(self).__name__}: {field} is at least 1, got {getattr(self, field)}")

    @property
    def cell(self) -> Cell:
        """The step of this kind of network."""
        raise NotImplementedError

    @property
    def output_size(self) -> int:
        """Size of the hidden state that one direction emits."""
        return self.hidden_size

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing | None:
        """Every frame so far; None (the whole clip) when bidirectional."""
        return None if self.bidirectional else Timing(math.inf)

    @property
    def _suffixes(self) -> list[list[str]]:
        directions = ["", "_reverse"] if self.bidirectional else [""]
        return [[f"l{layer}{direction}" for direction in directions] for layer in range(self.num_layers)]

    def parameters(self) -> dict[str, Shape]:
        """`weight_ih_l0 (G H, E)`, `weight_hh_l0 (G H, H)`, biases `(G H)`, `weight_hr_l0 (P, H)`; `G` gates; `_reverse`."""
        rows = self.gates * self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer, suffixes in enumerate(self._suffixes):
            for suffix in suffixes:
                shapes[f"weight_ih_{suffix}"] = (rows, len(suffixes) * self.output_size if layer else self.input_size)
                shapes[f"weight_hh_{suffix}"] = (rows, self.output_size)
                if self.bias:
                    shapes |= {f"bias_ih_{suffix}": (rows,), f"bias_hh_{suffix}": (rows,)}
                if self.output_size != self.hidden_size:
                    shapes[f"weight_hr_{suffix}"] = (self.output_size, self.hidden_size)
        return shapes

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T, H)`, twice as wide when bidirectional."""
        if len(shape) != 3 or shape[2] != self.input_size or shape[1] < 1:
            raise ValueError(
                f"{type(self).__name__}: expected a clip (B, T, E) of at least one frame with E = input_size ="
                f" {self.input_size}, got shape {tuple(shape)}"
            )
        return (shape[0], shape[1], self.output_size * (1 + self.bidirectional))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The outputs of the last layer for every frame of a clip `(B, T, E)`."""
        self.output_shape(clip.shape)
        for forward, *backward in self._suffixes:
            outputs = [scan(self.cell, self.hidden_size, parameters, forward, clip)]
            outputs += [scan(self.cell, self.hidden_size, parameters, s, clip[:, ::-1])[:, ::-1] for s in backward]
            clip = np.concatenate(outputs, axis=-1) if backward else outputs[0]
        return clip


@dataclass(frozen=True)
class RNN(_Recurrent):
    """Elman network with `nonlinearity` "tanh" or "relu"; names as in torch.nn.RNN."""

    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNN: nonlinearity is 'tanh' or 'relu', got {self.nonlinearity!r}")

    @property
    def cell(self) -> Cell:
        """`h = nonlinearity(a + b)`."""
        return rnn_cell(NONLINEARITIES[self.nonlinearity])


@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory, its output projected to `proj_size` unless that is 0; names as in torch.nn.LSTM."""

    proj_size: int = 0

    gates: ClassVar[int] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(
                f"LSTM: proj_size is 0 (no projection) or smaller than hidden_size {self.hidden_size}, got {self.proj_size}"
            )

    @property
    def cell(self) -> Cell:
        """Gates i, f, g, o."""
        return lstm_cell

    @property
    def output_size(self) -> int:
        """`proj_size`, or `hidden_size` without projection."""
        return self.proj_size or self.hidden_size


@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent unit; names as in torch.nn.GRU."""

    gates: ClassVar[int] = 3

    @property
    def cell(self) -> Cell:
        """Gates r, z, n."""
        return gru_cell
