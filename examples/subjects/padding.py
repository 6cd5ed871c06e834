"""Padding: the mean of all valid frames so far, of rows that end at different frames.

What a padded frame holds may be anything, NaN included. The wrong twin multiplies by the mask, so that NaN leaks from the
padding into all that follows; with numbers alone the two agree.

    coequal verify examples/subjects/padding.py:right
"""

import torch

import coequal


def clip(frame, mask):
    """(B, T, C) and (B, T) -> (B, T, C)."""
    kept = torch.where(mask[..., None], frame, torch.zeros_like(frame))
    return kept.cumsum(1) / mask.cumsum(1).clamp(min=1)[..., None].to(frame.dtype)


class Mean:
    """The same, a frame at a time."""

    def __init__(self):
        self.total = self.count = 0

    def kept(self, frame, mask):
        return torch.where(mask[..., None], frame, torch.zeros_like(frame))

    def step(self, frame, mask):
        self.total = self.total + self.kept(frame, mask)
        self.count = self.count + mask.long()
        return self.total / self.count.clamp(min=1)[..., None].to(frame.dtype)


class Leaks(Mean):
    def kept(self, frame, mask):
        return frame * mask[..., None]


def subject(stream):
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[1, :3] = mask[2, :5] = False  # padded at the start: what comes later must not know
    example = {"frame": torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(0)), "mask": mask}
    return coequal.Subject(
        clip=clip, stream=stream, example=example, time={"frame": 1, "mask": 1}, batch={"frame": 0, "mask": 0}, valid="mask"
    )


def right():
    return subject(Mean)


def wrong():
    return subject(Leaks)
