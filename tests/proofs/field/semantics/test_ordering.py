"""Order statistics: what does not depend on the order is proved, what is another one, or of other members, is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from coequal import Subject, verify

Tensor = torch.Tensor
Pick = Callable[[Tensor], Tensor]  # of members along the last axis
WIDTH = 5


def filtered(pick: Pick) -> Callable[[Tensor], Tensor]:
    return lambda x: pick(nn.functional.pad(x, (WIDTH - 1, 0)).unfold(2, WIDTH, 1))


def ring(pick: Pick, width: int = WIDTH) -> type:
    class Ring:
        def __init__(self) -> None:
            self.past, self.at = None, 0

        def step(self, frame: Tensor) -> Tensor:
            if self.past is None:
                self.past = torch.zeros(*frame.shape, width, dtype=frame.dtype)
            self.past[..., self.at] = frame
            self.at = (self.at + 1) % width
            return pick(self.past)

    return Ring


PICKS: dict[str, tuple[Pick, Pick]] = {
    "median": (lambda x: x.median(-1).values, lambda x: x.sort(-1).values[..., 2]),
    "k-th": (lambda x: x.kthvalue(2, -1).values, lambda x: x.topk(4, -1).values[..., 3]),
    "greatest but one": (lambda x: x.topk(2, -1).values[..., 1], lambda x: x.sort(-1, descending=True).values[..., 1]),
    "least": (lambda x: x.sort(-1).values[..., 0], lambda x: -(-x).amax(-1)),
    "trimmed mean": (lambda x: x.sort(-1).values[..., 1:-1].mean(-1), lambda x: x.topk(4, -1).values[..., 1:].sum(-1) / 3),
}


def report(clip: Pick, stream: Pick, width: int = WIDTH):
    subject = Subject(clip=filtered(clip), stream=ring(stream, width), example=torch.randn(2, 3, 7))
    return verify(subject, effort="quick", checks=["exact"])


@pytest.mark.parametrize("what", PICKS)
def test_an_order_statistic_of_a_window_is_proved(what):
    found = report(*PICKS[what])
    assert found.verdict == "proved", found
    assert found.horizon == "all", found.proof["state"]


WRONG: dict[str, tuple[Pick, Pick, int]] = {
    "another rank": (lambda x: x.kthvalue(2, -1).values, lambda x: x.kthvalue(3, -1).values, WIDTH),
    "of fewer members": (lambda x: x.median(-1).values, lambda x: x.kthvalue(3, -1).values, WIDTH - 1),
    "a little more": (lambda x: x.median(-1).values, lambda x: x.median(-1).values * (1 + 1e-13), WIDTH),
    "of the negative": (lambda x: x.kthvalue(2, -1).values, lambda x: -(-x).kthvalue(3, -1).values, WIDTH),
    "the mean of the middle": (lambda x: x.median(-1).values, lambda x: x.sort(-1).values[..., 1:4].mean(-1), WIDTH),
}


@pytest.mark.parametrize("what", WRONG)
def test_another_one_is_not(what):
    assert report(*WRONG[what]).verdict in ("different", "tested", "undecided")


def test_a_member_that_comes_twice_counts_twice():
    twice = report(lambda x: torch.cat([x, x[..., :2]], -1).median(-1).values, lambda x: x.median(-1).values)
    assert twice.verdict != "proved"


def test_indices_are_not_used():
    found = report(lambda x: x.gather(-1, x.sort(-1).indices)[..., 2], lambda x: x.median(-1).values)
    assert found.verdict in ("tested", "undecided")
