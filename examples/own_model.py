"""A model of one's own, with a stream written by hand: once right, once with a mistake that is easy to make.

coequal verify examples/own_model.py:right
coequal verify examples/own_model.py:wrong
"""

from __future__ import annotations

import torch
from torch import nn

import coequal


class Blink(nn.Module):
    """Two causal convolutions over time, clips `(B, C, T)`: each output frame sees the 5 frames up to its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 8, kernel_size=3)
        self.second = nn.Conv1d(8, 2, kernel_size=3)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """The clip function: zeros before the first frame, nothing after the last."""
        hidden = torch.relu(self.first(nn.functional.pad(clip, (2, 0))))
        return self.second(nn.functional.pad(hidden, (2, 0)))


class BlinkStream:
    """The same network a frame at a time: each convolution remembers the last two frames of its input."""

    def __init__(self, model: Blink) -> None:
        self.model = model
        self.state: list[torch.Tensor] | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A frame `(B, 3)` in, a frame `(B, 2)` out."""
        if self.state is None:
            self.state = [self.before(frame.new_zeros(frame.shape[0], c, 2), conv) for c, conv in self.layers()]
        for index, (_, conv) in enumerate(self.layers()):
            window = torch.cat([self.state[index], frame[:, :, None]], dim=2)
            self.state[index] = window[:, :, 1:]
            frame = conv(window)[:, :, 0]
            frame = torch.relu(frame) if index == 0 else frame
        return frame

    def layers(self) -> list[tuple[int, nn.Conv1d]]:
        """Input channels and convolution of each layer."""
        return [(3, self.model.first), (8, self.model.second)]

    def before(self, zeros: torch.Tensor, conv: nn.Conv1d) -> torch.Tensor:
        """What a convolution remembers before the first frame: the zeros that its clip form pads with."""
        return zeros


class WarmStream(BlinkStream):
    """The mistake: the second layer starts from what the first makes of silence, `relu(bias)`, where the clip pads zeros."""

    def before(self, zeros: torch.Tensor, conv: nn.Conv1d) -> torch.Tensor:
        """Zeros for the first layer, its response to zeros for the second."""
        if conv is self.model.first:
            return zeros
        return zeros + torch.relu(self.model.first.bias)[None, :, None]


def subject(kind: type[BlinkStream]) -> coequal.Subject:
    """Blink with one of its streams."""
    torch.manual_seed(0)
    model = Blink().eval()
    return coequal.Subject(clip=model, stream=lambda: kind(model), example=torch.randn(1, 3, 8), time=2, modules=model)


right = subject(BlinkStream)
wrong = subject(WarmStream)
