"""Skeletons: clips `(B, C, T, V, M)` of V joints of M persons, mixed along the bones, normed joint by joint.

    mixing     y[..., v, m] = sum_u x[..., u, m] A[u, v] W[u, v]             A: which joints are neighbours; W is learned
    adaptive   y[..., v, m] = sum_u x[..., u, m] (A[u, v] + W[u, v] + softmax_u(S[u, v]))
               S[u, v] = sum_(c, t) a(x)[c, t, u, m] b(x)[c, t, v, m] / (C' T)      a, b: linear maps C -> C'
    norm       y[c, t, v, m] = batch norm of the feature (m V + v) C + c     running statistics, eval mode

Mixing and norm look at one frame at a time. Adaptive edges are those of the whole clip (T its frames) or, with scope
"frame", of each frame by itself (T = 1).
Sources: Yan, Xiong & Lin, "Spatial temporal graph convolutional networks for skeleton-based action recognition", AAAI 2018,
section 3.3 (equation 10, mask of the learnable edge importance); Shi, Zhang, Cheng & Lu, "Two-stream adaptive graph
convolutional networks for skeleton-based action recognition", CVPR 2019, section 4.2 (adaptive); layers as in
LukasHedegaard/continual-skeletons (`models/base.py`, `models/a_gcn/a_gcn.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Parameters, Shape, scope
from coequal.reference.norm import BatchNorm
from coequal.reference.softmax import softmax
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


def adaptive_edges(queries: Array, keys: Array, scope: str) -> Array:
    """`softmax_u` of the scores of each person, `(B, C', T, V, M) -> (B, T or 1, M, V, V)`."""
    q, k = (np.transpose(x, (0, 2, 4, 3, 1)) for x in (queries, keys))  # (B, T, M, V, C')
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1]
    if scope == "clip":
        scores = np.sum(scores, axis=1, keepdims=True) / q.shape[1]
    return softmax(scores, -2)


def adaptive_edges_loops(queries: Array, keys: Array, scope: str) -> Array:
    """Naive form: one pair of joints at a time."""
    batch, inner, length, joints, persons = queries.shape
    groups = [range(length)] if scope == "clip" else [range(t, t + 1) for t in range(length)]
    edges = np.zeros((batch, len(groups), persons, joints, joints), dtype=queries.dtype)
    for b, g, m, v in np.ndindex(batch, len(groups), persons, joints):
        terms = []
        for u in range(joints):
            pairs = [queries[b, c, t, u, m] * keys[b, c, t, v, m] for c in range(inner) for t in groups[g]]
            terms.append(np.exp(sum(pairs) / (inner * len(groups[g]))))
        edges[b, g, m, :, v] = np.array(terms) / sum(terms)
    return edges


SCOPES = ("clip", "frame")


@dataclass(frozen=True)
class AdaptiveJointMixing:
    """Of `channels` C in `joints` V, through `inner` C'; `scope` "clip" or "frame".

    Parameters `weight (V, V)`, `adjacency (V, V)`, not learned, and `a`, `b`: `weight (C', C, 1, 1, 1)`, `bias`.
    """

    channels: int
    inner: int
    joints: int
    scope: str = "clip"
    time: int = 2

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"AdaptiveJointMixing: scope is one of {', '.join(map(repr, SCOPES))}, got {self.scope!r}")

    @property
    def timing(self) -> Timing | None:
        """Frame by frame; None over the whole clip."""
        return Timing() if self.scope == "frame" else None

    @property
    def map(self) -> Conv:
        """Each of the linear maps."""
        return Conv(self.channels, self.inner, (1, 1, 1))

    def parameters(self) -> dict[str, Shape]:
        """`weight`, `adjacency`, and those of `a` and `b`."""
        maps = {f"{name}.{of}": shape for name in "ab" for of, shape in self.map.parameters().items()}
        return {**dict.fromkeys(("weight", "adjacency"), (self.joints, self.joints)), **maps}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels or joints."""
        if len(shape) != 5 or (shape[1], shape[3]) != (self.channels, self.joints):
            raise ValueError(
                f"AdaptiveJointMixing: expected a clip (B, {self.channels}, T, {self.joints}, M), got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The mixed joints."""
        self.output_shape(clip.shape)
        queries, keys = (self.map(scope(parameters, name), clip) for name in "ab")
        edges = adaptive_edges(queries, keys, self.scope) + (parameters["adjacency"] + parameters["weight"])
        tokens = np.transpose(clip, (0, 2, 4, 1, 3))  # (B, T, M, C, V)
        return np.transpose(tokens @ edges, (0, 3, 1, 4, 2))


@dataclass(frozen=True)
class JointNorm(_Skeleton):
    """Batch norm of each of `channels` of each of `joints` of each of `persons` (None: of all alike), in eval mode."""

    channels: int
    joints: int
    persons: int | None
    eps: float = 1e-5

    @property
    def norm(self) -> BatchNorm:
        """That of all features."""
        return BatchNorm(self.channels * self.joints * (self.persons or 1), self.eps)

    def parameters(self) -> dict[str, Shape]:
        """As in torch.nn.BatchNorm1d, of `M V C` features, or of `V C`."""
        return self.norm.parameters()

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels, joints or persons."""
        if len(shape) != 5 or (shape[1], *shape[3:]) != (self.channels, self.joints, self.persons or shape[4]):
            raise ValueError(
                f"JointNorm: expected a clip (B, {self.channels}, T, {self.joints}, {self.persons or 'M'}),"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normed features."""
        batch, channels, length, joints, persons = self.output_shape(clip.shape)
        features = np.transpose(clip, (0, 4, 3, 1, 2)).reshape(-1, self.norm.num_features, length)
        normed = self.norm(parameters, features).reshape(batch, persons, joints, channels, length)
        return np.transpose(normed, (0, 3, 4, 2, 1))
