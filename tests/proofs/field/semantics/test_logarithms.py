"""Exponentials and logarithms undo one another: where what the logarithm is taken of is positive, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from coequal import Subject, verify

Tensor = torch.Tensor
Join = Callable[[Tensor, Tensor], Tensor]


def running(join: Join, clip: Callable[[Tensor], Tensor] = lambda x: x.logcumsumexp(2)) -> Subject:
    """A number that is joined with each frame, against the clip's."""

    class Running:
        def __init__(self) -> None:
            self.sum: Tensor | None = None

        def step(self, frame: Tensor) -> Tensor:
            self.sum = frame.clone() if self.sum is None else join(self.sum, frame)
            return self.sum.clone()

    return Subject(clip=clip, stream=Running, example=torch.randn(2, 3, 6))


def framewise(clip: Callable[[Tensor], Tensor], step: Callable[[Tensor], Tensor]) -> Subject:
    class Steps:
        def step(self, frame: Tensor) -> Tensor:
            return step(frame)

    return Subject(clip=clip, stream=Steps, example=torch.randn(2, 3, 6))


RIGHT = {
    "logaddexp": lambda: running(torch.logaddexp),
    "by hand": lambda: running(lambda s, x: (s.exp() + x.exp()).log()),
    "logsumexp of two": lambda: running(lambda s, x: torch.stack([s, x]).logsumexp(0)),
    "of a sum of exponentials": lambda: running(torch.logaddexp, lambda x: x.exp().cumsum(2).log()),
    "log of exp": lambda: framewise(lambda x: (x**3).exp().log(), lambda x: x**3),
    "exp of log": lambda: framewise(lambda x: (1 + x.exp()).log().exp(), lambda x: 1 + x.exp()),
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_running_log_sum_exp_is_one(what: str) -> None:
    report = verify(RIGHT[what](), effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report


WRONG = {
    "a little more": lambda: running(lambda s, x: torch.logaddexp(s, x * (1 + 1e-13))),
    "a little less of the sum": lambda: running(lambda s, x: (s.exp() + x.exp() * (1 - 1e-13)).log()),
    "of numbers of any sign": lambda: framewise(lambda x: x**3, lambda x: (x**3).log().exp()),
    "another base": lambda: framewise(lambda x: (1 + x.exp()).log().exp(), lambda x: torch.exp2((1 + x.exp()).log())),
    "twice": lambda: framewise(lambda x: x.exp().log(), lambda x: x.exp().exp().log()),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_none_is_not(what: str) -> None:
    assert verify(WRONG[what](), effort="quick", checks=["values", "exact"]).verdict != "proved"
