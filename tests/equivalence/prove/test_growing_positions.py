"""Positions that are learned, counted by sums, or added to scores; windows that hold positions: what is proved, and which
wrong ones end the proof, and why. The wrong streams go wrong where no run gets.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import embedding

from coequal import Subject, verify
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.prove.growing import Growth, growth_of
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.session import Session
from tests.equivalence.prove.test_growing import FEATURES, HEADS, LATE, Cached, Decoder

Tensor = torch.Tensor
ROWS, WIDTH = 80_000, 2


class Learned(Decoder):
    """A row of a table is added to each frame."""

    def __init__(self, rows: int = ROWS) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, FEATURES).weight

    def parts(self, x: Tensor, positions: Tensor) -> list[Tensor]:
        return super().parts(x + embedding(positions, self.table), positions)


class Biased(Decoder):
    """Positions of keys are added to scores, one speed a head."""

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-2]
        later = torch.ones(length, length).triu(1).bool()
        return self.attended(x, *self.parts(x, torch.arange(length)), torch.arange(length), later)

    def attended(
        self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, hidden: Tensor | None = None
    ) -> Tensor:
        scores = q @ k.transpose(-1, -2) + positions * torch.tensor([0.5, 0.25])[:, None, None]
        scores = scores if hidden is None else scores.masked_fill(hidden, float("-inf"))
        return self.out(x, scores.softmax(-1) @ v)


class Near(Decoder):
    """Only the last frames are looked at; their keys are turned."""

    def __init__(self) -> None:
        super().__init__(rotary=True)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.parts(x, torch.arange(x.shape[-2]))
        age = torch.arange(x.shape[-2])[:, None] - torch.arange(x.shape[-2])
        seen = (q @ k.transpose(-1, -2)).masked_fill((age < 0) | (age >= WIDTH), float("-inf"))
        return self.out(x, seen.softmax(-1) @ v)


def subject(stream: type[Cached], module: Decoder) -> Subject:
    torch.manual_seed(0)
    return Subject(
        clip=module.eval(),
        stream=lambda: stream(module),
        example=torch.randn(1, 5, FEATURES),
        time=1,
        modules=module,
    )


def growth(stream: type[Cached], module: Decoder) -> Growth:
    session = Session(subject(stream, module), 0, Floats())
    with session.ready():
        return growth_of(session, Budget())


# -- a table of positions -----------------------------------------------------------------------------------------------


class BySelect(Cached):
    def step(self, frame: Tensor) -> Tensor:
        module, x, table = self.module, frame.unsqueeze(-2), self.module.table
        q, k, v = Decoder.parts(module, x + self.rows(table, self.count), torch.arange(1))
        self.keys = k if self.keys is None else torch.cat([self.keys, k], -2)
        self.values = v if self.values is None else torch.cat([self.values, v], -2)
        self.count += 1
        return module.out(x, torch.softmax(q @ self.keys.transpose(-1, -2) / 2**0.5, -1) @ self.values).squeeze(-2)

    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[count]


class BySlice(BySelect):
    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[count : count + 1]


class BySumOfOnes(Cached):
    """The position is the number of frames that a mask of ones counts."""

    def position(self) -> Tensor:
        length = 1 if self.keys is None else self.keys.shape[-2] + 1
        mask = torch.ones(length)
        return (mask.cumsum(0) * mask - 1).long()[-1:]


@pytest.mark.parametrize("stream", [Cached, BySelect, BySlice, BySumOfOnes])
def test_rows_of_a_table_that_follow_one_another_are_as_good_as_frames(stream: type[Cached]) -> None:
    found = growth(stream, Learned())
    assert (found.fails, found.ends) == ("", ROWS)


class Clamped(Cached):
    def position(self) -> Tensor:
        return super().position().clamp(max=LATE)


class Wrapped(Cached):
    def position(self) -> Tensor:
        return torch.tensor([self.count % LATE])


class Twice(BySelect):
    """Another row besides: of the same table, twice as far."""

    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[count] + 0 * table[2 * torch.tensor([count])]


class EverySecond(BySelect):
    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[2 * torch.tensor([count])]


class UsedBesides(BySelect):
    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[count] + table.mean()


class OfNumbers(BySelect):
    """A table that nobody draws: what it holds further on is not seen."""

    late = torch.cat([torch.zeros(LATE, FEATURES), torch.ones(LATE, FEATURES)])

    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[count] + self.late[count]


class Doubled(BySelect):
    """The table is drawn, and then a part of it is changed."""

    def rows(self, table: Tensor, count: int) -> Tensor:
        return torch.cat([table[:LATE], 2 * table[LATE:]])[count]


class OfWholeNumbers(Cached):
    """Whole numbers are no variables, if they are parameters."""

    places = nn.Parameter(torch.cat([torch.arange(LATE), torch.zeros(LATE, dtype=torch.int64)]), requires_grad=False)

    def __init__(self, module: Decoder) -> None:
        super().__init__(module)
        module.places = self.places

    def position(self) -> Tensor:
        return self.module.places[self.count : self.count + 1]


class PlaceInAMask(Cached):
    """The mask is settled counted from the last frame, and a place counted from the first one."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        length = k.shape[-2]
        if length < 48:
            return k, v
        return k, torch.where((length - torch.arange(length) < 40)[45], v, -v)


