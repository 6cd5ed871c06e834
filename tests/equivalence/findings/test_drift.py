"""Streams that forget are not waited for; those that do not forget are followed as long as ever."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.findings.drift import LONG
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
LENGTH = 4


def mean(clip: Tensor) -> Tensor:
    return nn.functional.pad(clip, (LENGTH - 1, 0)).unfold(-1, LENGTH, 1).mean(-1)


class Window:
    """Holds the frames themselves."""

    def __init__(self) -> None:
        self.past = [torch.zeros(())] * LENGTH

    def step(self, x: Tensor) -> Tensor:
        self.past = [*self.past[1:], x.clone()]
        return sum(self.past) / LENGTH  # type: ignore[return-value]


class RunningSum(Window):
    """Adds what comes and subtracts what goes: every rounding error stays."""

    def __init__(self) -> None:
        super().__init__()
        self.total = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        self.total = self.total + x - self.past[0]
        self.past = [*self.past[1:], x.clone()]
        return self.total / LENGTH


class Clocked(Window):
    """Right in double precision; in single, the frame number eats the digits of the frame."""

    n = 0

    def step(self, x: Tensor) -> Tensor:
        self.n += 1
        return super().step((x + self.n * 10) - self.n * 10)


def subject(stream: type[Window]) -> Subject:
    return Subject(clip=mean, stream=stream, example=torch.randn(2, 3, 9))


def test_a_stream_that_forgets_is_not_followed_for_long():
    report = verify(subject(Window), effort="quick")
    assert report.quality["errors"].startswith("forgotten")
    assert report.quality["frames"] < LONG // 2


@pytest.mark.parametrize("stream", [RunningSum, Clocked])
def test_one_that_does_not_is(stream):
    report = verify(subject(stream), effort="quick")
    assert report.quality["errors"] == "followed"
    assert report.quality["frames"] == LONG


def test_an_error_that_grows_is_drift():
    report = verify(subject(Clocked), effort="quick")
    assert "drift" in [finding.name for finding in report.findings]
