"""torch-streamer: a network of torch's own layers is fed in pieces, the last of which is marked; the adapter says how.

`coequal verify examples/real/streamers.py:strided_and_back`

Tiny, with random weights; nothing is downloaded.
"""

from __future__ import annotations

import torch
from torch import nn

import coequal
from coequal.subjects.adapters.torch_streamer import fed_by


def convolutions() -> coequal.Subject:
    """Two convolutions. Padding is ignored by the stream, by its documentation: there is none."""
    layers = (nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Conv1d(3, 2, 5, dilation=2))
    return fed_by(nn.Sequential(*layers).eval(), torch.randn(2, 24))


def strided() -> coequal.Subject:
    """A convolution that emits every other frame."""
    return fed_by(nn.Sequential(nn.Conv1d(2, 3, 4, stride=2), nn.ELU()).eval(), torch.randn(2, 24))


def transposed() -> coequal.Subject:
    """A transposed convolution: two frames for one, which overlap."""
    return fed_by(nn.Sequential(nn.ConvTranspose1d(2, 3, 4, stride=2)).eval(), torch.randn(2, 24))


def strided_and_back() -> coequal.Subject:
    """Found different: the tail is lost, since a layer that has nothing left to emit does not tell the next one to end."""
    return fed_by(
        nn.Sequential(nn.Conv1d(2, 3, 3, stride=4), nn.ConvTranspose1d(3, 2, 4, stride=2)).eval(), torch.randn(2, 24)
    )
