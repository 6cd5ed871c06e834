"""Outputs as a tree: the sum of the last two frames, and how large it is, as a dictionary; the largest channel as integers.

The wrong twin answers with the energy of the step before: its first output is right, its second one stale.

    coequal verify examples/subjects/outputs.py:right
"""

import torch

import coequal


def clip(frames):
    """(B, C, T) -> (B, C, T), (B, T), and whole numbers (B, T)."""
    total = frames + torch.nn.functional.pad(frames, (1, 0))[..., : frames.shape[2]]
    return {"sum": total, "more": (total.square().sum(1), total.argmax(1))}


class Sums:
    """The same, a frame at a time."""

    stale = False

    def __init__(self):
        self.before = self.energy = None

    def step(self, frame):
        total = frame if self.before is None else frame + self.before
        energy = total.square().sum(1)
        said = self.energy if self.stale and self.energy is not None else energy
        self.before, self.energy = frame.clone(), energy
        return {"sum": total.clone(), "more": (said.clone(), total.argmax(1))}


class Stale(Sums):
    stale = True


def subject(stream):
    return coequal.Subject(
        clip=clip,
        stream=stream,
        example=torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)),
        output_time={"sum": 2, "more[0]": 1, "more[1]": 1},
    )


def right():
    return subject(Sums)


def wrong():
    return subject(Stale)
