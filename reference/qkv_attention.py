"""Attention of queries, keys and values that are features of the tokens: without projections of its own.

    x[t] = q[t] ++ k[t] ++ v[t]        y[t] = heads of sum_s softmax_s(q[t] . k[s] / sqrt(E / A)) v[s]

A network that projects once and lets some heads look along one axis and some along another has one of these for each
(`reference/attention.py` is the same with its projections).
Shapes: x `(B, T, 3 E)`, y `(B, T, E)`, for A heads of E / A features.
Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2; Arnab et al., "ViViT: A video vision
transformer", ICCV 2021, section 3.3 (model 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.attention import (
    attend,
    attention_timing,
    inverse_sqrt,
    scaled_dot_product_attention_loops,
    structure,
)
from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing

MODES = ("full", "causal")


def qkv_attention_loops(clip: Array, num_heads: int, causal: bool) -> Array:
    """Naive form: one head of one clip at a time."""
    length, size = clip.shape[1], clip.shape[2] // (3 * num_heads)
    mask = np.zeros((length, length))
    mask[np.triu_indices(length, 1)] = -np.inf if causal else 0
    batch = []
    for tokens in clip:
        q, k, v = np.split(tokens, 3, axis=1)
        parts = [slice(a * size, (a + 1) * size) for a in range(num_heads)]
        scale = inverse_sqrt(size, clip)
        heads = [scaled_dot_product_attention_loops(q[:, a], k[:, a], v[:, a], mask, scale) for a in parts]
        batch.append(np.concatenate(heads, axis=1))
    return np.stack(batch)


@dataclass(frozen=True)
class QKVAttention:
    """Heads of attention on tokens `(B, T, 3 E)`, E = `embed_dim`; `mode` "full" or "causal" (itself and all before)."""

    embed_dim: int
    num_heads: int
    mode: str = "full"

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"QKVAttention: embed_dim must be a multiple of num_heads, got {self.embed_dim} and {self.num_heads}"
            )
        if self.mode not in MODES:
            raise ValueError(f"QKVAttention: mode is one of {', '.join(map(repr, MODES))}, got {self.mode!r}")

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, 3 E)`."""
        return 1

    @property
    def timing(self) -> Timing | None:
        """None (the whole clip) for "full"."""
        return attention_timing(self.mode, None)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T, E)`; ValueError for other features than 3 E."""
        if len(shape) != 3 or shape[2] != 3 * self.embed_dim:
            raise ValueError(
                f"QKVAttention: expected a clip (B, T, 3 E) with E = embed_dim = {self.embed_dim}, got shape {tuple(shape)}"
            )
        return (shape[0], shape[1], self.embed_dim)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The heads, side by side."""
        batch, length, _ = self.output_shape(clip.shape)
        size = self.embed_dim // self.num_heads
        heads = np.swapaxes(clip.reshape(batch, length, 3 * self.num_heads, size), 1, 2)  # (B, 3 A, T, E / A)
        q, k, v = (heads[:, i * self.num_heads : (i + 1) * self.num_heads] for i in range(3))
        y = attend(q, k, v, structure(length, length, causal=self.mode == "causal"), inverse_sqrt(size, clip))
        return np.swapaxes(y, 1, 2).reshape(batch, length, self.embed_dim)
