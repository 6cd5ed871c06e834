"""Counters that hide, each making a stream wrong after 5000 frames: no proof for every length. And what is understood."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.walk import cells
from coequal.subjects.subject import Subject
from tests.generated.mutants import COUNTERS

Tensor = torch.Tensor
EXAMPLE = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(5))


def pairs(clip: Tensor) -> Tensor:
    return clip + nn.functional.pad(clip, (1, 0))[..., :-1]


class Wrong:
    """Right for 5000 frames, counted by whatever `count` is."""

    def __init__(self, count: Any) -> None:
        self.past: Any = torch.zeros(())
        self.count = count

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x.clone()
        return y * 2 if self.count() > 5000 else y


def exactly(stream: Any, **options: Any) -> Any:
    subject = Subject(clip=pairs, stream=stream, example=EXAMPLE, **options)
    return verify(subject, checks=["exact"], effort="quick")


@pytest.mark.parametrize("kind", COUNTERS)
def test_no_counter_hides(kind):
    report = exactly(lambda: Wrong(COUNTERS[kind]()))
    assert report.horizon != "all", report.proof


class Rolling:
    """A single mark that goes round a mask: its memory is freed with every frame, and made anew at the same address."""

    def __init__(self) -> None:
        self.mark = torch.zeros(5003, dtype=torch.bool)
        self.mark[0] = True

    def __call__(self) -> Any:
        self.mark = self.mark.roll(1)
        return torch.where(self.mark[5001], 5001, 0)


class Unversioned:
    """An integer that is changed through `.data`, which torch does not count as a write."""

    def __init__(self) -> None:
        self.n = torch.zeros((), dtype=torch.int64)

    def __call__(self) -> Any:
        self.n.data.add_(1)
        return self.n


class Fading(Unversioned):
    """The same in a number that is no data."""

    def __init__(self) -> None:
        self.n = torch.zeros(())


@functools.cache
def box(_: str) -> list[int]:
    return [0]


@functools.lru_cache
def small_box(_: str) -> list[int]:
    return [0]


@functools.lru_cache
def table(size: int) -> tuple[int, ...]:
    return tuple(range(size))


class Boxed:
    """Counts in a list that a function keeps for next time."""

    def __init__(self, boxes: Any) -> None:
        self.box = boxes

    def __call__(self) -> int:
        self.box("count")[0] += 1
        return self.box("count")[0]


class Hits(Unversioned):
    """Counts by asking how often a table was looked up."""

    def __call__(self) -> int:
        table(3)
        return table.cache_info().hits


@pytest.mark.parametrize("count", [lambda: Boxed(box), lambda: Boxed(small_box), Hits])
def test_no_cache_hides_a_counter(count):
    report = exactly(lambda: Wrong(count()))
    assert report.horizon != "all", report.proof


class Tabled(Wrong):
    """Looks up a table that a function keeps: the same every time."""

    def __init__(self) -> None:
        super().__init__(lambda: table(3)[0])


def test_a_table_that_a_function_keeps_is_no_counter():
    assert exactly(Tabled).horizon == "all"


@pytest.mark.parametrize("count", [Rolling, Unversioned, Fading])
def test_no_write_is_taken_for_none(count):
    report = exactly(lambda: Wrong(count()))
    assert report.horizon != "all", report.proof


class Right:
    def __init__(self) -> None:
        self.past: Any = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x.clone()
        return y


class Counted(Right):
    """Counts, and uses the count modulo four."""

    def __init__(self) -> None:
        super().__init__()
        self.n, self.parts = 0, [torch.zeros(())] * 4

    def step(self, x: Tensor) -> Tensor:
        self.parts[self.n % 4] = x.clone()
        self.n += 1
        return super().step(x)


@dataclass
class Recorded:
    past: Any = field(default_factory=lambda: torch.zeros(()))

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x.clone()
        return y


class Queued:
    def __init__(self) -> None:
        self.past = deque([torch.zeros(())], maxlen=1)

    def step(self, x: Tensor) -> Tensor:
        y = x + self.past[0]
        self.past.append(x.clone())
        return y


def stepped(memory: dict[str, Any], x: Tensor) -> Tensor:
    y, memory["past"] = x + memory["past"], x.clone()
    return y


class Partial:
    def __init__(self) -> None:
        self.step = functools.partial(stepped, {"past": torch.zeros(())})


@pytest.mark.parametrize("stream", [Right, Counted, Recorded, Queued, Partial])
def test_what_is_understood_is_proved_for_every_length(stream):
    assert exactly(stream).horizon == "all"


class Iterating(Right):
    """Holds an iterator that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = itertools.count()


def test_what_is_not_understood_is_named():
    report = exactly(Iterating)
    assert report.verdict == "proved"
    assert report.horizon != "all"
    assert "stream.ticks is a count" in report.proof["state"]


def test_a_declared_memory_is_assumed_by_name():
    report = exactly(Iterating, memory=past_alone)
    assert report.horizon == "all"
    assert any("past_alone" in assumption for assumption in report.proof["assumptions"])


def past_alone(stream: Iterating) -> list[Any]:
    return [stream.past]


def test_a_memory_that_does_not_respond_is_hidden():
    """The declared memory leaves out what the stream needs."""
    assert exactly(Right, memory=lambda stream: []).horizon != "all"


def test_globals_that_a_step_reads_are_in_the_scope():
    assert "OFFSETS" in exactly(Reading).scope["globals"]


OFFSETS = {"zero": 0.0}


class Reading(Right):
    def step(self, x: Tensor) -> Tensor:
        return super().step(x) + OFFSETS["zero"]


@pytest.mark.parametrize(
    "held",
    [iter([1]), (i for i in ()), memoryview(b"x"), bytearray(), open, torch.initial_seed, torch.Generator()],
    ids=lambda held: type(held).__name__,
)
def test_what_cannot_be_seen_is_unobservable(held):
    stream = Right()
    stream.held = held
    with pytest.raises(Unobservable, match=r"stream\.held"):
        cells(stream)


@pytest.mark.parametrize(
    "held", [len, torch.relu, nn.functional.relu, torch.Tensor.relu], ids=lambda held: held.__qualname__
)
def test_a_function_of_a_library_holds_nothing(held):
    stream = Right()
    stream.held = held
    assert cells(stream)


class ZeroGate(nn.Module):
    """A branch over eight frames that is off as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.out = nn.Conv1d(2, 2, 2, dilation=8, bias=False), nn.Conv1d(2, 2, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.mix(nn.functional.pad(x, (8, 0))))


def test_a_branch_that_is_zero_hides_no_receptive_field():
    block = ZeroGate()

    class NewestTapAlone:
        def step(self, x: Tensor) -> Tensor:
            return x + (x @ block.mix.weight[..., 1].T) @ block.out.weight[..., 0].T

    subject = Subject(clip=block, stream=NewestTapAlone, example=EXAMPLE, modules=block)
    assert verify(subject, effort="quick").verdict == "different"
