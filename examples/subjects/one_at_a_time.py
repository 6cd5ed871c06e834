"""A stream that lives in its module, one at a time: `with network.streaming():`, then the network is called with frames.

Two causal layers, each with a buffer. The wrong twin forgets to clear the buffer of its second layer when it begins anew.

    coequal verify examples/subjects/one_at_a_time.py:right
"""

import contextlib

import torch
from torch import nn

import coequal


class Causal(nn.Conv1d):
    """A causal convolution that goes on where it was, in streaming mode."""

    def __init__(self, channels):
        super().__init__(channels, channels, 3)
        self.past, self.streaming = None, False

    def forward(self, x):
        past = x.new_zeros(*x.shape[:2], 2) if self.past is None or not self.streaming else self.past
        row = torch.cat([past, x], 2)
        if self.streaming:
            self.past = row[..., -2:].clone()
        return super().forward(row)


class Network(nn.Module):
    """Two layers; in streaming mode each remembers."""

    def __init__(self, forgets):
        super().__init__()
        self.first, self.second, self.forgets = Causal(3), Causal(3), forgets

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

    @contextlib.contextmanager
    def mode(self):
        """Inside, calls go on where the last one was."""
        self.first.past = None
        if self.forgets:
            self.second.past = None
        self.first.streaming = self.second.streaming = True
        try:
            yield Frames(self)
        finally:
            self.first.streaming = self.second.streaming = False


class Frames:
    """What the mode is used by."""

    def __init__(self, network):
        self.network = network

    def chunk(self, frames):
        return self.network(frames)

    def step(self, frame):
        return self.network(frame[..., None])[..., 0]


def subject(forgets):
    torch.manual_seed(0)
    network = Network(forgets).eval()
    return coequal.Subject(
        clip=network,
        stream=network.mode,
        example=torch.randn(2, 3, 8),
        modules=network,
        streams="one at a time",
        clip_between=False,  # in this mode a call is a step
    )


def right():
    return subject(forgets=True)


def wrong():
    return subject(forgets=False)
