"""A distance that is accepted: the stream keeps its memory in half precision, and its user says how far off it may be.

Verdict `within`, exit code 0, never equal. The wrong twin leaves out a term, and is further off than that.

    coequal verify examples/subjects/distance.py:right
"""

import torch

import coequal


def clip(frames):
    """(B, C, T) -> (B, C, T): two frames, the older one halved."""
    return frames + torch.nn.functional.pad(frames, (1, 0))[..., : frames.shape[2]] / 2


class Half:
    """The same, but for what half precision leaves of the frame before."""

    share = 0.5

    def __init__(self):
        self.before = None

    def step(self, frame):
        before = 0 if self.before is None else self.before.to(frame.dtype) * self.share
        self.before = frame.half()
        return frame + before


class Less(Half):
    share = 0.4


def subject(stream):
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    return coequal.Subject(clip=clip, stream=stream, example=example, within=1e-2)


def right():
    return subject(Half)


def wrong():
    return subject(Less)
