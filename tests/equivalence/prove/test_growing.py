"""Every length of streams whose caches grow: what is proved, and which wrong ones end the proof, and why.

The wrong streams go wrong after so many frames that no run gets there: only what their steps do tells.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention as attend

from coequal import Subject, verify
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.memory.sizes import watched_size
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.growing import Growth, growth_of
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor
FEATURES, HEADS = 4, 2
LATE = 70_000


class Decoder(nn.Module):
    """Causal attention of two heads, and a layer on top; positions are turned if `rotary`."""

    def __init__(self, *, rotary: bool = False) -> None:
        super().__init__()
        self.inner, self.top, self.rotary = nn.Linear(FEATURES, 3 * FEATURES), nn.Linear(FEATURES, FEATURES), rotary

    def parts(self, x: Tensor, positions: Tensor) -> list[Tensor]:
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(-2, -3) for part in self.inner(x).chunk(3, -1))
        return [turned(q, positions), turned(k, positions), v] if self.rotary else [q, k, v]

    def out(self, x: Tensor, attended: Tensor) -> Tensor:
        return x + torch.tanh(self.top(attended.transpose(-2, -3).flatten(-2)))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.parts(x, torch.arange(x.shape[-2]))
        return self.out(x, attend(q, k, v, is_causal=True))


def turned(x: Tensor, positions: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    angle = positions[:, None] * torch.tensor([0.5])
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


class Cached:
    """A frame at a time, with all earlier keys and values."""

    def __init__(self, module: Decoder) -> None:
        self.module, self.keys, self.values, self.count = module, None, None, 0

    def step(self, frame: Tensor) -> Tensor:
        x = frame.unsqueeze(-2)
        q, k, v = self.module.parts(x, self.position())
        self.keys = k if self.keys is None else torch.cat([self.keys, k], -2)
        self.values = v if self.values is None else torch.cat([self.values, v], -2)
        self.count += 1
        keys, values = self.seen(self.keys, self.values)
        return self.module.out(x, attend(q, keys, values)).squeeze(-2)

    def position(self) -> Tensor:
        return torch.arange(1) + self.count

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, v


def subject(stream: type[Cached], *, rotary: bool = False) -> Subject:
    torch.manual_seed(0)
    module = Decoder(rotary=rotary).eval()
    example = torch.randn(1, 5, FEATURES)
    return Subject(clip=module, stream=lambda: stream(module), example=example, time=1, modules=module)


def growth(stream: type[Cached], *, rotary: bool = False) -> Growth:
    session = Session(subject(stream, rotary=rotary), 0, Floats())
    with session.ready():
        return growth_of(session, Budget())


# -- right ones -------------------------------------------------------------------------------------------------------


class Masked(Cached):
    """A mask that hides nothing: no key comes after the query."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.arange(k.shape[-2])
        return k, torch.where((place <= k.shape[-2] - 1)[:, None], v, 0.0)


class Measured(Cached):
    """Positions from the size of the cache; a size is asked in the usual ways."""

    def position(self) -> Tensor:
        return torch.tensor([0 if self.keys is None else self.keys.size(-2)])

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        rows, heads, length, features = k.shape
        if length == 1:
            return k, v
        return k.reshape(rows, heads, length, features), v[:, :, :length].expand(rows, heads, length, features)


def test_a_cache_that_grows_is_proved_for_every_length() -> None:
    report = verify(subject(Cached), effort="quick", checks="exact")
    assert (report.verdict, report.horizon) == ("proved", "all")
    assert any("sums over them" in text for text in report.proof["assumptions"])
    assert {*range(1, 8 + FEATURES + HEADS)} <= {*report.proof["lengths"]}


@pytest.mark.parametrize("stream", [Cached, Masked, Measured])
def test_steps_are_one_program(stream: type[Cached]) -> None:
    found = growth(stream, rotary=True)
    assert not found.fails
    assert found.lists == ["stream.keys", "stream.values"]
    assert found.counts == {"stream.count": 1}
    assert found.need >= FEATURES + HEADS


