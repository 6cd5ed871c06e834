"""Verbs: rows begin anew, change places (as in a beam search), and the stream is taken back (as after a rejected draft).

An attention-like mean over all frames so far, beside the last frame: two states. Each wrong twin forgets one of them in one
verb.

    coequal verify examples/subjects/verbs.py:right
"""

import torch

import coequal


def clip(frames):
    """(B, T, C) -> (B, T, C): the mean of all frames so far, and the frame before."""
    count = torch.arange(1, frames.shape[1] + 1, dtype=frames.dtype)[None, :, None]
    return frames.cumsum(1) / count + torch.nn.functional.pad(frames, (0, 0, 1, 0))[:, : frames.shape[1]]


class Cached:
    """The same; `frames` and `valid` hold all that came, and which of it counts."""

    def __init__(self):
        self.frames, self.valid, self.before = None, None, []

    def step(self, frame):
        now, here = frame[:, None].clone(), frame.new_ones(frame.shape[0], 1, 1)
        self.frames = now if self.frames is None else torch.cat([self.frames, now], 1)
        self.valid = here if self.valid is None else torch.cat([self.valid, here], 1)
        mean = (self.frames * self.valid).sum(1) / self.valid.sum(1)
        last = self.before[-1] if self.before else torch.zeros_like(frame)
        self.before.append(frame.clone())
        return mean + last

    def reset(self, rows):
        self.valid = self.valid.index_fill(0, rows, 0.0)
        self.before = [frame.index_fill(0, rows, 0.0) for frame in self.before]

    def reorder(self, index):
        self.frames, self.valid = self.frames[index], self.valid[index]
        self.before = [frame[index] for frame in self.before]

    def crop(self, frames):
        self.frames, self.valid = self.frames[:, :frames], self.valid[:, :frames]
        self.before = self.before[:frames]


class WrongRow(Cached):
    def reset(self, rows):
        self.valid = self.valid.index_fill(0, rows, 0.0)


class NotReordered(Cached):
    def reorder(self, index):
        self.frames, self.valid = self.frames[index], self.valid[index]


class HalfCropped(Cached):
    def crop(self, frames):
        self.frames, self.valid = self.frames[:, :frames], self.valid[:, :frames]


def subject(stream):
    example = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))
    return coequal.Subject(clip=clip, stream=stream, example=example, time=1)


def right():
    return subject(Cached)


def wrong():
    return subject(NotReordered)


def wrong_row():
    return subject(WrongRow)


def half_cropped():
    return subject(HalfCropped)
