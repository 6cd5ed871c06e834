"""Maxima as sets: what arithmetic makes of them, minima, and programs that differ by little from what is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from coequal import Subject, verify

if TYPE_CHECKING:
    from tests.proofs.field.conftest import Lab

Tensor = torch.Tensor
F = torch.nn.functional
Function = Callable[[Tensor, Tensor], Tensor]


RIGHT: dict[str, tuple[Function, Function]] = {
    "relu of a maximum": (
        lambda a, b: torch.relu(torch.maximum(a, b)),
        lambda a, b: torch.maximum(torch.relu(a), torch.relu(b)),
    ),
    "a maximum plus a number": (
        lambda a, b: torch.maximum(a, b) + 1.5,
        lambda a, b: torch.maximum(a + 1.5, b + 1.5),
    ),
    "a maximum less one of the two": (lambda a, b: torch.maximum(a, b) - a, lambda a, b: torch.relu(b - a)),
    "twice a maximum": (lambda a, b: torch.maximum(a, b) * 2, lambda a, b: torch.maximum(a * 2, b * 2)),
    "a maximum by -2": (lambda a, b: torch.maximum(a, b) * -2, lambda a, b: torch.minimum(a * -2, b * -2)),
    "a maximum by what is positive": (
        lambda a, b: torch.maximum(a, b) * a.exp(),
        lambda a, b: torch.maximum(a * a.exp(), b * a.exp()),
    ),
    "relu of a half": (lambda a, b: torch.relu(a / 2), lambda a, b: torch.relu(a) / 2),
    "a sum of two": (
        lambda a, b: torch.relu(a) + torch.relu(b),
        lambda a, b: torch.stack([a + b, a, b, 0 * a]).amax(0),
    ),
    "leaky relu": (lambda a, b: F.leaky_relu(a, 0.25), lambda a, b: torch.maximum(a, a / 4)),
    "a magnitude": (torch.maximum, lambda a, b: (a + b + (a - b).abs()) / 2),
    "bounds from below": (
        lambda a, b: torch.maximum(a, b).clamp(min=-1),
        lambda a, b: torch.maximum(a.clamp(min=-1), b),
    ),
    "a minimum of minima": (
        lambda a, b: torch.cat([a, b], 1).amin(1, keepdim=True),
        lambda a, b: torch.minimum(b.amin(1, keepdim=True), a.amin(1, keepdim=True)),
    ),
    "a minimum plus a number": (
        lambda a, b: torch.minimum(a, b) - 3,
        lambda a, b: torch.minimum(a - 3, b - 3),
    ),
    "moved and joined": (
        lambda a, b: torch.cat([torch.maximum(a, b), a], 1).flip(1) + 1,
        lambda a, b: torch.cat([a.flip(1) + 1, torch.maximum(a + 1, b + 1).flip(1)], 1),
    ),
}  # fmt: skip
WRONG: dict[str, tuple[Function, Function]] = {
    "one of the two alone": (
        lambda a, b: torch.relu(torch.maximum(a, b)),
        lambda a, b: torch.maximum(torch.relu(a) - 1, b),
    ),
    "a little more": (
        lambda a, b: torch.maximum(a, b) + 1.5,
        lambda a, b: torch.maximum(a + 1.5, b + 1.5 * (1 + 1e-13)),
    ),
    "a negative factor": (lambda a, b: torch.maximum(a, b) * -2, lambda a, b: torch.maximum(a * -2, b * -2)),
    "a factor of any sign": (lambda a, b: torch.maximum(a, b) * a, lambda a, b: torch.maximum(a * a, b * a)),
    "relu of a half and a little": (lambda a, b: torch.relu(a / 2), lambda a, b: torch.relu(a) * (0.5 + 2**-45)),
    "a sum that lacks one": (
        lambda a, b: torch.relu(a) + torch.relu(b),
        lambda a, b: torch.stack([a + b, a, b]).amax(0),
    ),
    "a steep slope": (lambda a, b: F.leaky_relu(a, 2.0), lambda a, b: torch.maximum(a, 2 * a)),
    "less, and not more": (torch.maximum, lambda a, b: (a + b - (a - b).abs()) / 2),
    "a minimum for a maximum": (
        lambda a, b: torch.minimum(a, b) - 3,
        lambda a, b: torch.maximum(a - 3, b - 3),
    ),
    "a difference of two": (
        lambda a, b: torch.relu(a) - torch.relu(b),
        lambda a, b: torch.maximum(a - b, 0 * a),
    ),
    "bounds from above": (
        lambda a, b: torch.maximum(a, b).clamp(max=1),
        lambda a, b: torch.maximum(a.clamp(max=1), b),
    ),
}


@pytest.mark.parametrize("what", RIGHT)
def test_sets_go_through_sums_and_products(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1, sets=True)
    assert lab.equal(*lab.both(*RIGHT[what], (2, 2, 3), (2, 2, 3)))


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_so_is_told_apart(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1, sets=True)
    assert lab.different(*lab.both(*WRONG[what], (2, 2, 3), (2, 2, 3)))


def test_they_are_read_where_the_first_reading_tells_two_streams_apart() -> None:
    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return torch.maximum(torch.relu(frame[:, :2]), torch.relu(frame[:, 2:])) + 1

    subject = Subject(
        clip=lambda x: torch.relu(torch.maximum(x[:, :2], x[:, 2:]) + 1 - 1) + 1, stream=Stream, example=torch.randn(2, 4, 3)
    )
    report = verify(subject, effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report


def test_a_running_minimum_is_proved() -> None:
    class Running:
        def __init__(self) -> None:
            self.least: Tensor | None = None

        def step(self, frame: Tensor) -> Tensor:
            self.least = frame.clone() if self.least is None else torch.minimum(self.least, frame)
            return self.least.clone()

    subject = Subject(clip=lambda x: x.cummin(2).values, stream=Running, example=torch.randn(2, 3, 6))
    report = verify(subject, effort="quick", checks=["values", "exact"])
    assert report.verdict == "proved", report
