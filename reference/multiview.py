"""Views of a clip: tubelets of several lengths, each with an encoder of its own, whose tokens attend to a finer view's.

View i makes frames of N tokens out of tubelets of tau_i frames, gives each a class token, and positions that are the same in
all frames; tubelets of tau = max tau_i frames are a group, of which view i has tau / tau_i frames of 1 + N tokens:

    z_i       = block(z_i)                                                        every layer, group by group
    z_(i-1)   <- z_(i-1) + attention(norm(z_(i-1)) to norm(z_i))                   before it, in the fusion layers
    y         = the class tokens of all frames: of each view as often as the finest has frames, features side by side

A class token is learned for each place in the clip, so that a group says something else at another place; and those of
coarser views are repeated as a whole, 0 1 2 3 0 1 2 3 ..., not frame by frame. Nothing of it streams.

Shapes: x `(B, C, T, S, S)`, y `(B, sum of E_i, T / min tau_i)`.
Source: Yan, Xiong, Arnab, Lu, Zhang, Sun & Schmid, "Multiview transformers for video recognition", CVPR 2022, section 3;
google-research/scenic (`projects/mtv/model.py`).
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Layer, Parameters, Shape, scope
from coequal.reference.norm import LayerNorm
from coequal.reference.transformer import TransformerEncoderLayer

EPS = 1e-6
GELU = Activation("GELU", (("approximate", "tanh"),))


@dataclass(frozen=True)
class View:
    """Tubelets of `tubelet` frames and `patch` pixels a side; features, heads and hidden features of its blocks."""

    embed_dim: int
    num_heads: int
    dim_feedforward: int
    tubelet: int
    patch: int = 16

    @property
    def block(self) -> TransformerEncoderLayer:
        """One of its blocks."""
        return TransformerEncoderLayer(self.embed_dim, self.num_heads, self.dim_feedforward, GELU, EPS, norm_first=True)

    def embedding(self, channels: int) -> Conv:
        """Its tubelets."""
        size = (self.tubelet, self.patch, self.patch)
        return Conv(channels, self.embed_dim, size, size)


def tiled_loops(tokens: Array, length: int) -> Array:
    """Naive form of the repetition of `(B, n, E)`: one token at a time."""
    return np.stack([tokens[:, j % tokens.shape[1]] for j in range(length)], axis=1)


def tiled(tokens: Array, length: int) -> Array:
    """Vectorised form: `(B, n, E) -> (B, length, E)`, the whole of it again and again."""
    return np.concatenate([tokens] * (length // tokens.shape[1]), axis=1)


@dataclass(frozen=True)
class MultiviewEncoder:
    """Views from the coarsest to the finest; `fusion`: the layers before which a view attends to the next one.

    Parameters: `embedding_view<i>.*`, `cls_view<i> (T / tau_i, E_i)`, `posembed_input_view<i> (1 + N, E_i)`,
    `encoderblock_<l>_view<i>.*`; `cross_view_encoderblock_<l>.cross_attention_ln_view<i>.*` and, of view i - 1 to view i,
    `cross_view_encoderblock_<l>.cross_attention_view<i - 1>_<i>.*`. `length` T: of the longest clips, in frames;
    `positions`: N of the largest.
    """

    views: tuple[View, ...]
    num_layers: int
    fusion: tuple[int, ...]
    length: int
    positions: int
    in_channels: int = 3
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        lengths = [view.tubelet for view in self.views]
        if not lengths or any(coarse % fine for coarse, fine in itertools.pairwise(lengths)):
            raise ValueError(f"MultiviewEncoder: tubelets from the longest on must divide each other, got {lengths}")

    @functools.cached_property
    def children(self) -> dict[str, Layer]:
        """The layers inside, by the name that prefixes their parameters."""
        layers: dict[str, Layer] = {f"embedding_view{i}": v.embedding(self.in_channels) for i, v in enumerate(self.views)}
        for depth in range(self.num_layers):
            if depth in self.fusion:
                cross = f"cross_view_encoderblock_{depth}"
                norms = {f"{cross}.cross_attention_ln_view{i}": _norm(view) for i, view in enumerate(self.views)}
                layers |= norms | {f"{cross}.cross_attention_view{i - 1}_{i}": self.cross(i) for i in self.asked}
            layers |= {f"encoderblock_{depth}_view{i}": view.block for i, view in enumerate(self.views)}
        return layers

    @property
    def asked(self) -> range:
        """The views that another one attends to, from the finest on."""
        return range(len(self.views) - 1, 0, -1)

    def cross(self, i: int) -> MultiheadAttention:
        """Attention of view i - 1 to view i."""
        query, key = self.views[i - 1], self.views[i]
        return MultiheadAttention(query.embed_dim, query.num_heads, kdim=key.embed_dim, vdim=key.embed_dim)

    @property
    def group(self) -> int:
        """Frames of a group."""
        return self.views[0].tubelet

    def parameters(self) -> dict[str, Shape]:
        """As above."""
        shapes: dict[str, Shape] = {}
        for i, view in enumerate(self.views):
            shapes[f"cls_view{i}"] = (self.length // view.tubelet, view.embed_dim)
            shapes[f"posembed_input_view{i}"] = (1 + self.positions, view.embed_dim)
        inside = {f"{child}.{name}": s for child, layer in self.children.items() for name, s in layer.parameters().items()}
        return shapes | inside

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, sum of E_i, T / min tau_i)`; ValueError for clips that are too large, or no whole groups."""
        embedded = [view.embedding(self.in_channels).output_shape(shape) for view in self.views]
        if shape[2] % self.group or not 0 < shape[2] <= self.length:
            raise ValueError(
                f"MultiviewEncoder: clips are whole groups of {self.group} frames, at most {self.length} frames,"
                f" got {shape[2]}"
            )
        if any(math.prod(tokens[3:]) > self.positions for tokens in embedded):
            raise ValueError(f"MultiviewEncoder: frames of {tuple(shape[3:])} have more than {self.positions} positions")
        return (shape[0], sum(view.embed_dim for view in self.views), max(tokens[2] for tokens in embedded))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The class tokens of all views."""
        batch, _, length = self.output_shape(clip.shape)
        groups = clip.shape[2] // self.group

        def run(name: str, *x: Array) -> Array:
            return self.children[name](scope(parameters, name), *x)

        tokens = [self._embedded(parameters, run(f"embedding_view{i}", clip), i, groups) for i in range(len(self.views))]
        for depth in range(self.num_layers):
            if depth in self.fusion:
                cross = f"cross_view_encoderblock_{depth}"
                normed = [run(f"{cross}.cross_attention_ln_view{i}", x) for i, x in enumerate(tokens)]
                for i in self.asked:
                    asked = run(f"{cross}.cross_attention_view{i - 1}_{i}", normed[i - 1], normed[i])
                    tokens[i - 1] = tokens[i - 1] + asked
            tokens = [run(f"encoderblock_{depth}_view{i}", x) for i, x in enumerate(tokens)]
        ends = []
        for view, x in zip(self.views, tokens, strict=True):
            frames = clip.shape[2] // view.tubelet
            ends.append(tiled(x.reshape(batch, frames, -1, view.embed_dim)[:, :, 0], length))
        return np.swapaxes(np.concatenate(ends, axis=2), 1, 2)

    def _embedded(self, parameters: Parameters, grid: Array, i: int, groups: int) -> Array:
        """`(B, E, n, h, w) -> (B G, n / G (1 + N), E)`: class tokens and positions."""
        batch, size, frames = grid.shape[:3]
        x = np.swapaxes(np.swapaxes(grid.reshape(batch, size, frames, -1), 1, 2), 2, 3)  # (B, n, N, E)
        first = np.stack([parameters[f"cls_view{i}"][:frames, None]] * batch)
        x = np.concatenate([first, x], axis=2)
        x = x + parameters[f"posembed_input_view{i}"][: x.shape[2]]
        return x.reshape(batch * groups, frames // groups * x.shape[2], size)


def _norm(view: View) -> LayerNorm:
    return LayerNorm((view.embed_dim,), EPS)
