"""Linear map of the last axis, and the table look-up that is a linear map of one-hot vectors.

    linear      y[..., o] = bias[o] + sum_i weight[o, i] * x[..., i]
    embedding   y[..., e] = weight[x[...], e]

Shapes: x `(..., I)`, weight `(O, I)`, bias `(O,)`, y `(..., O)`; tokens `(B, T)` of integers, weight `(V, E)`, y
`(B, T, E)`.
Multiply-adds for each output element: `I`, none for a look-up.
Source: torch.nn.Linear, torch.nn.Embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def linear_loops(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Naive form: one output element, one product at a time."""
    outputs, inputs = weight.shape
    y = np.zeros((*x.shape[:-1], outputs), dtype=x.dtype)
    for *lead, o in np.ndindex(*y.shape):
        total = 0 if bias is None else bias[o]
        for i in range(inputs):
            total = total + weight[o, i] * x[(*lead, i)]
        y[(*lead, o)] = total
    return y


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Vectorised form: one matrix product."""
    y = np.matmul(x, np.swapaxes(weight, 0, 1))
    return y if bias is None else y + bias


def embedding_loops(tokens: Array, weight: Array) -> Array:
    """Naive form: one token at a time."""
    y = np.zeros((*tokens.shape, weight.shape[1]), dtype=weight.dtype)
    for index in np.ndindex(*tokens.shape):
        y[index] = weight[tokens[index]]
    return y


def embedding(tokens: Array, weight: Array) -> Array:
    """Vectorised form: rows of the table."""
    return weight[tokens]


@dataclass(frozen=True)
class Linear:
    """Linear map of the last axis of tokens `(B, T, I)`, frame by frame."""

    in_features: int
    out_features: int
    bias: bool = True
    time: int = 1

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """`weight` and, with bias, `bias`."""
        shapes: dict[str, Shape] = {"weight": (self.out_features, self.in_features)}
        return {**shapes, "bias": (self.out_features,)} if self.bias else shapes

    def output_shape(self, shape: Shape) -> Shape:
        """`(..., O)`; ValueError when the last axis does not fit."""
        if not shape or shape[-1] != self.in_features:
            raise ValueError(f"Linear: the last axis must have {self.in_features} features, got {tuple(shape)}")
        return (*shape[:-1], self.out_features)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The linear map of a clip."""
        self.output_shape(clip.shape)
        return linear(clip, parameters["weight"], parameters.get("bias"))


@dataclass(frozen=True)
class Embedding:
    """Rows of a table: tokens `(B, T)` of integers in `0 .. V-1` become `(B, T, E)`."""

    num_embeddings: int
    embedding_dim: int
    time: int = 1

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """`weight`, the table."""
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def output_shape(self, shape: Shape) -> Shape:
        """One more axis, of E."""
        return (*shape, self.embedding_dim)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The rows; IndexError names a token that has none (NumPy would count negative ones from the end)."""
        if clip.size and not (clip.min() >= 0 and clip.max() < self.num_embeddings):
            raise IndexError(
                f"Embedding: tokens must be 0 .. {self.num_embeddings - 1}, got values from {clip.min()} to {clip.max()}"
            )
        return embedding(clip, parameters["weight"])
