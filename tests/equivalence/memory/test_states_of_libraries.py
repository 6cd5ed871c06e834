"""States as Python and its libraries make them: named tuples, frozen dataclasses, counts in tuples, arrays of NumPy, norms
of weights. And their twins that count there, and are wrong far away.
"""

from __future__ import annotations

import copy
import functools
import warnings
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.labels import FROZEN, runs_as
from coequal.equivalence.memory.walk import cells
from tests.equivalence.delayed import Delayed, delayed, of_two_frames, report_of

Tensor = torch.Tensor
LATE = 2000


class Named(NamedTuple):
    """The last frame, and how many came."""

    last: Tensor
    count: int


@dataclass(frozen=True)
class Frozen:
    """The same."""

    last: Tensor
    count: int


@dataclass
class Loose:
    """The same, and may be changed."""

    last: Tensor
    count: int


def clip(x: Tensor) -> Tensor:
    return x + nn.functional.pad(x, (1, 0))[..., :-1]


class InATuple:
    """Each frame and the one before."""

    late = False

    def __init__(self) -> None:
        self.state = (torch.zeros(()), 0)

    def step(self, x: Tensor) -> Tensor:
        last, count = self.state
        self.state = (x.clone(), count + 1)
        return x + (last * 2 if self.late and count == LATE else last)


class InANamedTuple(InATuple):
    def __init__(self) -> None:
        self.state = Named(torch.zeros(()), 0)

    def step(self, x: Tensor) -> Tensor:
        state = self.state
        self.state = state._replace(last=x.clone(), count=state.count + 1)
        return x + (state.last * 2 if self.late and state.count == LATE else state.last)


class InADataclass(InATuple):
    kind: type = Frozen

    def __init__(self) -> None:
        self.state = self.kind(torch.zeros(()), 0)

    def step(self, x: Tensor) -> Tensor:
        state = self.state
        self.state = replace(state, last=x.clone(), count=state.count + 1)
        return x + (state.last * 2 if self.late and state.count == LATE else state.last)


class Changed(InADataclass):
    kind = Loose


class InABuffer(nn.Module):
    """The count is a buffer, which a module is asked about when it is assigned."""

    late = False

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.tensor(0), persistent=False)
        self.last = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        y = x + (self.last * 2 if self.late and self.count == LATE else self.last)
        self.count += 1
        self.last = x.clone()
        return y


TAPS = np.array([1.0, 1.0])


class Weighted(InATuple):
    """Weights in an array of NumPy."""

    def __init__(self) -> None:
        self.last, self.counts = torch.zeros(()), np.zeros(1)

    def step(self, x: Tensor) -> Tensor:
        y = float(TAPS[0]) * x + float(TAPS[1]) * self.last
        self.last = x.clone()
        if self.late:
            self.counts[0] += 1
            return y * 2 if self.counts[0] == LATE else y
        return y


COUNTS = {kind.__name__: kind for kind in (InATuple, InANamedTuple, InADataclass, Changed, InABuffer, Weighted)}


def horizon(stream: Any) -> int | str:
    report = verify(Subject(clip=clip, stream=stream, example=torch.randn(1, 1, 6)), checks=["exact"], effort="quick")
    assert report.verdict == "proved", report
    return report.horizon


@pytest.mark.parametrize("name", COUNTS)
def test_right_ones_are_followed(name: str) -> None:
    assert horizon(COUNTS[name]) == "all"


@pytest.mark.parametrize("name", COUNTS)
def test_those_that_count_and_are_wrong_far_away_are_not(name: str) -> None:
    assert horizon(type("Late", (COUNTS[name],), {"late": True})) != "all"


def test_a_tuple_in_two_places_is_not_watched_in_one() -> None:
    class Twice(InATuple):
        def step(self, x: Tensor) -> Tensor:
            last, count = self.state
            self.state = self.other = (x.clone(), count + 1)
            return x + (last * 2 if self.other[1] == LATE else last)

    assert horizon(Twice) != "all"


