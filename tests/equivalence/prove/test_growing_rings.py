"""Rings: keys in a tensor of one size, each where one was that nobody looks at any more; turned by positions that count on.

The wrong ones go wrong where no run gets.
"""

from __future__ import annotations

import pytest
import torch

from coequal import verify
from tests.equivalence.prove.test_growing import FEATURES, HEADS, LATE, Cached, Decoder
from tests.equivalence.prove.test_growing_positions import WIDTH, Near, Sliding, growth, subject

Tensor = torch.Tensor


class Ring(Sliding):
    """The place is a number of Python's."""

    def __init__(self, module: Decoder) -> None:
        super().__init__(module)
        self.ring = torch.zeros(2, 1, HEADS, WIDTH, FEATURES // HEADS)

    def step(self, frame: Tensor) -> Tensor:
        x = frame.unsqueeze(-2)
        q, k, v = self.module.parts(x, self.position())
        self.ring = self.ring.expand(-1, len(frame), -1, -1, -1).clone() if len(frame) != self.ring.shape[1] else self.ring
        self.write(k, v)
        self.count += 1
        scores = (q @ self.ring[0].transpose(-1, -2)).masked_fill(self.hidden(), float("-inf"))
        return self.module.out(x, torch.softmax(scores, -1) @ self.ring[1]).squeeze(-2)

    def write(self, k: Tensor, v: Tensor) -> None:
        self.ring[0][:, :, self.count % WIDTH] = k[:, :, 0]
        self.ring[1][:, :, self.count % WIDTH] = v[:, :, 0]

    def hidden(self) -> Tensor:
        return torch.arange(WIDTH) >= self.count


class Counted(Ring):
    """The place is a tensor, which counts in place, by way of a view."""

    def __init__(self, module: Decoder) -> None:
        super().__init__(module)
        self.seen_so_far = torch.zeros(2, dtype=torch.int64)

    def position(self) -> Tensor:
        return self.seen_so_far[:1].clone()

    def write(self, k: Tensor, v: Tensor) -> None:
        self.ring[0].index_copy_(2, self.place(), k)
        self.ring[1].index_copy_(2, self.place(), v)
        self.seen_so_far[:] = torch.where(torch.ones(2, dtype=torch.bool), self.seen_so_far + 1, self.seen_so_far)

    def place(self) -> Tensor:
        return self.seen_so_far[:1] % WIDTH

    def hidden(self) -> Tensor:
        return torch.arange(WIDTH) >= self.seen_so_far[:1]


class Located(Counted):
    """A mask by the position that each place holds."""

    def hidden(self) -> Tensor:
        last = self.seen_so_far[:1] - 1
        back = torch.arange(WIDTH) - last % WIDTH
        positions = torch.where(back <= 0, last + back, last + back - WIDTH)
        return (positions < 0) | (last - positions >= self.reach())

    def reach(self) -> int:
        return WIDTH


@pytest.mark.parametrize("stream", [Ring, Counted, Located])
def test_a_ring_is_followed_a_period_at_a_time(stream: type[Cached]) -> None:
    found = growth(stream, Near())
    assert not found.fails
    assert found.need > WIDTH


def test_a_ring_with_positions_is_proved_for_every_length() -> None:
    report = verify(subject(Located, Near()), effort="quick", checks="exact")
    assert (report.verdict, report.horizon) == ("proved", "all")


class OffAfterOneRound(Located):
    """A place is looked at one frame too long."""

    def hidden(self) -> Tensor:
        return super().hidden() & (torch.arange(WIDTH) != self.seen_so_far[:1] % WIDTH)

    def place(self) -> Tensor:
        return (self.seen_so_far[:1] + self.seen_so_far[:1] // WIDTH) % WIDTH


class OverflowsLate(Counted):
    def place(self) -> Tensor:
        return (self.seen_so_far[:1] + self.seen_so_far[:1] // LATE) % WIDTH


class JumpsLate(Counted):
    def place(self) -> Tensor:
        return torch.where(self.seen_so_far[:1] < LATE, super().place(), 0)


class AnotherModulus(Counted):
    def position(self) -> Tensor:
        return self.seen_so_far[:1] % LATE


class NearlyItsSize(Ring):
    """Two moduli, which meet again far away."""

    def write(self, k: Tensor, v: Tensor) -> None:
        super().write(k, v if self.count % 61 or self.count % 59 else -v)


class LooksFar(Counted):
    """A mask of positions that are near as yet."""

    def hidden(self) -> Tensor:
        return super().hidden() | (torch.arange(WIDTH) < self.seen_so_far[:1] - LATE)


class Stale(Counted):
    """A view that was made before the count went on."""

    def hidden(self) -> Tensor:
        before = self.seen_so_far.view(2)
        self.seen_so_far.sub_(LATE)
        late = before[:1] > 0
        self.seen_so_far.add_(LATE)
        return super().hidden() | late


class Exchanges(Ring):
    """Two places, each of which depends on the other in every second step alone: nothing is ever forgotten."""

    even = odd = torch.zeros(1, HEADS, FEATURES // HEADS)

    def write(self, k: Tensor, v: Tensor) -> None:
        super().write(k, v)
        if self.count % 2:
            self.odd = self.even * 0.5 + v[:, :, 0]
        else:
            self.even = self.odd * 0.5 + v[:, :, 0]


class Integrates(Ring):
    """A sum of all frames, kept twice: every fourth frame both share their memory, and for long the second one stays."""

    total = before = torch.zeros(1, HEADS, FEATURES // HEADS)

    def write(self, k: Tensor, v: Tensor) -> None:
        super().write(k, v)
        self.total = self.total + v[:, :, 0]
        if self.count % 4 == 3:
            self.before = self.total.detach()


class MultipliesInPlace(Ring):
    """Positions come into data by way of a part of a tensor."""

    kept = torch.zeros(2, 1, HEADS, 1, FEATURES // HEADS)

    def write(self, k: Tensor, v: Tensor) -> None:
        self.kept = self.kept.expand(-1, v.shape[0], -1, -1, -1).clone()
        counted, product = self.kept
        one = product
        for number in range(70):
            product = product * counted - product * one * (number / 64)
        super().write(k, v + product)
        self.kept[0].copy_(v * torch.tensor(self.count) / 64)
        self.kept[1].copy_(v)


WRONG: dict[type[Cached], str] = {
    OffAfterOneRound: "aten.floor_divide",
    OverflowsLate: "aten.floor_divide",
    JumpsLate: "compared with what they have not passed",
    AnotherModulus: "a position is taken modulo 70000",
    NearlyItsSize: "takes a count modulo",
    LooksFar: "compared with what they have not passed",
    Stale: "compared with what they have not passed",
    Integrates: "is no window",
    Exchanges: "depends on what was remembered there",
    MultipliesInPlace: "lengths more would have to be compared",
}


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_what_a_ring_may_do_later_ends_the_proof(stream: type[Cached]) -> None:
    assert WRONG[stream] in growth(stream, Near()).fails
