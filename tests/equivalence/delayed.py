"""The smallest stream that remembers something, for tests that plant something in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
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
