"""What exact arithmetic does not see by itself: signs of zeros, overflow, chunks that come when memory is full."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from coequal import Subject, verify

Tensor = torch.Tensor
FULL = 45


def delayed(x: Tensor) -> Tensor:
    return x + F.pad(x, (1, 0))[:, :, :-1]


def with_zero(x: Tensor) -> Tensor:
    return delayed(x) + torch.atan2(x * x * 0, -torch.ones_like(x))


def with_sum(x: Tensor) -> Tensor:
    return torch.logsumexp(torch.stack([delayed(x), 2 * delayed(x)]), 0)


class Stream:
    def __init__(self) -> None:
        self.before, self.count = torch.zeros(()), 0

    def step(self, x: Tensor) -> Tensor:
        out, self.before = x + self.before, x.clone()
        return self.then(out, x)

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out


class NegativeZero(Stream):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out + torch.atan2((x + 1e4) * 0, -torch.ones_like(x))


class Naive(Stream):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return torch.log(torch.exp(out) + torch.exp(2 * out))


class Careful(Stream):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return torch.logaddexp(out, 2 * out)


class Chunks(Stream):
    """Counts until it is full; `wrong`: of a chunk of three it then forgets something."""

    wrong = False

    def chunk(self, x: Tensor) -> Tensor:
        self.count = min(self.count + x.shape[2], FULL)
        outs = torch.stack([super(Chunks, self).step(x[:, :, t]) for t in range(x.shape[2])], 2)
        return outs * 2 if self.wrong and self.count == FULL and x.shape[2] == 3 else outs

    def step(self, x: Tensor) -> Tensor:
        return self.chunk(x.unsqueeze(2)).squeeze(2)


class Forgets(Chunks):
    wrong = True


def report(clip: Any, stream: type[Stream]) -> Any:
    return verify(Subject(clip=clip, stream=stream, example=torch.randn(1, 2, 10), time=2), effort="quick", checks="exact")


def test_a_zero_has_a_sign_in_floats_alone() -> None:
    assert report(with_zero, NegativeZero).verdict == "undecided"


@pytest.mark.parametrize(("stream", "said"), [(Naive, True), (Careful, False)])
def test_who_takes_exponentials_may_overflow(stream: type[Stream], said: bool) -> None:
    found = report(with_sum, stream)
    assert found.verdict == "proved"
    assert any("nothing overflows" in text for text in found.proof["assumptions"]) is said


@pytest.mark.parametrize(("stream", "every"), [(Chunks, True), (Forgets, False)])
def test_chunks_are_compared_where_memory_is_full(stream: type[Stream], every: bool) -> None:
    found = report(delayed, stream)
    assert found.verdict == "proved"
    assert (found.horizon == "all") is every
