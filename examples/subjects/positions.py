"""Positions that the caller gives: a moving sum of frames that were turned by their positions.

The wrong twin turns the older frame by the position of the newer one: off by one.

    coequal verify examples/subjects/positions.py:right
"""

import torch

import coequal

WIDTH, LONGEST = 4, 4096
TABLE = torch.randn(LONGEST, WIDTH, generator=torch.Generator().manual_seed(1))  # an embedding for each position


def marked(frames, positions):
    """Each frame beside the embedding of its position."""
    return frames * TABLE.to(frames.dtype)[positions]


def clip(frame, positions):
    """(B, T, C) and (B, T) -> (B, T, C): each frame and the one before it."""
    turned = marked(frame, positions)
    return turned + torch.nn.functional.pad(turned, (0, 0, 1, 0))[:, : turned.shape[1]]


class Pairs:
    """The same, a frame at a time."""

    off = 0

    def __init__(self):
        self.before = None

    def step(self, frame, positions):
        now = marked(frame, positions)
        out = now if self.before is None else now + marked(self.before, positions - 1 + self.off)
        self.before = frame.clone()
        return out


class OffByOne(Pairs):
    off = 1


def subject(stream):
    example = {
        "frame": torch.randn(2, 8, WIDTH, generator=torch.Generator().manual_seed(0)),
        "positions": torch.arange(8).expand(2, 8).clone(),
    }
    return coequal.Subject(
        clip=clip,
        stream=stream,
        example=example,
        time={"frame": 1, "positions": 1},
        positions="positions",
    )


def right():
    return subject(Pairs)


def wrong():
    return subject(OffByOne)