def test_what_is_put_into_a_tuple_comes_in_another_one() -> None:
    class Holder:
        def __init__(self) -> None:
            self.pair, self.named = (1, (2, 3)), Named(torch.zeros(1), 4)

    holder = Holder()
    for cell in cells(holder):
        if type(cell.content) is int:
            assert cell.put is not None
            cell.put(cell.content + 10)
    assert holder.pair == (11, (12, 13))
    assert (type(holder.named), holder.named.count) == (Named, 14)


def test_builtins_of_a_named_tuple_that_count_are_seen() -> None:
    class Fresh(NamedTuple):
        last: Tensor

    class Stream(InATuple):
        def __init__(self) -> None:
            self.state = Fresh(torch.zeros(()))
            Fresh.__new__.__builtins__["n"] = 0

        def step(self, x: Tensor) -> Tensor:
            kept = Fresh.__new__.__builtins__
            kept["n"] += 1
            y = x + (self.state.last * 2 if kept["n"] == LATE else self.state.last)
            self.state = Fresh(x.clone())
            return y

    assert horizon(Stream) != "all"


def test_a_setattr_that_only_looks_frozen_is_read() -> None:
    @dataclass
    class Loud:
        last: Any

        def __setattr__(self, name: str, value: Any) -> None:
            if type(self) is Loud:
                raise AttributeError(name)

    class Holder:
        def __init__(self) -> None:
            self.kind = Loud

    with pytest.raises(Unobservable, match="identities"):
        cells(Holder())


def test_a_part_of_an_array_shows_all_of_it() -> None:
    class Stream(Weighted):
        def __init__(self) -> None:
            super().__init__()
            self.part = np.zeros(9)[:1]

        def step(self, x: Tensor) -> Tensor:
            self.part.base[5] += 1
            y = super().step(x)
            return y * 2 if self.part.base[5] == LATE else y

    assert horizon(Stream) != "all"


def test_a_frozen_dataclass_in_a_module_with_a_type_of_its_own_is_read() -> None:
    def kind_of(thing: Any) -> type:
        return type(thing)

    function = vars(Frozen)["__setattr__"]
    names = vars(Frozen)["__setattr__"].__globals__
    forged = FunctionType(function.__code__, {**names, "type": kind_of}, "__setattr__", None, function.__closure__)
    assert runs_as(function, FROZEN["__setattr__"])
    assert not runs_as(forged, FROZEN["__setattr__"])
    assert not runs_as(lambda self, name, value: None, FROZEN["__setattr__"])


def test_the_norm_of_a_weight_that_hangs_on_a_module_is_followed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convolution = nn.utils.weight_norm(nn.Conv1d(1, 1, 2))
    report = verify(of_two_frames(convolution, torch.randn(1, 1, 6)), checks=["exact"], effort="quick")
    assert report.horizon == "all", report.proof


def test_hooks_are_told_by_their_order_as_torch_numbers_them_anew_for_each_stream() -> None:
    convolution = nn.Conv1d(1, 1, 2)

    class Stream:
        def __init__(self) -> None:
            self.network = copy.deepcopy(convolution)
            self.network.register_forward_pre_hook(self.with_the_past)
            self.past = torch.zeros(())

        def with_the_past(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            past, self.past = self.past.to(given[0].dtype).expand(given[0].shape), given[0].clone()
            return (torch.cat([past, given[0]], -1),)

        def step(self, x: Tensor) -> Tensor:
            return self.network(x[..., None])[..., 0]

    padded = nn.functional.pad
    subject = Subject(
        clip=lambda x: convolution(padded(x, (1, 0))), stream=Stream, example=torch.randn(1, 1, 6), modules=convolution
    )
    report = verify(subject, checks=["exact"], effort="quick")
    assert report.horizon == "all", report.proof


@functools.lru_cache
def table(size: int) -> Tensor:
    return torch.hann_window(size, dtype=torch.float64)


def test_a_cache_of_tables_that_streams_before_filled_is_no_memory_of_frames() -> None:
    class Windowed(Delayed):
        def then(self, out: Tensor, x: Tensor) -> Tensor:
            return out * table(8)[3].to(x.dtype)

    report = report_of(Windowed, lambda x: delayed(x) * table(8)[3].to(x.dtype))
    assert report.horizon == "all", report.proof