# -- wrong ones: each looks right for a long time ---------------------------------------------------------------------


class Window(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k[:, :, -LATE:], v[:, :, -LATE:]


class First(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k[:, :, :LATE], v[:, :, :LATE]


class AsksSize(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (k, v) if k.shape[-2] < LATE else (k, -v)


class AsksLength(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (k, v) if len(k[0, 0]) < LATE else (k, -v)


class AsksText(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (k, v) if len(str(k.shape[-2])) < 5 else (k, -v)


class AsksKey(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        try:
            return k, v * {LATE: -1.0}.get(k.shape[-2], 1.0)
        except TypeError:
            return k, v


class AsksNumber(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (k, v) if k.numel() < LATE else (k, -v)


class MasksLate(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        length = k.shape[-2]
        return k, torch.where((length - 1 - torch.arange(length) < LATE)[:, None], v, 0.0)


class MasksHalf(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        length = k.shape[-2]
        return k, torch.where((2 * torch.arange(length) - length < LATE)[:, None], v, 0.0)


class Wraps(Cached):
    def position(self) -> Tensor:
        return torch.tensor([self.count]).to(torch.int16).to(torch.int64)


class Clamps(Cached):
    def position(self) -> Tensor:
        return torch.tensor([self.count]).clamp(max=LATE)


class Remainder(Cached):
    def position(self) -> Tensor:
        return torch.tensor([self.count % LATE])


class Table(Cached):
    places = torch.cat([torch.arange(LATE), torch.zeros(LATE, dtype=torch.int64)])

    def position(self) -> Tensor:
        return self.places[self.count : self.count + 1]


class Barely(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, v * torch.cos(torch.tensor(k.shape[-2]) * 1e-9)


class CountsOnes(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        count = torch.softmax(k, -1).sum((-1, -2), keepdim=True)
        return k, v * (1 + torch.relu(count - LATE))


class CountsZeros(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        count = (k * 0 + 1)[..., 0].sum(-1)[..., None, None]
        return k, v + torch.prod(count - torch.arange(1, 200), -1, keepdim=True)


class Vanishes(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, v + torch.prod(v[:, :, :1, :1] * (torch.arange(1, 200) - k.shape[-2]), -1, keepdim=True)


class Rank(Cached):
    """A determinant that is zero as long as there are fewer terms than features."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        more = torch.cat([torch.sin(i * k) for i in range(1, 60)], -1)
        return k, v + torch.linalg.det(more.transpose(-1, -2) @ more)[..., None, None]


class CountsInParts(Cached):
    """Two sums that make up a number of terms, times data."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:, :1]
        counted = data * k[..., :1].sum(-2, keepdim=True) + data * (1 - k[..., :1]).sum(-2, keepdim=True)
        return k, v + torch.prod(counted - data * torch.arange(1, 200), -1, keepdim=True)


class KnowsSigns(Cached):
    """Exact arithmetic knows that a square times a positive number is not negative, and so its magnitude."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:].square() * (LATE - torch.tensor(self.count))
        return k, v + (data.abs() - data)


class KnowsTurns(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:].square() * torch.cos(torch.tensor(self.count) * 1e-3)
        return k, v + (data.abs() - data)


class KnowsRoots(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:] * (3 - torch.tensor(self.count) / 1024)
        return k, v + ((data**4) ** 0.25 - v[:, :, -1:].abs() * (3 - torch.tensor(self.count) / 1024))


class Rounds(Cached):
    def position(self) -> Tensor:
        return (torch.zeros(1) * self.module.top.bias[0] + self.count).bfloat16().to(torch.float32)


class Unmasks(Cached):
    """One more key, hidden by a mask that goes away."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(
            torch.cat([k[..., :1] * 0, k[:, :, -1:, :1] + (torch.tensor([self.count]) * 10 - 1e6)], -2), -2
        )
        return k, v * (1 - weights[:, :, -1:])


class Multiplies(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:, :1]
        for number in range(1, 200):
            data = data * self.count - data * number
        return k, v + data


class MultipliesLater(Cached):
    """Positions come into data by way of the memory."""

    before: tuple[Tensor, Tensor] | None = None

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        data = v[:, :, -1:, :1]
        counted, product = self.before or (data * 0, data)
        one = product
        for number in range(200):
            product = product * counted - product * one * number
        self.before = data * torch.tensor(self.count), data
        return k, v + product


class AsksOfRows(Cached):
    """Inside of a map over rows, where the tensors of the program are hidden in others."""

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, torch.func.vmap(lambda rows: rows if rows.shape[-2] < LATE else -rows)(v)


class AsksInFunction(Cached):
    class Asking(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, v: Tensor) -> Tensor:
            return v.clone() if v.shape[-2] < LATE else -v

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return gradient

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return k, self.Asking.apply(v)


class AsksByError(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        try:
            return k, v + k[:, :, LATE].sum()
        except IndexError:
            return k, v


class Fades(Cached):
    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.values = v * 0.5
        return k, v


class Sums(Cached):
    """Remembers, besides, a sum of all frames: no window."""

    total: Any = 0.0

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.total = self.total + v[:, :, -1:] * 0.5
        return k, v + 0 * self.total


class SumsTwice(Sums):
    """The sum is in two places, which are one tensor."""

    last: Any = 0.0

    def seen(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        k, v = super().seen(k, v)
        self.last = self.total
        return k, v


WRONG = {
    Window: "a place in a cache, -70000",
    First: "a slice to 70000",
    AsksSize: "compares its frame number with 70000",
    AsksLength: "as __len__",
    AsksText: "as a text",
    AsksKey: "as a key",
    AsksNumber: "compares its frame number with",
    MasksLate: "positions are compared with what they have not passed",
    MasksHalf: "positions are compared with what they have not passed",
    Wraps: "a format that begins anew",
    Clamps: "aten.clamp: of a position",
    Remainder: "takes a count modulo 70000",
    Table: "a place in a table",
    Barely: "hardly moves",
    CountsOnes: "a number that frames do not change",
    CountsZeros: "a number that frames do not change",
    Vanishes: "lengths more would have to be compared",
    Rank: "what it makes of a position in data",
    KnowsSigns: "a position so large",
    KnowsTurns: "whose signs it may know",
    KnowsRoots: "whose signs it may know",
    Rounds: "rounds",
    Unmasks: "a position so large",
    Multiplies: "lengths more would have to be compared",
    MultipliesLater: "lengths more would have to be compared",
    CountsInParts: "lengths more would have to be compared",
    AsksOfRows: "as __get__",
    AsksInFunction: "compares its frame number with 70000",
    AsksByError: "an error of __getitem__",
    Fades: "what it held changes",
    Sums: "is no window",
    SumsTwice: "is no window",
}


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_what_may_go_wrong_later_ends_the_proof(stream: type[Cached]) -> None:
    assert WRONG[stream] in growth(stream, rotary=True).fails


def test_a_stream_that_cuts_its_cache_late_is_proved_for_few_lengths() -> None:
    report = verify(subject(AsksSize), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert isinstance(report.horizon, int)
    assert report.horizon < 100


def test_where_streams_end_all_their_lengths_are_proved() -> None:
    ends = dataclasses.replace(subject(Cached), longest=500)
    report = verify(ends, effort="quick", checks="exact")
    assert (report.verdict, report.horizon) == ("proved", 500)


# -- sizes that are watched -------------------------------------------------------------------------------------------


def test_watched_sizes_are_numbers_that_tell() -> None:
    uses = Uses()
    size = watched_size(9, uses, 1)
    assert int((size + 3 - 2).node.value) == 10  # type: ignore[attr-defined]
    assert size > 4
    assert not uses.escapes
    assert uses.passed == {4}
    assert not size > 100
    assert uses.ahead == {100}
    escapes = [lambda: hash(size), lambda: f"{size}", lambda: float(size), lambda: list(range(size)), lambda: [0] * size]
    for number, escape in enumerate(escapes):
        uses.escapes.clear()
        escape()
        assert uses.escapes, number
