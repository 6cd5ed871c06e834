"""Softmax: positive weights that add up to one.

    y[i] = exp(x[i] - m) / sum_j exp(x[j] - m),     m = max_j x[j]

The maximum cancels; it keeps the exponentials finite. An element of minus infinity gets the weight 0; a row of nothing
else has no softmax (0 / 0): it is NaN, as in torch. The logarithm is taken before the division, `x - m - log(sum)`.
Shapes: x and y `(...)`, along one axis.
Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990; Blanchard, Higham &
Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41, 2021, algorithm 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def softmax_loops(x: Array, axis: int = -1) -> Array:
    """Naive form: row by row, one exponential at a time."""
    rows = np.moveaxis(x, axis, -1)
    y = np.zeros_like(rows)
    for index in np.ndindex(*rows.shape[:-1]):
        largest = max(rows[index])
        exponentials = [np.exp(value - largest) for value in rows[index]]
        for i, exponential in enumerate(exponentials):
            y[(*index, i)] = exponential / sum(exponentials)
    return np.moveaxis(y, -1, axis)


def softmax(x: Array, axis: int = -1) -> Array:
    """Vectorised form."""
    with np.errstate(invalid="ignore"):  # minus infinity less itself: a row that is masked altogether
        exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
        return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """The logarithm of softmax."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@dataclass(frozen=True)
class Softmax:
    """Softmax along one axis of a clip. Along time it needs the whole clip; `time` is the clip's time axis."""

    axis: int
    time: int = 2

    @property
    def timing(self) -> Timing | None:
        """Frame by frame; None along time. A negative axis counts from the end, so it must not be able to mean time."""
        return None if self.axis == self.time else Timing()

    def __post_init__(self) -> None:
        if self.axis < 0:
            raise ValueError(f"Softmax: axis counts from the start of the clip, 1 for channels, got {self.axis}")

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError when there is no such axis."""
        if self.axis >= len(shape):
            raise ValueError(f"Softmax: axis {self.axis} of a clip with {len(shape)} axes {tuple(shape)}: there is none")
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The softmax of a clip."""
        self.output_shape(clip.shape)
        return softmax(clip, self.axis)
