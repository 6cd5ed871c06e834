"""A schedule: a prompt of any length at once, then single frames, 64 frames at most.

A running sum in a buffer of fixed capacity. The wrong twin goes on at the wrong place after a prompt of more than one frame.

    coequal verify examples/subjects/prompt.py:right
"""

import torch

import coequal

CAPACITY = 64


def clip(frames):
    """(B, T, C) -> (B, T, C)."""
    return frames.cumsum(1)


class Buffered:
    """The same: all frames so far in one buffer."""

    short = 0

    def __init__(self):
        self.buffer, self.count = None, 0

    def chunk(self, frames):
        length = frames.shape[1]
        if self.buffer is None:
            self.buffer = frames.new_zeros(frames.shape[0], CAPACITY, frames.shape[2])
        self.buffer[:, self.count : self.count + length] = frames
        self.count += length - (self.short if length > 1 else 0)
        sums = self.buffer.cumsum(1)
        return sums[:, self.count - length : self.count].clone()

    def step(self, frame):
        return self.chunk(frame[:, None])[:, 0]


class Short(Buffered):
    short = 1


def subject(stream):
    return coequal.Subject(
        clip=clip,
        stream=stream,
        example=torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0)),
        time=1,
        plan=coequal.Plan(maximum=1, prompt=True),
        longest=CAPACITY,
    )


def right():
    return subject(Buffered)


def wrong():
    return subject(Short)
