"""Positional encodings a token at a time: what `coequal.reference.position` computes; the position is part of the state.

    sinusoidal   y[t] = x[t] + P[t]          table of `length` rows of sines and cosines, then the stream must end
    learned      y[t] = x[t] + W[t]          parameter `weight (length, E)`, then the stream must end
    recycling    y[t] = x[t] + W[(t + offset) mod M]      parameter `pe.weight (M, E)`, or a fixed smooth cycle; never ends
    rotary       every pair of features rotated by the angle t / base^(2i / D)        never ends
    grid         y[t, n] = x[t, n] + W[t N + n], of clips `(B, E, T, ...)`; recycled or not

Clips `(B, T, E)`, frames `(B, E)`; `t` counts from the first frame of the stream. Fixed rows and angles are computed in
float64, whatever the dtype of the module, and rounded once to that of the tokens: token 10^5 is as exact as token 0.

A window of N tokens that slides along a recycled table sees other rows than a clip that starts anew at row `offset`: an
encoder over recycled positions is window-equal up to that shift, and not otherwise (Hedegaard et al., section 3.4).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual.conversion import plainly
from coequal.continual.to_torch import makes
from coequal.reference import position as layers
from coequal.reference.position import DOUBLE, frequencies, recycling_table, sinusoidal_table
from coequal.reference.timing import Timing

__all__ = ["GridEncoding", "LearnedEncoding", "RecyclingEncoding", "RotaryEncoding", "SinusoidalEncoding"]

Tensor = torch.Tensor


class _Encoding(torch.nn.Module):
    """What all encodings share: the state is the number of tokens seen."""

    time = 1
    timing = Timing()

    def __init__(self, features: int, length: int | None = None) -> None:
        super().__init__()
        self.features, self.length = features, length

    def encode(self, tokens: Tensor, first: int) -> Tensor:
        """Tokens `(B, T, E)` that stand at positions `first, first + 1, ...`."""
        raise NotImplementedError

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode: `(B, T, E) -> (B, T, E)`, the first token at position 0."""
        self._check(clip.shape, "a clip (B, T, E)", 3, clip.shape[1] if clip.ndim > 1 else 0)
        return self.encode(clip, 0)

    def start(self, frame: Tensor) -> int:
        """Nothing seen."""
        return 0

    def step(self, frame: Tensor, state: int) -> tuple[Tensor, int]:
        """Token `(B, E)` in, the same token encoded out."""
        self._check(frame.shape, "a frame (B, E)", 2, state + 1)
        return self.encode(frame.unsqueeze(1), state).squeeze(1), state + 1

    def flush(self, state: int) -> list[Tensor]:
        """Nothing is ever owed."""
        return []

    _wanted = property(lambda self: f"E = embed_dim = {self.features}")

    def _fits(self, features: int) -> bool:
        return features == self.features

    def _check(self, shape: torch.Size, meaning: str, rank: int, needed: int) -> None:
        name = type(self).__name__
        if len(shape) != rank or not self._fits(shape[-1]):
            raise ValueError(f"{name}: expected {meaning} with {self._wanted}, got {tuple(shape)}")
        if self.length is not None and needed > self.length:
            raise ValueError(
                f"{name}: token {self.length} (counted from 0) is beyond the table of {self.length} positions;"
                " start a new stream, or use RecyclingEncoding for endless ones"
            )


class SinusoidalEncoding(_Encoding):
    """Adds sines and cosines of the position."""

    def __init__(self, embed_dim: int, length: int) -> None:
        super().__init__(embed_dim, length)
        self.table = torch.from_numpy(sinusoidal_table(length, embed_dim, DOUBLE))

    def encode(self, tokens: Tensor, first: int) -> Tensor:
        """`x[t] + P[t]`."""
        return tokens + self.table[first : first + tokens.shape[1]].to(tokens)


class LearnedEncoding(_Encoding):
    """Adds a learned row for each position; parameter `weight (length, E)`, as in torch.nn.Embedding."""

    def __init__(self, embed_dim: int, length: int) -> None:
        super().__init__(embed_dim, length)
        self.weight = torch.nn.Parameter(torch.nn.init.normal_(torch.empty(length, embed_dim)))

    def encode(self, tokens: Tensor, first: int) -> Tensor:
        """`x[t] + W[t]`."""
        return tokens + self.weight[first : first + tokens.shape[1]]


class RecyclingEncoding(_Encoding):
    """Adds one of `num_embeds` rows in turn, for ever. `offset`: the row of the first token, in frames."""

    def __init__(self, embed_dim: int, num_embeds: int, learned: bool = True, offset: int = 0) -> None:
        super().__init__(embed_dim)
        self.num_embeds, self.offset = num_embeds, offset
        self.pe = torch.nn.Embedding(num_embeds, embed_dim) if learned else None
        self.table: Any = None if learned else torch.from_numpy(recycling_table(num_embeds, embed_dim, DOUBLE))

    def encode(self, tokens: Tensor, first: int) -> Tensor:
        """`x[t] + W[(t + offset) mod M]`."""
        rows = (torch.arange(tokens.shape[1], device=tokens.device) + first + self.offset) % self.num_embeds
        return tokens + (self.table[rows].to(tokens) if self.pe is None else self.pe(rows))


