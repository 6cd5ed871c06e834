"""A warm-up: the stream answers from its first frame on, and its first two answers do not count.

A sum of three frames that pads with what it has. `offset` says which frame of the clip the first answer that counts stands
for. The wrong twin takes a frame longer to warm up.

    coequal verify examples/subjects/warm_up.py:right
"""

import torch

import coequal


def clip(frames):
    """(B, C, T) -> (B, C, T - 2), no padding."""
    return frames[..., 2:] + frames[..., 1:-1] + frames[..., :-2]


class Sum:
    """The same; what it gives for the first two frames means nothing."""

    wait = 0

    def __init__(self):
        self.past, self.count = [], 0

    def step(self, frame):
        self.count += 1
        self.past = [*self.past, frame.clone()][-3:]
        return sum(self.past) * (1.0 if self.count > 2 + self.wait else 0.5)


class Slow(Sum):
    wait = 1


def subject(stream):
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    return coequal.Subject(clip=clip, stream=stream, example=example, ignore=2, latency=2, rate=1)


def right():
    return subject(Sum)


def wrong():
    return subject(Slow)
