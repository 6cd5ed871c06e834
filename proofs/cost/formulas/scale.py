"""Sizes from which every operator makes its example: those of a real network, or any others."""

from __future__ import annotations

from dataclasses import dataclass

from coequal.reference.layer import Shape


@dataclass(frozen=True)
class Scale:
    """Of video `(1, channels, frames, side, side)` and of tokens `(1, tokens, width)`; `heads` divide the width."""

    channels: int = 64
    frames: int = 16
    side: int = 56
    tokens: int = 64
    width: int = 192
    heads: int = 8
    hidden: int = 768

    @property
    def video(self) -> Shape:
        """A clip."""
        return (1, self.channels, self.frames, self.side, self.side)

    @property
    def sequence(self) -> Shape:
        """A clip of tokens."""
        return (1, self.tokens, self.width)
