"""Several inputs: a frame, the time since the last one, and a speaker who stays the same.

An exponential average that forgets more when more time has passed, added to the speaker's embedding. The wrong twin takes
the time of the frame before.

    coequal verify examples/subjects/conditioning.py:right
"""

import torch

import coequal


def average(frames, gaps, speaker):
    """(B, C, T), (B, T) and (B, C) -> (B, C, T)."""
    total, out = torch.zeros_like(speaker), []
    for frame, gap in zip(frames.unbind(2), gaps.unbind(1), strict=True):
        total = total * gap[:, None] + frame
        out.append(total + speaker)
    return torch.stack(out, 2) if out else frames


class Average:
    """The same, a frame at a time."""

    late = False  # whether the gap of the frame before is used

    def __init__(self):
        self.total = self.gap = None

    def step(self, frame, gap, speaker):
        used = self.gap if self.late and self.gap is not None else gap
        self.total = frame.clone() if self.total is None else self.total * used[:, None] + frame
        self.gap = gap.clone() if self.late else None
        return self.total + speaker


class Late(Average):
    late = True


def subject(stream):
    generator = torch.Generator().manual_seed(0)
    example = (
        torch.randn(2, 3, 8, generator=generator),
        torch.rand(2, 8, generator=generator),
        torch.randn(2, 3, generator=generator),
    )
    return coequal.Subject(clip=average, stream=stream, example=example, time=(2, 1, None))


def right():
    return subject(Average)


def wrong():
    return subject(Late)
