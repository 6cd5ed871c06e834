"""The smallest stream that remembers something, for tests that plant something in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from coequal import Report, Subject, verify

Tensor = torch.Tensor


def delayed(x: Tensor) -> Tensor:
    """Each frame with the one before; time is the last axis."""
    return x + F.pad(x, (1, 0))[..., :-1]


class Delayed:
    """The same a frame at a time; `then`: what happens to it afterwards."""

    def __init__(self) -> None:
        self.before = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        out, self.before = x + self.before, x.clone()
        return self.then(out, x)

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out


def report_of(stream: type[Delayed], clip: Callable[[Tensor], Tensor] = delayed) -> Report:
    """Of exact arithmetic alone."""
    return verify(Subject(clip=clip, stream=stream, example=torch.randn(1, 2, 10), time=2), effort="quick", checks="exact")


def of_two_frames(convolution: nn.Conv1d, example: Tensor, clip: nn.Conv1d | None = None) -> Subject:
    """A convolution of each frame with the one before; `clip`: that of the clip function, if it is another module."""

    class Stream:
        def __init__(self) -> None:
            self.past = torch.zeros(())

        def step(self, x: Tensor) -> Tensor:
            past, self.past = self.past.to(x.dtype).expand(x.shape), x.clone()
            return convolution(torch.stack([past, x], -1))[..., 0]  # type: ignore[no-any-return]

    whole = convolution if clip is None else clip
    return Subject(
        clip=lambda x: whole(F.pad(x, (1, 0))), stream=Stream, example=example, modules=convolution if clip is None else None
    )
