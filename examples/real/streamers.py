"""torch-streamer: a network of torch's own layers is fed in pieces, the last of which is marked.

`coequal verify examples/real/streamers.py:strided_and_back`

Tiny, with random weights; nothing is downloaded.
"""

from __future__ import annotations

import torch
from torch import nn

import coequal

Tensor = torch.Tensor


def fed_by(network: nn.Sequential, channels: int, frames: int = 24) -> coequal.Subject:
    """Its pieces have no rows. The last one is known when the stream ends: one frame is held back."""
    from torchstreamer import Sequential1dStream

    class Stream:
        def __init__(self) -> None:
            self.inner, self.held = Sequential1dStream(network), None

        def step(self, frame: Tensor) -> list[Tensor]:
            before, self.held = self.held, frame[..., None]
            return [] if before is None else self._emitted(self.inner(before))

        def flush(self) -> list[Tensor]:
            return [] if self.held is None else self._emitted(self.inner(self.held, final=True))

        @staticmethod
        def _emitted(output: Tensor | None) -> list[Tensor]:
            return [] if output is None else list(output.unbind(-1))

    return coequal.Subject(
        clip=network, stream=Stream, example=torch.randn(channels, frames), time=1, batch=None, modules=network
    )


def convolutions() -> coequal.Subject:
    """Two convolutions. Padding is ignored by the stream, by its documentation: there is none."""
    layers = (nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Conv1d(3, 2, 5, dilation=2))
    return fed_by(nn.Sequential(*layers).eval(), 2)


def strided() -> coequal.Subject:
    """A convolution that emits every other frame."""
    return fed_by(nn.Sequential(nn.Conv1d(2, 3, 4, stride=2), nn.ELU()).eval(), 2)


def transposed() -> coequal.Subject:
    """A transposed convolution: two frames for one, which overlap."""
    return fed_by(nn.Sequential(nn.ConvTranspose1d(2, 3, 4, stride=2)).eval(), 2)


def strided_and_back() -> coequal.Subject:
    """Found different: the tail is lost, since a layer that has nothing left to emit does not tell the next one to end."""
    return fed_by(nn.Sequential(nn.Conv1d(2, 3, 3, stride=4), nn.ConvTranspose1d(3, 2, 4, stride=2)).eval(), 2)