class GridEncoding(torch.nn.Module):
    """Adds a learned row for each position of each frame `(B, E, ...)`; parameter `weight (length positions, E)`."""

    time = 2
    timing = Timing()

    def __init__(self, embed_dim: int, length: int, positions: int, recycled: bool = False) -> None:
        super().__init__()
        self.length, self.positions, self.recycled = length, positions, recycled
        self.weight = torch.nn.Parameter(torch.nn.init.normal_(torch.empty(length * positions, embed_dim)))

    def encode(self, clip: Tensor, first: int) -> Tensor:
        """Frames `(B, E, T, ...)` that stand at places `first, first + 1, ...`."""
        if not self.recycled and first + clip.shape[2] > self.length:
            raise ValueError(
                f"GridEncoding: frame {self.length} (counted from 0) is beyond the table of {self.length} frames;"
                " start a new stream, or use recycled=True for endless ones"
            )
        frames = [(first + t) % self.length for t in range(clip.shape[2])]
        seen = self.weight.unflatten(0, (self.length, self.positions))[frames, : clip.shape[3:].numel()]  # (T, N, E)
        return clip + seen.permute(2, 0, 1).reshape(clip.shape[1:])

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode, the first frame at place 0."""
        return self.encode(clip, 0)

    def start(self, frame: Tensor) -> int:
        """Nothing seen."""
        return 0

    def step(self, frame: Tensor, state: int) -> tuple[Tensor, int]:
        """Frame `(B, E, ...)` in, the same frame encoded out."""
        return self.encode(frame.unsqueeze(2), state).squeeze(2), state + 1

    def flush(self, state: int) -> list[Tensor]:
        """Nothing is ever owed."""
        return []


class RotaryEncoding(_Encoding):
    """Rotates pairs of features of each head by the angle of the position; tokens `(B, T, A head_dim)`.

    A pair is `(2i, 2i + 1)`, or `(i, i + head_dim / 2)` unless `interleaved` (the layout of GPT-NeoX and Llama).
    """

    def __init__(self, head_dim: int, base: float = 10000.0, interleaved: bool = True) -> None:
        if head_dim < 2 or head_dim % 2:
            raise ValueError(f"RotaryEncoding: head_dim must be even, to make pairs, got {head_dim}")
        super().__init__(head_dim)
        self.base, self.interleaved = base, interleaved
        self.frequencies = torch.from_numpy(frequencies(head_dim, base, DOUBLE))  # radians per frame

    _wanted = property(lambda self: f"E a multiple of head_dim = {self.features}")

    def _fits(self, features: int) -> bool:
        return features % self.features == 0

    def encode(self, tokens: Tensor, first: int) -> Tensor:
        """Every head rotated by the angle of its position."""
        positions = torch.arange(first, first + tokens.shape[1], dtype=torch.float64)
        angle = (positions[:, None] * self.frequencies).unsqueeze(1)  # (T, 1, head_dim / 2)
        cos, sin = angle.cos().to(tokens), angle.sin().to(tokens)
        heads = tokens.unflatten(-1, (-1, self.features))  # (B, T, A, head_dim)
        a, b = (heads[..., 0::2], heads[..., 1::2]) if self.interleaved else heads.chunk(2, -1)
        pair = [a * cos - b * sin, a * sin + b * cos]
        return (torch.stack(pair, -1).flatten(-2) if self.interleaved else torch.cat(pair, -1)).flatten(-2)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

for _encoding in (SinusoidalEncoding, LearnedEncoding, RecyclingEncoding, GridEncoding, RotaryEncoding):
    plainly({_encoding: _encoding})  # the same class serves clips and streams


@makes
def _(layer: layers.SinusoidalEncoding) -> nn.Module:
    return SinusoidalEncoding(layer.embed_dim, layer.length)


@makes
def _(layer: layers.LearnedEncoding) -> nn.Module:
    return LearnedEncoding(layer.embed_dim, layer.length)


@makes
def _(layer: layers.RecyclingEncoding) -> nn.Module:
    return RecyclingEncoding(layer.embed_dim, layer.num_embeds, layer.learned, layer.offset)


@makes
def _(layer: layers.GridEncoding) -> nn.Module:
    return GridEncoding(layer.embed_dim, layer.length, layer.positions, layer.recycled)


@makes
def _(layer: layers.RotaryEncoding) -> nn.Module:
    return RotaryEncoding(layer.head_dim, layer.base, layer.interleaved)
