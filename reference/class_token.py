"""A learned token after the last one of the clip, which attention fills with what the whole clip says. Tokens `(B, T, E)`.

    y[t] = x[t] for t < T,    y[T] = w

Its place depends on the length of the clip, so it needs the whole clip.
Sources: Devlin et al., "BERT", NAACL 2019, section 3 (a class token, there the first); Wang et al., "OadTR: Online action
detection with transformers", ICCV 2021, section 3.2 (the last).
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


@dataclass(frozen=True)
class AppendToken:
    """A learned token at the end; parameter `weight (E,)`."""

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
                f"AppendToken: expected a clip (B, T, E) with E = embed_dim = {self.embed_dim}, got {tuple(shape)}"
            )
        return (shape[0], shape[1] + 1, shape[2])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The clip and its token."""
        self.output_shape(clip.shape)
        return append_token(clip, parameters["weight"])
