"""A learned token beside those of the clip, which attention fills with what the whole clip says. Tokens `(B, T, E)`.

    append     y[t] = x[t] for t < T,    y[T] = w
    prepend    y[0] = w, or zero,    y[1 + t] = x[t]
    first      y[0] = x[0]: what became of a token that was prepended

The place of an appended token depends on the length of the clip. A prepended token comes before every frame, and is what is
read of the clip: a stream would have to wait with it for the last one.
Sources: Devlin et al., "BERT", NAACL 2019, section 3 (a class token, the first); Dosovitskiy et al., "An image is worth
16x16 words", ICLR 2021, equations 1 and 4; Wang et al., "OadTR: Online action detection with transformers", ICCV 2021,
section 3.2 (the last).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape


def append_token_loops(clip: Array, token: Array) -> Array:
    """Naive form: one token at a time."""
    return np.stack([np.stack([*(tokens[t] for t in range(len(tokens))), token]) for tokens in clip])


def append_token(clip: Array, token: Array) -> Array:
    """Vectorised form: `(B, T, E) -> (B, T + 1, E)`."""
    last = np.stack([token[None]] * clip.shape[0])  # (B, 1, E)
    return np.concatenate([clip, last], axis=1)


def prepend_token_loops(clip: Array, token: Array) -> Array:
    """Naive form: one token at a time."""
    return np.stack([np.stack([token, *(tokens[t] for t in range(len(tokens)))]) for tokens in clip])


def prepend_token(clip: Array, token: Array) -> Array:
    """Vectorised form: `(B, T, E) -> (B, 1 + T, E)`."""
    first = np.stack([token[None]] * clip.shape[0])  # (B, 1, E)
    return np.concatenate([first, clip], axis=1)


@dataclass(frozen=True)
class _OneMore:
    """What both share: a learned token `weight (E,)` more."""

    embed_dim: int
    time: int = 1
    timing = None

    def parameters(self) -> dict[str, Shape]:
        """`weight (E,)`."""
        return {"weight": (self.embed_dim,)}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, T + 1, E)`."""
        if len(shape) != 3 or shape[2] != self.embed_dim:
            raise ValueError(
                f"{type(self).__name__}: expected a clip (B, T, E) with E = embed_dim = {self.embed_dim}, got {tuple(shape)}"
            )
        return (shape[0], shape[1] + 1, shape[2])


@dataclass(frozen=True)
class AppendToken(_OneMore):
    """A learned token at the end; parameter `weight (E,)`."""

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The clip and its token."""
        self.output_shape(clip.shape)
        return append_token(clip, parameters["weight"])


@dataclass(frozen=True)
class PrependToken(_OneMore):
    """A token at the start; parameter `weight (E,)`, or zeros unless `learned`."""

    learned: bool = True

    def parameters(self) -> dict[str, Shape]:
        """`weight (E,)` when learned."""
        return super().parameters() if self.learned else {}

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The token and the clip."""
        self.output_shape(clip.shape)
        return prepend_token(clip, parameters["weight"] if self.learned else np.zeros_like(clip[0, 0]))


@dataclass(frozen=True)
class FirstToken:
    """The first token alone; without a frame there is none."""

    time: int = 1
    timing = None

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, 1, E)`; ValueError for a clip without tokens."""
        if len(shape) != 3 or shape[1] < 1:
            raise ValueError(f"FirstToken: expected a clip (B, T, E) with a token, got shape {tuple(shape)}")
        return (shape[0], 1, shape[2])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """`x[0]`."""
        self.output_shape(clip.shape)
        return clip[:, :1]
