"""Code that nobody calls by its name runs all the same: who counts there is proved for no length that was not compared."""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
import tempfile
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.memory.running import Running
from tests.equivalence.delayed import Delayed, of_two_frames, report_of

Tensor = torch.Tensor
LATE = 1500
COUNTED: list[int] = []


def late() -> bool:
    COUNTED.append(0)
    return len(COUNTED) > LATE


class Counts(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        self.flag = False
        self.ask()
        return 2 * out if self.flag else out

    def ask(self) -> None: ...


class Setter(Counts):
    """A property that is set, and never read by its name."""

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        self.seen = out
        return self.held

    def _set(self, out: Tensor) -> None:
        self.held = 2 * out if late() else out

    seen = property(None, _set)


class Dropped:
    def __init__(self, holder: Counts) -> None:
        self.holder = holder

    def __del__(self) -> None:
        self.holder.flag = late()


class WhenItGoes(Counts):
    def ask(self) -> None:
        Dropped(self)


class Copied:
    def __init__(self, holder: list[bool]) -> None:
        self.holder = holder

    def __deepcopy__(self, memo: Any) -> Copied:
        self.holder[:] = [late()]
        return self


class WhenItIsCopied(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.answer: list[bool] = [False]
        self.copied = Copied(self.answer)

    def ask(self) -> None:
        copy.deepcopy(self.copied)
        self.flag = self.answer[0]


class Written:
    def __init__(self) -> None:
        self.flag = False

    def write(self, text: str) -> None:
        self.flag = late()


class WhenItIsWrittenTo(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.file = Written()

    def ask(self) -> None:
        print(file=self.file)  # type: ignore[call-overload]
        self.flag = self.file.flag


class Joined(Counts):
    """By a name that is put together."""

    def ask(self) -> None:
        self.flag = getattr(self, "_".join(["is", "it"]))()

    def is_it(self) -> bool:
        return late()


class Cached(Counts):
    """How often a cache was used is a number of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = functools.lru_cache(len)

    def ask(self) -> None:
        self.kept(())
        self.flag = getattr(self.kept, "_".join(["cache", "info"]))().hits > LATE


WRONG = [Setter, WhenItGoes, WhenItIsCopied, WhenItIsWrittenTo, Joined, Cached]


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_what_runs_unread_ends_the_proof(stream: type[Counts]) -> None:
    COUNTED.clear()
    report = report_of(stream)
    assert report.verdict == "proved"
    assert isinstance(report.horizon, int)


@dataclasses.dataclass(frozen=True)
class State:
    before: Tensor
    kind: Callable[[int], int] = abs


class Replaced(Delayed):
    """A frozen state that is made anew: code that runs by another name, and is read."""

    def __init__(self) -> None:
        self.state = State(torch.zeros(()))

    def step(self, x: Tensor) -> Tensor:
        out, self.state = x + self.state.before, dataclasses.replace(self.state, before=x.clone())
        return out if re.search("a", "A", re.IGNORECASE) else 2 * out


def test_what_runs_and_is_read_is_fine() -> None:
    assert report_of(Replaced).horizon == "all"


class Standardized(nn.Conv1d):
    """What a library calls by a name of its own."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(x, self.given(weight), bias)

    def given(self, weight: Tensor) -> Tensor:
        return weight - weight.mean()


class StandardizedUntil(Standardized):
    def given(self, weight: Tensor) -> Tensor:
        return weight * 2 if late() else super().given(weight)


@pytest.mark.parametrize(("kind", "every"), [(Standardized, True), (StandardizedUntil, False)])
def test_methods_that_a_library_calls(kind: type[nn.Conv1d], every: bool) -> None:
    COUNTED.clear()
    right, conv = Standardized(2, 2, 2), kind(2, 2, 2)
    conv.load_state_dict(right.state_dict())
    report = verify(of_two_frames(conv, torch.randn(1, 2, 10), right), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert (report.horizon == "all") is every


def test_what_ran_is_told_by_its_code() -> None:
    running = Running()
    with running.watched():
        late()
    assert running.codes == {late.__code__}
    assert running.unread(set()).startswith("late runs")
    assert not running.unread({late.__code__})
    assert not running.hidden


class Gone:
    pass


OF_A_LIBRARY = types.FunctionType((lambda ref: None).__code__, vars(tempfile))


def keeps_for_a_while() -> None:
    """A library's function is called in its midst: dictionaries with weak keys want to know what is gone."""
    held = Gone()
    WATCHING[:] = [weakref.ref(held, OF_A_LIBRARY)]
    del held


WATCHING = list[weakref.ref[Gone]]()


def test_a_library_is_told_that_something_is_gone() -> None:
    running = Running()
    with running.watched():
        keeps_for_a_while()
    assert not running.hidden
    with running.watched():
        OF_A_LIBRARY(None)
    assert "tempfile" in running.hidden
