"""Two memories that a program can tell apart are two, whatever they hold; what cannot be told is refused."""

from __future__ import annotations

import abc
import contextlib
import enum
import functools
import logging
import math
import pathlib
import types
import typing
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.walk import memory_of
from coequal.equivalence.prove.remembered import _exactly
from tests.equivalence.delayed import Delayed, report_of

Tensor = torch.Tensor


class Holds:
    def __init__(self, held: Any) -> None:
        self.held = held

    def step(self, x: Tensor) -> Tensor:
        return x


def told(held: Any) -> Any:
    """What is seen of a memory; how tensors share memory is told elsewhere."""
    try:
        places = memory_of(Holds(held)).places
    except Unobservable as error:
        return str(error)
    return [(cell.path, "a tensor" if isinstance(cell.content, Tensor) else _exactly(cell.content)) for cell in places]


class Named(enum.Enum):
    PLAIN = 1
    LIST: typing.ClassVar = [0]


class Pair(NamedTuple):
    a: int


def hung(thing: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(thing, name, value)
    return thing


def function(**attributes: Any) -> Any:
    def f(x: int) -> None:
        pass

    return hung(f, **attributes)


def filed(name: str) -> Any:
    f = function()
    f.__code__ = f.__code__.replace(co_filename=name)
    return f


def noted(*notes: int) -> Any:
    f = function()
    f.__annotations__["x"] = list(notes)
    return f


def cached(**attributes: Any) -> Any:
    return hung(functools.lru_cache(len), **attributes)


def module(**attributes: Any) -> nn.Module:
    return hung(nn.Identity(), **attributes)


def with_buffers(kind: type) -> nn.Module:
    made = nn.Identity()
    made.__dict__["_buffers"] = kind()
    return made


def wide() -> set[int]:
    """A set that has had more room."""
    made = set(range(60))
    for member in range(60):
        made.discard(member)
    return made


def array_and_view(begin: int) -> list[Any]:
    whole = np.zeros(4)
    return [whole, whole[begin : begin + 1]]


def abstract(*registered: type) -> type:
    class Abstract(abc.ABC):  # noqa: B024
        pass

    for kind in registered:
        Abstract.register(kind)
    return Abstract


def referred(note: str) -> list[Any]:
    thing = Holds(None)
    return [thing, weakref.ref(thing, function(note=note))]


def forged(note: str) -> Any:
    return type("Forged", (), {"__module__": "torch", "box": types.SimpleNamespace(note=note)})()


class Slotted:
    __slots__ = ("slot",)
    note = ""


def on_storage(**attributes: Any) -> Tensor:
    tensor = torch.zeros(1)
    hung(tensor.untyped_storage(), **attributes)
    return tensor


def twice(thing: Any) -> list[Any]:
    return [thing, thing]


A, B = namedtuple("P", "a"), namedtuple("P", "b")  # type: ignore[name-match]
NANS = np.frombuffer(np.array([0x7FF8000000000000, 0xFFF8000000000000], dtype="u8").tobytes())
PAIRS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "mappings": (dict, OrderedDict),
    "mappings that make": (dict, defaultdict),
    "mappings that are shown": (dict, lambda: types.MappingProxyType({})),
    "an empty list": (list, dict),
    "an empty tuple": (tuple, deque),
    "sets": (set, frozenset),
    "nothing": (lambda: Holds(0), lambda: hung(Holds(0), more=[])),
    "names of fields": (lambda: A(1), lambda: B(1)),
    "the order of a set": (lambda: {0, 8}, lambda: {8, 0}),
    "signs of keys": (lambda: {float(NANS[0]): 1}, lambda: {float(NANS[1]): 1}),
    "keys that hold": (lambda: {(function(note=""),): 1}, lambda: {(function(note="a"),): 1}),
    "keys that are functions": (lambda: {function(note=""): 1}, lambda: {function(note="a"): 1}),
    "slices": (lambda: slice(Holds("")), lambda: slice(Holds("a"))),
    "aliases": (lambda: list[Holds("")], lambda: list[Holds("a")]),  # type: ignore[misc]
    "formats": (lambda: np.zeros(1, "l"), lambda: np.zeros(1, "q")),
    "formats alone": (lambda: np.dtype("l"), lambda: np.dtype("q")),
    "one array": (lambda: twice(np.zeros(1)), lambda: [np.zeros(1), np.zeros(1)]),
    "where a view begins": (lambda: array_and_view(1), lambda: array_and_view(2)),
    "one tensor": (lambda: twice(torch.zeros(1)), lambda: [torch.zeros(1), torch.zeros(1)]),
    "names of code": (lambda: filed("a"), lambda: filed("aa")),
    "annotations": (lambda: noted(0), lambda: noted(0, 0)),
    "what hangs on a cache": (lambda: cached(note=""), lambda: cached(note="a")),
    "hooks": (module, lambda: module(_forward_hooks={})),
    "buffers": (module, lambda: with_buffers(OrderedDict)),
    "subclasses": (abstract, lambda: abstract(Holds)),
    "callbacks": (lambda: referred(""), lambda: referred("a")),
    "which of two that are no numbers": (lambda: twice(math.nan), lambda: [math.nan, float("nan")]),
    "what hangs on a storage": (lambda: on_storage(drawn=0), lambda: on_storage(drawn=1)),
    "the value of a member": (lambda: Holds(1), lambda: Holds(Named.PLAIN)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_they_are_two(name: str) -> None:
    one, other = PAIRS[name]
    assert told(one()) == told(one())
    assert told(one()) != told(other())


CLASSES: dict[str, tuple[Callable[[], Any], type]] = {
    "a member's": (lambda: Named.PLAIN, Named),
    "a named tuple's": (lambda: Pair(1), Pair),
    "a path's": (lambda: pathlib.PurePosixPath("a"), pathlib.PurePosixPath),
    "a descriptor's": (lambda: vars(Slotted)["slot"], Slotted),
}


@pytest.mark.parametrize("name", CLASSES)
def test_what_hangs_on_a_class_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, kind = CLASSES[name]
    before = told(thing := make())
    monkeypatch.setattr(kind, "note", "a", raising=False)
    assert told(thing) != before


def shared() -> list[Any]:
    array = np.zeros(2)
    return [array, torch.from_numpy(array)]


def overlapping() -> list[Any]:
    array = np.zeros(3)
    return [torch.from_numpy(array), torch.from_numpy(array[1:])]


def test_a_class_that_says_it_is_torchs_is_refused() -> None:
    assert "what it remembers cannot be seen" in told(forged(""))


@pytest.mark.parametrize("make", [shared, overlapping])
def test_memory_that_is_shared_otherwise_is_told(make: Callable[[], Any]) -> None:
    assert any(path.endswith("__memory__") for path, _ in told(make()))


class AsksLibraries(Holds):
    def names_a_level(self) -> Any:
        return logging.getLevelName(7)

    def loads(self) -> Any:
        return torch.serialization.get_safe_globals()

    def overloads(self) -> Any:
        return typing.get_overloads(function)

    def registers(self) -> Any:
        return torch.distributions.kl.register_kl(torch.distributions.Normal, torch.distributions.Normal)

    def is_called_for_errors(self) -> Any:
        return np.geterrcall()

    def tells_time(self) -> Any:
        return datetime.now()

    def counts_classes(self) -> Any:
        return abc.get_cache_token()

    def changes_folders(self) -> Any:
        return contextlib.chdir("a")

    def looks_into(self) -> Any:
        return typing.ClassVar._getitem  # type: ignore[attr-defined]

    def numbers_functions(self) -> Any:
        return type("F", (torch.autograd.Function,), {})._backward_cls._autograd_function_id

    def reads(self) -> Any:
        return pathlib.Path("a").read_text()


ASKING = [name for name in vars(AsksLibraries) if not name.startswith("_")]


@pytest.mark.parametrize("name", ASKING)
def test_what_libraries_remember_is_refused(name: str) -> None:
    assert isinstance(told(getattr(AsksLibraries, name)), str)


def test_a_set_that_lost_members_is_refused() -> None:
    assert "members have left" in told(wide())


class Reads(Delayed):
    """A file, which all streams share."""

    path = pathlib.Path(__file__)

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out if self.path.exists() else 2 * out


class Loses(Delayed):
    def __init__(self) -> None:
        super().__init__()
        self.held = set(range(3))

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        self.held.discard(1)
        return out


class Knows(Delayed):
    """A set of names that stays as it is, and a list that does not."""

    names: typing.ClassVar = {"a", "b"}
    path = pathlib.Path(__file__)

    def __init__(self) -> None:
        super().__init__()
        self.queue = [0]

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        self.queue.append(self.queue.pop())
        return out if "a" in self.names and self.path.name else 2 * out


@pytest.mark.parametrize(("stream", "every"), [(Knows, True), (Reads, False), (Loses, False)])
def test_sets_and_files(stream: type[Delayed], every: bool) -> None:
    assert (report_of(stream).horizon == "all") is every


class Counts(Delayed):
    """In parameters, which are not data."""

    def __init__(self) -> None:
        super().__init__()
        self.held = nn.ParameterList([nn.Parameter(torch.zeros(0, 1), requires_grad=False) for _ in range(2)])

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return out * 2 if self.late() else out

    def late(self) -> bool:
        return False


class Later(Counts):
    def late(self) -> bool:
        if not hasattr(self, "later"):
            self.later = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.later = nn.Parameter(self.later.data + 1, requires_grad=False)
        return float(self.later.data) > 1500


class Shaped(Counts):
    def late(self) -> bool:
        self.held[0].data = torch.zeros(0, self.held[0].shape[1] + 1)
        return self.held[0].shape[1] > 1500


class Lying(Counts):
    def late(self) -> bool:
        size = self.held[0].stride(0) + 1
        self.held[0].data = torch.empty_strided((0, 1), (size, 1))
        return size > 1500


class Shared(Counts):
    """Two parameters share their memory in every other frame."""

    def late(self) -> bool:
        one, other = self.held
        other.data = torch.zeros(1) if one.data_ptr == other.data_ptr else one.data
        return False


@pytest.mark.parametrize(
    ("stream", "every"), [(Counts, True), (Later, False), (Shaped, False), (Lying, False), (Shared, False)]
)
def test_parameters_stay_as_they_are(stream: type[Delayed], every: bool) -> None:
    report = report_of(stream)
    assert report.verdict == "proved"
    assert (report.horizon == "all") is every


def test_a_parameter_of_no_rows_is_drawn() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.empty, self.weight = nn.Parameter(torch.zeros(0, 4)), nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight[:, None]

    net = Net()

    class Weighted:
        def step(self, x: Tensor) -> Tensor:
            return x * net.weight

    subject = Subject(clip=net, stream=Weighted, example=torch.randn(1, 2, 10), time=2, modules=net)
    assert verify(subject, effort="quick", checks="exact").horizon == "all"
