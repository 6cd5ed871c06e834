"""Attention to the last few frames, over a ring of keys and values."""

from __future__ import annotations

import torch
from torch import nn


class SlidingAttention(nn.Module):
    """Clips `(B, T, C)`; each frame attends to itself and the `window - 1` frames before it."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} heads")
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values `(B, heads, T, C / heads)` of `(B, T, C)`."""
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`(B, T, C)`: each query's mean of the values that its row of the mask allows."""
        scores = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(~mask, -torch.inf)
        return self.out((torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2))

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """A clip in, one of the same shape out."""
        every = torch.ones(clip.shape[1], clip.shape[1], dtype=torch.bool, device=clip.device)
        return self.attend(*self.project(clip), every.tril() & every.triu(1 - self.window))

    def stream(self) -> AttentionStream:
        """A fresh stream."""
        return AttentionStream(self)


class AttentionStream:
    """Rings of keys and values; frame t is in slot `t % window`."""

    def __init__(self, module: SlidingAttention) -> None:
        self.module, self.seen = module, 0
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A frame `(B, C)`."""
        q, k, v = self.module.project(frame[:, None])
        window = self.module.window
        if self.keys is None or self.values is None:
            self.keys, self.values = (x.new_zeros(*x.shape[:2], window, x.shape[3]) for x in (k, v))
        slot = self.seen % window
        self.keys, self.values = self.keys.clone(), self.values.clone()
        self.keys[:, :, slot], self.values[:, :, slot] = k[:, :, 0], v[:, :, 0]
        self.seen += 1
        filled = torch.arange(window, device=frame.device) < self.seen
        return self.module.attend(q, self.keys, self.values, filled[None])[:, 0]

    def chunk(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames `(B, n, C)`, one after the other."""
        return torch.stack([self.step(frame) for frame in frames.unbind(1)], dim=1)
