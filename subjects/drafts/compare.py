"""How far the frames of two runs are from one another, in words. Nothing is decided by it."""

from __future__ import annotations

import math

import torch

Tensor = torch.Tensor


def compared(frames: list[Tensor], clip: list[Tensor], other: str = "the clip") -> str:
    """How far the frames of a stream are from the clip's, in words."""
    count = f"{len(frames)} frames for {other}'s {len(clip)}"
    if not frames:
        return count
    off = distance(frames, clip)
    return f"{count}, " + ("the same numbers" if off == 0 else f"off by {off:.1e} of {other}'s largest value")


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference of frames of the same index, over the largest value of the other."""
    pairs = [(_wide(a), _wide(b)) for a, b in zip(one, other, strict=False) if a.shape == b.shape]
    off = max((float((a - b).abs().max()) for a, b in pairs if a.numel()), default=math.nan)
    largest = max((float(b.abs().max()) for _, b in pairs if b.numel()), default=1.0)
    return math.inf if math.isnan(off) else off / (largest or 1.0)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two runs agree in half of the digits of their format. Words of a comment hang on it: no verdict, no choice."""
    if len(one) != len(other) or not one:
        return False
    dtype = one[0].dtype if one[0].is_floating_point() or one[0].is_complex() else torch.float32
    return distance(one, other) <= torch.finfo(dtype).eps ** 0.5


def _wide(frame: Tensor) -> Tensor:
    return frame.to(torch.complex128 if frame.is_complex() else torch.float64)
