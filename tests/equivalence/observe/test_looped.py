"""A clip function that is a loop over the stream, and clip functions that only look like one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.equivalence.report import Report

Tensor = torch.Tensor


class Scale(nn.Module):
    """A module of a library that has helpers, which its clip mode calls once and its step once a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def _scaled(self, x: Tensor) -> Tensor:
        return x * self.weight

    def forward(self, x: Tensor) -> Tensor:
        return self._scaled(x)


class Deep(nn.Module):
    """More modules with a helper of one name than the clip has frames."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Scale() for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def step(self, x: Tensor) -> Tensor:
        return self(x)


class Twice(nn.Module):
    """One module that is used more often than the clip has frames: weights are shared over depth."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.layer, self.depth = Scale(), depth

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.depth):
            x = self.layer(x)
        return x

    def step(self, x: Tensor) -> Tensor:
        return self(x)


class Sum:
    total: Tensor | float = 0.0

    def step(self, frame: Tensor) -> Tensor:
        self.total = self.total + frame
        return self.total

    def more(self, frame: Tensor) -> Tensor:
        return self.step(frame)


def names(report: Report) -> list[str]:
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("network", [Deep, Twice])
def test_a_network_that_is_deeper_than_its_clip_is_long_is_no_loop(network: Callable[[int], nn.Module]):
    net = network(9).double()
    subject = Subject(clip=net, stream=lambda: net, example=torch.randn(1, 5, 3), time=1, modules=net)
    report = verify(subject, effort="quick")
    assert "loop-clip" not in names(report), report
    assert report.verdict == "proved", report


def test_one_function_that_serves_both_modes_is_no_loop():
    kernel = torch.tensor([0.5, -1.0, 2.0])

    def convolved(x: Tensor, before: Tensor | None = None) -> Tensor:
        x = torch.cat([torch.zeros(*x.shape[:-1], 2) if before is None else before, x], -1)
        return nn.functional.conv1d(x, kernel.to(x)[None, None])

    class Stream:
        chunk = staticmethod(convolved)
        memory: Tensor | None = None

        def step(self, frame: Tensor) -> Tensor:
            return self.chunk(frame[..., None])[..., 0]

    class Modal(Stream):
        def __init__(self) -> None:
            self.memory = torch.zeros(1, 1, 2)

        def step(self, frame: Tensor) -> Tensor:
            assert self.memory is not None
            out = convolved(frame[..., None], self.memory.to(frame))
            self.memory = torch.cat([self.memory.to(frame), frame[..., None]], -1)[..., -2:]
            return out[..., 0]

    subject = Subject(clip=convolved, stream=Modal, example=torch.randn(1, 1, 7), time=2, batch=None, plan="single")
    assert "loop-clip" not in names(verify(subject, effort="quick"))


@pytest.mark.parametrize(("verb", "window"), [("step", None), ("more", None), ("more", 4)])
def test_a_loop_over_the_stream_is_found(verb: str, window: int | None):
    def clip(x: Tensor) -> Tensor:
        stream = Sum()
        return torch.stack([getattr(stream, verb)(frame) for frame in x.unbind(1)], 1)

    class Windowed:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []

        def more(self, frame: Tensor) -> Tensor:
            return self.step(frame)

        def step(self, frame: Tensor) -> Tensor:
            self.frames = [*self.frames, frame][-4:]
            return sum(self.frames, torch.zeros_like(frame))

    def windowed(x: Tensor) -> Tensor:
        stream = Windowed()
        return [stream.more(frame) for frame in x.unbind(1)][-1]

    one = Subject(clip=clip, stream=Sum, example=torch.randn(1, 6, 3), time=1)
    other = Subject(clip=windowed, stream=Windowed, example=torch.randn(1, 6, 3), time=1, window=4)
    report = verify(one if window is None else other, effort="quick")
    assert "loop-clip" in names(report), report
    assert report.verdict == "undecided"