class SlicesBackwards(BySelect):
    def rows(self, table: Tensor, count: int) -> Tensor:
        return table[LATE - count]


class MasksOnes(Cached):
    """Ones that are none for terms far away."""

    def position(self) -> Tensor:
        length = 1 if self.keys is None else self.keys.shape[-2] + 1
        return ((torch.arange(length) < LATE).long().cumsum(0) - 1)[-1:]


class SumsOfParts(Cached):
    def position(self) -> Tensor:
        length = 1 if self.keys is None else self.keys.shape[-2] + 1
        return (torch.full((length,), 1 + 0.9 / LATE).cumsum(0) - 1)[-1:].long()


class AsksTheSum(Cached):
    """A mask of ones is counted, and the number asked."""

    def position(self) -> Tensor:
        length = 1 if self.keys is None else self.keys.shape[-2] + 1
        return super().position() * (1 if bool(torch.ones(length, dtype=torch.bool).sum() < LATE) else 0)


WRONG: dict[type[Cached], str] = {
    Clamped: "aten.clamp: of a position",
    Wrapped: "takes a count modulo",
    Twice: "rows of a table that are not those behind",
    EverySecond: "rows of a table that are not those behind",
    UsedBesides: "a table of positions is used otherwise",
    OfNumbers: "a place in a table that moves on",
    Doubled: "a place in a table that moves on",
    OfWholeNumbers: "a place in a table that moves on",
    PlaceInAMask: "some places of a mask",
    SlicesBackwards: "rows of a table that are not those behind",
    MasksOnes: "positions are compared with what they have not passed",
    SumsOfParts: "of what is not the same whole number everywhere",
    AsksTheSum: "positions are compared with what they have not passed",
}


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_other_rows_of_a_table_are_none_of_the_frames(stream: type[Cached]) -> None:
    assert WRONG[stream] in growth(stream, Learned()).fails


def test_a_stream_with_learned_positions_is_proved_until_its_table_ends() -> None:
    report = verify(subject(Cached, Learned(300)), effort="quick", checks="exact")
    assert (report.verdict, report.horizon) == ("proved", 300)


# -- positions that are added to scores -----------------------------------------------------------------------------------


class Sloped(Cached):
    """As `Biased`: in a step nothing comes later."""

    def step(self, frame: Tensor) -> Tensor:
        x = frame.unsqueeze(-2)
        q, k, v = self.module.parts(x, torch.arange(1))
        self.keys = k if self.keys is None else torch.cat([self.keys, k], -2)
        self.values = v if self.values is None else torch.cat([self.values, v], -2)
        return self.module.attended(x, q, self.keys, self.values, self.places()).squeeze(-2)

    def places(self) -> Tensor:
        return torch.arange(self.keys.shape[-2])


