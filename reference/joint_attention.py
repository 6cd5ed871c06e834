"""Attention over the joints of a skeleton, person by person and frame by frame.

    x = q ++ k ++ v                                            C'', C'' and C channels, A heads of C'' / A and C / A each
    y[:, v] = sum_u softmax_u(q[:, v] . k[:, u] / sqrt(C'' / A)) v[:, u]              head by head, side by side

Linear maps of each joint, which make q, k and v, and mix the heads, are convolutions of one element before and after it.
Shapes: x `(B, 2 C'' + C, T, V, M)`, y `(B, C, T, V, M)`, of V joints of M persons.
Source: Plizzari, Cannici & Matteucci, "Skeleton-based action recognition via spatial and temporal transformer networks",
Computer Vision and Image Understanding 2021; layers as in LukasHedegaard/continual-skeletons
(`models/s_tr/s_tr.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.attention import attend, inverse_sqrt, scaled_dot_product_attention_loops
from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def joint_attention_loops(clip: Array, channels: int, inner: int, heads: int) -> Array:
    """Naive form: one head of one person in one frame at a time."""
    batch, _, length, joints, persons = clip.shape
    y = np.zeros((batch, channels, length, joints, persons), dtype=clip.dtype)
    mask, scale = np.zeros((joints, joints)), inverse_sqrt(inner // heads, clip)
    for b, t, m in np.ndindex(batch, length, persons):
        parts = np.split(clip[b, :, t, :, m].T, (inner, 2 * inner), axis=1)  # joints as rows
        by_head = zip(*(np.split(part, heads, axis=1) for part in parts), strict=True)
        mixed = [scaled_dot_product_attention_loops(q, k, v, mask, scale) for q, k, v in by_head]
        y[b, :, t, :, m] = np.concatenate(mixed, axis=1).T
    return y


@dataclass(frozen=True)
class JointAttention:
    """To `channels` C, through `inner` C'' channels of queries and of keys, with `num_heads` A."""

    channels: int
    inner: int
    num_heads: int
    time: int = 2
    timing = Timing()

    def __post_init__(self) -> None:
        if self.channels % self.num_heads or self.inner % self.num_heads:
            raise ValueError(
                f"JointAttention: channels and inner must be multiples of num_heads, got {self.channels}, {self.inner}"
                f" and {self.num_heads}"
            )

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, V, M)`; ValueError for other channels than 2 C'' + C."""
        wanted = 2 * self.inner + self.channels
        if len(shape) != 5 or shape[1] != wanted:
            raise ValueError(
                f"JointAttention: expected a clip (B, 2 C'' + C, T, V, M) with {wanted} channels, got shape {tuple(shape)}"
            )
        return (shape[0], self.channels, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The heads, side by side."""
        shape = self.output_shape(clip.shape)
        joints = np.transpose(clip, (0, 2, 4, 3, 1))  # (B, T, M, V, 2 C'' + C)
        q, k, v = (
            np.swapaxes(part.reshape(*part.shape[:-1], self.num_heads, -1), -2, -3)  # (B, T, M, A, V, d)
            for part in np.split(joints, (self.inner, 2 * self.inner), axis=-1)
        )
        y = np.swapaxes(attend(q, k, v, None, inverse_sqrt(self.inner // self.num_heads, clip)), -2, -3)
        return np.transpose(y.reshape(*y.shape[:-2], self.channels), (0, 4, 1, 3, 2)).reshape(shape)
