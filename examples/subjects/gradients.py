"""Gradients: a recurrent layer that is trained as a stream, with the gradients of its clip.

The wrong twin detaches its state after every frame: its emissions are right, its gradients are not.

    coequal verify examples/subjects/gradients.py:right
"""

import torch
from torch import nn

import coequal


class Recurrent:
    """The layer, a frame at a time."""

    def __init__(self, layer, *, detach):
        self.layer, self.detach, self.state = layer, detach, None

    def step(self, frame):
        output, state = self.layer(frame[:, None], self.state)
        self.state = state.detach() if self.detach else state
        return output[:, 0]


def subject(*, detach):
    torch.manual_seed(0)
    layer = nn.GRU(3, 4, batch_first=True)
    return coequal.Subject(
        clip=lambda frames: layer(frames)[0],
        stream=lambda: Recurrent(layer, detach=detach),
        example=torch.randn(2, 8, 3),
        time=1,
        modules=layer,
        clip_state=layer,
    )


def right():
    return subject(detach=False)


def wrong():
    return subject(detach=True)