class ByOnes(Sloped):
    def places(self) -> Tensor:
        return torch.ones(self.keys.shape[-2], dtype=torch.int64).cumsum(0) - 1


@pytest.mark.parametrize("stream", [Sloped, ByOnes])
def test_biases_that_grow_with_the_distance_are_positions(stream: type[Cached]) -> None:
    found = growth(stream, Biased())
    assert not found.fails
    assert found.need > FEATURES + HEADS


class Saturates(Sloped):
    def places(self) -> Tensor:
        return super().places().clamp(max=LATE)


class Short(Sloped):
    """Positions in a format that begins anew."""

    def places(self) -> Tensor:
        return super().places().to(torch.int16)


class Chosen(Sloped):
    def places(self) -> Tensor:
        places = super().places()
        return torch.where(places < LATE, places, 0)


@pytest.mark.parametrize(
    ("stream", "why"),
    [(Saturates, "of a position"), (Short, "begins anew"), (Chosen, "compared with what they have not passed")],
)
def test_biases_that_end_somewhere_are_none(stream: type[Cached], why: str) -> None:
    assert why in growth(stream, Biased()).fails


# -- windows that hold positions ------------------------------------------------------------------------------------------


class Sliding(Cached):
    """The last keys, turned by how many frames there were before."""

    width = WIDTH

    def step(self, frame: Tensor) -> Tensor:
        x = frame.unsqueeze(-2)
        q, k, v = self.module.parts(x, self.position())
        self.keys = k if self.keys is None else torch.cat([self.keys, k], -2)[:, :, -self.width :]
        self.values = v if self.values is None else torch.cat([self.values, v], -2)[:, :, -self.width :]
        self.count += 1
        return self.module.out(x, torch.softmax(q @ self.keys.transpose(-1, -2), -1) @ self.values).squeeze(-2)


class WrapsLate(Sliding):
    def position(self) -> Tensor:
        return torch.tensor([self.count % LATE])


class SaturatesLate(Sliding):
    def position(self) -> Tensor:
        return torch.tensor([min(self.count, LATE)])


class ForgetsLate(Sliding):
    def position(self) -> Tensor:
        if self.count == LATE:
            self.keys = self.keys * 0
        return super().position()


class Drifts(Sliding):
    """Remembers an average, besides."""

    mean = torch.zeros(1, HEADS, 1, FEATURES // HEADS)

    def position(self) -> Tensor:
        if self.values is not None:
            self.mean = self.mean * 0.99 + self.values[:, :, -1:]
            self.values = torch.cat([self.values[:, :, :-1], self.values[:, :, -1:] + 0 * self.mean], -2)
        return super().position()


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (Sliding, ""),
        (WrapsLate, "takes a count modulo"),
        (SaturatesLate, "compares its frame number with"),
        (ForgetsLate, "compares its frame number with"),
        (Drifts, "is no window"),
    ],
)
def test_a_window_with_positions_is_followed(stream: type[Cached], why: str) -> None:
    fails = growth(stream, Near()).fails
    assert (why in fails) if why else not fails


class Delays(Cached):
    """Adds what was there 78 frames ago, by way of two windows: right until then."""

    first = second = torch.zeros(1, HEADS, 39, FEATURES // HEADS)

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        rows, late, later = v.shape[0], self.first[:, :, :1], self.second[:, :, :1]
        self.first = torch.cat([self.first[:, :, 1:].expand(rows, -1, -1, -1), v[:, :, -1:]], 2)
        self.second = torch.cat([self.second[:, :, 1:], late], 2).expand(rows, -1, -1, -1)
        return k, v + later * k[:, :, :1]


def test_windows_behind_windows_are_waited_for() -> None:
    assert growth(Delays, Decoder()).need > 2 * 39
