"""Attention inside clips `(B, C, T, ...)`: over the frames of each position, or over the positions of each frame.

With A heads of D = C / A features, over an axis whose tokens are numbered i and j, all else alike:

    q, k, v = Wq x + bq, Wk x + bk, Wv x + bv                            head by head
    y[i]    = Wo sum_j softmax_j(q[i] . k[j] / sqrt(S)) v[j] + bo        S = `scaled`, by default D

    over      tokens i, j                        in time
    space     the positions of a frame           frame by frame
    time      the frames of a position           the whole clip; with a `window` N, frame t and the N - 1 before it

Shapes: y `(B, C, T, ...)`; weights `in_proj_weight (3 C, C)`, `out_proj.weight (C, C)`, as in torch.nn.MultiheadAttention.
Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2; over one axis at a time: Bertasius, Wang &
Torresani, "Is space-time attention all you need for video understanding?", ICML 2021, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.attention import attend, inverse_sqrt, scaled_dot_product_attention_loops, structure
from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing

OVER = ("space", "time")


def rows(clip: Array, over: str) -> Array:
    """Tokens as rows: `(B, C, T, ...) -> (B, positions, T, C)` over time, `(B, T, positions, C)` over space."""
    flat = clip.reshape(*clip.shape[:3], -1)  # (B, C, T, P)
    return np.moveaxis(flat, (0, 1, 2, 3), (0, 3, 2, 1) if over == "time" else (0, 3, 1, 2))


def clip_of(tokens: Array, shape: Shape, over: str) -> Array:
    """Rows as a clip again."""
    flat = np.moveaxis(tokens, (0, 3, 2, 1) if over == "time" else (0, 3, 1, 2), (0, 1, 2, 3))
    return flat.reshape(shape)


def clip_attention_loops(parameters: Parameters, clip: Array, heads: int, over: str, scale: Array, mask: Array) -> Array:
    """Naive form: one head of one row of tokens at a time; additive `mask (N, N)`."""
    tokens = rows(clip, over)
    result, size = np.zeros_like(tokens), tokens.shape[3] // heads
    for index in np.ndindex(*tokens.shape[:2]):
        joint = tokens[index] @ parameters["in_proj_weight"].T + parameters["in_proj_bias"]
        q, k, v = np.split(joint, 3, axis=1)
        parts = [slice(a * size, (a + 1) * size) for a in range(heads)]
        mixed = [scaled_dot_product_attention_loops(q[:, a], k[:, a], v[:, a], mask, scale) for a in parts]
        result[index] = np.concatenate(mixed, axis=1) @ parameters["out_proj.weight"].T + parameters["out_proj.bias"]
    return clip_of(result, clip.shape, over)


def clip_attention(parameters: Parameters, clip: Array, heads: int, over: str, scale: Array, mask: Array | None) -> Array:
    """Vectorised form."""
    tokens = rows(clip, over)
    joint = tokens @ parameters["in_proj_weight"].T + parameters["in_proj_bias"]
    q, k, v = (_headed(part, heads) for part in np.split(joint, 3, axis=3))
    mixed = np.swapaxes(attend(q, k, v, mask, scale), 2, 3).reshape(tokens.shape)
    return clip_of(mixed @ parameters["out_proj.weight"].T + parameters["out_proj.bias"], clip.shape, over)


def _headed(tokens: Array, heads: int) -> Array:
    """`(B, R, N, C) -> (B, R, A, N, D)`."""
    return np.swapaxes(tokens.reshape(*tokens.shape[:3], heads, -1), 2, 3)


@dataclass(frozen=True)
class ClipAttention:
    """Of `channels` in `heads` heads; `over` "space" or "time", over time with a `window` of frames or without."""

    channels: int
    heads: int
    over: str = "space"
    window: int | None = None
    scaled: int | None = None
    time: int = 2

    def __post_init__(self) -> None:
        if self.over not in OVER:
            raise ValueError(f"ClipAttention: over is one of {', '.join(map(repr, OVER))}, got {self.over!r}")
        if self.channels % self.heads:
            raise ValueError(f"ClipAttention: {self.channels} channels do not divide into {self.heads} heads")
        if self.window is not None and (self.over == "space" or self.window < 1):
            raise ValueError(f"ClipAttention: window is in frames, at least 1, and over time alone, got {self.window}")

    @property
    def scale_of(self) -> int:
        """What scores are divided by the root of."""
        return self.channels // self.heads if self.scaled is None else self.scaled

    @property
    def timing(self) -> Timing | None:
        """Frame by frame over space; the frames of the window over time; None over the whole clip."""
        if self.over == "space":
            return Timing()
        return None if self.window is None else Timing(self.window, pad_start=self.window - 1)

    def parameters(self) -> dict[str, Shape]:
        """`in_proj_weight (3 C, C)`, `in_proj_bias`, `out_proj.weight (C, C)`, `out_proj.bias`."""
        size = self.channels
        return {
            "in_proj_weight": (3 * size, size),
            "in_proj_bias": (3 * size,),
            "out_proj.weight": (size, size),
            "out_proj.bias": (size,),
        }

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels than C."""
        if len(shape) < 3 or shape[1] != self.channels:
            raise ValueError(
                f"ClipAttention: expected a clip (B, C, T, ...) with C = channels = {self.channels},"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Every token's weighted sum of the values that it sees."""
        length = self.output_shape(clip.shape)[2]
        mask = None if self.window is None else structure(length, length, window=self.window)
        return clip_attention(parameters, clip, self.heads, self.over, inverse_sqrt(self.scale_of, clip), mask)
