"""What stands before and after a clip in time, by `temporal_fill`."""

from __future__ import annotations

import torch


def filled(x: torch.Tensor, padding: int, fill: str) -> torch.Tensor:
    """A clip `(B, C, T, ...)` with `padding` frames at both ends: its first and last, zeros, or minus infinity."""
    first, last = x[:, :, :1], x[:, :, -1:]
    if fill != "replicate":
        first = last = torch.full_like(first, 0.0 if fill == "zeros" else -torch.inf)
    return torch.cat([*[first] * padding, x, *[last] * padding], 2)
