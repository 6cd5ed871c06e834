"""What exact arithmetic does not see by itself: signs of zeros, overflow, chunks that come when memory is full."""

from __future__ import annotations

import pytest
import torch

from tests.equivalence.delayed import Delayed, delayed, report_of

Tensor = torch.Tensor
FULL = 45


def with_zero(x: Tensor) -> Tensor:
    return delayed(x) + torch.atan2(x * x * 0, -torch.ones_like(x))


def with_sum(x: Tensor) -> Tensor:
    return torch.logsumexp(torch.stack([delayed(x), 2 * delayed(x)]), 0)


class NegativeZero(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out + torch.atan2((x + 1e4) * 0, -torch.ones_like(x))


class Naive(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return torch.log(torch.exp(out) + torch.exp(2 * out))


class Careful(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return torch.logaddexp(out, 2 * out)


class Chunks(Delayed):
    """Counts until it is full; `wrong`: of a chunk of three it then forgets something."""

    wrong = False

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def chunk(self, x: Tensor) -> Tensor:
        self.count = min(self.count + x.shape[2], FULL)
        outs = torch.stack([super(Chunks, self).step(x[:, :, t]) for t in range(x.shape[2])], 2)
        return outs * 2 if self.wrong and self.count == FULL and x.shape[2] == 3 else outs

    def step(self, x: Tensor) -> Tensor:
        return self.chunk(x.unsqueeze(2)).squeeze(2)


class Forgets(Chunks):
    wrong = True


def test_a_zero_has_a_sign_in_floats_alone() -> None:
    assert report_of(NegativeZero, with_zero).verdict == "undecided"


@pytest.mark.parametrize(("stream", "said"), [(Naive, True), (Careful, False)])
def test_who_takes_exponentials_may_overflow(stream: type[Delayed], said: bool) -> None:
    found = report_of(stream, with_sum)
    assert found.verdict == "proved"
    assert any("nothing overflows" in text for text in found.proof["assumptions"]) is said


@pytest.mark.parametrize(("stream", "every"), [(Chunks, True), (Forgets, False)])
def test_chunks_are_compared_where_memory_is_full(stream: type[Delayed], every: bool) -> None:
    found = report_of(stream)
    assert found.verdict == "proved"
    assert (found.horizon == "all") is every
