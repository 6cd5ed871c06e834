"""Skeletons: clips `(B, C, T, V, M)` of V joints of M persons, mixed along the bones, normed joint by joint.

    mixing     y[..., v, m] = sum_u x[..., u, m] A[u, v] W[u, v]             A: which joints are neighbours; W is learned
    norm       y[c, t, v, m] = batch norm of the feature (m V + v) C + c     running statistics, eval mode

Both look at one frame at a time.
Source: Yan, Xiong & Lin, "Spatial temporal graph convolutional networks for skeleton-based action recognition", AAAI 2018,
section 3.3 (equation 10, mask of the learnable edge importance); layers as in LukasHedegaard/continual-skeletons
(`models/base.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.norm import BatchNorm
from coequal.reference.timing import Timing


def joint_mixing_loops(clip: Array, edges: Array) -> Array:
    """Naive form: one pair of joints at a time; `edges (V, V)`."""
    y = np.zeros_like(clip)
    for u, v in np.ndindex(*edges.shape):
        y[..., v, :] = y[..., v, :] + clip[..., u, :] * edges[u, v]
    return y


def joint_mixing(clip: Array, edges: Array) -> Array:
    """Vectorised form: one matrix product."""
    return np.swapaxes(np.swapaxes(clip, -1, -2) @ edges, -1, -2)


class _Skeleton:
    """What both share."""

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, V, M)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()


@dataclass(frozen=True)
class JointMixing(_Skeleton):
    """Of `joints` V; parameters `weight (V, V)` and, not learned, `adjacency (V, V)`."""

    joints: int

    def parameters(self) -> dict[str, Shape]:
        """`weight (V, V)`, `adjacency (V, V)`."""
        return dict.fromkeys(("weight", "adjacency"), (self.joints, self.joints))

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other joints."""
        if len(shape) != 5 or shape[3] != self.joints:
            raise ValueError(
                f"JointMixing: expected a clip (B, C, T, V, M) with V = joints = {self.joints}, got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The mixed joints."""
        self.output_shape(clip.shape)
        return joint_mixing(clip, parameters["adjacency"] * parameters["weight"])


@dataclass(frozen=True)
class JointNorm(_Skeleton):
    """Batch norm of each of `channels` of each of `joints` of each of `persons`, in eval mode."""

    channels: int
    joints: int
    persons: int
    eps: float = 1e-5

    @property
    def norm(self) -> BatchNorm:
        """That of all features."""
        return BatchNorm(self.channels * self.joints * self.persons, self.eps)

    def parameters(self) -> dict[str, Shape]:
        """As in torch.nn.BatchNorm1d, of `M V C` features."""
        return self.norm.parameters()

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels, joints or persons."""
        if len(shape) != 5 or (shape[1], *shape[3:]) != (self.channels, self.joints, self.persons):
            raise ValueError(
                f"JointNorm: expected a clip (B, {self.channels}, T, {self.joints}, {self.persons}),"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normed features."""
        batch, channels, length, joints, persons = self.output_shape(clip.shape)
        features = np.transpose(clip, (0, 4, 3, 1, 2)).reshape(batch, -1, length)
        normed = self.norm(parameters, features).reshape(batch, persons, joints, channels, length)
        return np.transpose(normed, (0, 3, 4, 2, 1))
