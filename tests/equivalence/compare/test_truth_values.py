"""Outputs that are truth values: compared exactly, as whole numbers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import coequal

Tensor = torch.Tensor


class Steps:
    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        self.step = step


class Wins:
    """Whether the last three frames add up to more than nothing."""

    def __init__(self) -> None:
        self.last: list[Tensor] = []

    def step(self, x: Tensor) -> Tensor | None:
        self.last = [*self.last, x.clone()][-3:]
        return torch.stack(self.last, 2).sum(2) > 0 if len(self.last) == 3 else None


def verdict_of(clip: Callable[[Tensor], Tensor], stream: Callable[[], object], **options: Any) -> str:
    example = torch.randn(1, 2, options.get("window", 10), generator=torch.Generator().manual_seed(0))
    return coequal.verify(coequal.Subject(clip=clip, stream=stream, example=example, **options), effort="quick").verdict


STEPS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "the same": (lambda x: x > 0, "tested"),
    "another threshold": (lambda x: x > 0.1, "different"),
    "the other way round": (lambda x: x <= 0, "different"),
    "another kind": (lambda x: (x > 0).to(torch.uint8), "different"),
}


@pytest.mark.parametrize("name", STEPS)
def test_truth_values_are_compared(name: str) -> None:
    step, verdict = STEPS[name]
    assert verdict_of(lambda x: x > 0, lambda: Steps(step)) == verdict


def test_truth_values_of_windows_are_compared() -> None:
    assert verdict_of(lambda x: x.sum(2) > 0, Wins, window=3) == "tested"
    assert verdict_of(lambda x: x.sum(2) > 0.2, Wins, window=3) == "different"
