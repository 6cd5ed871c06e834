"""Schedules of chunks: streams that are wrong only where chunks of certain sizes follow one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import coequal
from coequal import Subject

Tensor = torch.Tensor
Sizes = tuple[int, ...]


class Sums:
    """All frames so far, added up; wrong where the sizes of the chunks so far say so."""

    def __init__(self, wrong: Callable[[Sizes], bool]) -> None:
        self.total, self.sizes, self.wrong = torch.zeros(()), (0, 0), wrong

    def chunk(self, x: Tensor) -> Tensor:
        sums = x.cumsum(2) + self.total[..., None]
        self.total, self.sizes = sums[:, :, -1].clone(), (*self.sizes, x.shape[2])
        return sums + x if self.wrong(self.sizes) else sums

    def step(self, x: Tensor) -> Tensor:
        return self.chunk(x[:, :, None])[:, :, 0]


def report_of(wrong: Callable[[Sizes], bool], *checks: str) -> coequal.Report:
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    subject = Subject(clip=lambda x: x.cumsum(2), stream=lambda: Sums(wrong), example=example)
    return coequal.verify(subject, checks=checks, effort="quick")


WRONG = {
    "six after seven": lambda sizes: sizes[-2:] == (7, 6),
    "two after seven": lambda sizes: sizes[-2:] == (7, 2),
    "three of a kind": lambda sizes: sizes[-3:] == (3, 2, 4),
    "one after many": lambda sizes: sizes[-2] >= 20 and sizes[-1] == 1,
    "many after one": lambda sizes: sizes[-2] == 1 and sizes[-1] >= 40,
    "a size": lambda sizes: sizes[-1] == 37,
    "beyond a power of two": lambda sizes: sizes[-1] == 65,
    "after one beyond a power of two": lambda sizes: sizes[-2] == 65,
    "a hundred": lambda sizes: sizes[-1] == 100,
    "after a block of five hundred and twelve": lambda sizes: sizes[-2] > 512,
}


@pytest.mark.parametrize("name", WRONG)
def test_an_order_of_chunks_that_disturbs_it_is_found(name):
    report = report_of(WRONG[name], "chunking")
    assert report.verdict == "different"
    assert len(report.counterexample.schedule["chunks"]) <= 3  # the few that do it


def test_what_no_schedule_shows_is_said_to_be_of_those_that_were_fed():
    wrong = report_of(lambda sizes: sizes[-5:] == (9, 8, 7, 6, 5), "chunking", "exact")
    right = report_of(lambda sizes: False, "chunking", "exact")
    assert wrong.headline == "proved up to 19 frames, in the orders of chunks that were fed"
    (said,) = (text for text in wrong.proof["assumptions"] if "orders of chunks" in text)
    assert "any two of 1 to 8 frames and any three of 1 to 4 one after the other" in said
    assert right.headline == wrong.headline  # it keeps a list of all of its chunks


class StepsAndChunks(Sums):
    """Wrong in a step after a chunk of three."""

    def step(self, x: Tensor) -> Tensor:
        after = self.sizes[-1] == 3
        y = super().step(x)
        return y + x if after else y


class ResetsSteps(Sums):
    """What chunks leave for chunks is not reset."""

    def __init__(self, wrong: Callable[[Sizes], bool]) -> None:
        super().__init__(wrong)
        self.left = torch.zeros(())

    def chunk(self, x: Tensor) -> Tensor:
        y = super().chunk(x)
        if x.shape[2] > 1:
            y, self.left = y + self.left, self.left * 0
        return y

    def reset(self) -> None:
        self.left = self.total[..., None] * 0 + 1
        self.total, self.sizes = torch.zeros(()), (0, 0)


@pytest.mark.parametrize(("stream", "check"), [(StepsAndChunks, "chunking"), (ResetsSteps, "reset")])
def test_steps_and_chunks_take_turns(stream: type, check: str) -> None:
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    subject = Subject(clip=lambda x: x.cumsum(2), stream=lambda: stream(lambda sizes: False), example=example)
    (found,) = coequal.verify(subject, checks=[check], effort="quick").checks
    assert found.outcome in ("different", "problem")


@pytest.mark.parametrize(("plan", "order"), [((1, 4), (4, 1)), (4, (4, 8)), (coequal.Plan(longest=60), (4, 3))])
def test_orders_are_those_of_the_plan(plan: Any, order: Sizes) -> None:
    example = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    wrong = lambda sizes: sizes[-2:] == order  # noqa: E731
    subject = Subject(clip=lambda x: x.cumsum(2), stream=lambda: Sums(wrong), example=example, plan=plan)
    assert coequal.verify(subject, checks=["chunking"], effort="quick").verdict == "different"
