"""A GRU that remembers its state between chunks."""

from __future__ import annotations

import torch
from torch import nn


class GRU(nn.Module):
    """Clips `(B, T, C)`."""

    def __init__(self, channels: int, hidden_size: int, num_layers: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden_size, num_layers, bias=bias, batch_first=True)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """A clip `(B, T, C)` in, `(B, T, H)` out."""
        return self.gru(clip)[0]

    def stream(self) -> GRUStream:
        """A fresh stream."""
        return GRUStream(self)


class GRUStream:
    """The hidden state of each layer."""

    def __init__(self, module: GRU) -> None:
        self.module = module
        self.state: torch.Tensor | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A frame `(B, C)`."""
        return self.chunk(frame[:, None])[:, 0]

    def chunk(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames `(B, n, C)`."""
        out, self.state = self.module.gru(frames, self.state)
        return out
