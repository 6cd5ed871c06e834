"""Functions and classes that go by the names of a library's, and those that somebody put in their places: each counts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from coequal.equivalence.memory.known import is_librarys
from coequal.equivalence.memory.walk import memory_of
from tests.equivalence.delayed import Delayed, delayed, report_of

Tensor = torch.Tensor
LATE = 5000
COUNT = [0]


def clip(x: Tensor) -> Tensor:
    return torch.relu(delayed(x))


class Stream(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return self.bent(out)

    def bent(self, y: Tensor) -> Tensor:
        return torch.relu(y)


def late(y: Tensor) -> Tensor:
    COUNT[0] += 1
    return y * 0 if COUNT[0] > LATE else y.clamp_min(0)


@functools.wraps(F.relu)
def wrapped(y: Tensor) -> Tensor:
    return late(y)


class Wrapped(Stream):
    def bent(self, y: Tensor) -> Tensor:
        return wrapped(y)


class Forged(nn.Module):
    __module__ = "torch.nn.modules.activation"

    def forward(self, y: Tensor) -> Tensor:
        return late(y)


class OfAForgedClass(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.relu = Forged()

    def bent(self, y: Tensor) -> Tensor:
        return self.relu(y)


class ForgedProperty(nn.Module):
    __module__ = "torch.nn.modules.activation"
    late = property(lambda self: late)


class OfAForgedProperty(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.relu = ForgedProperty()

    def bent(self, y: Tensor) -> Tensor:
        return self.relu.late(y)


class OfALayer(Stream):
    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def bent(self, y: Tensor) -> Tensor:
        return self.relu(y)


class OfATensor(Stream):
    def bent(self, y: Tensor) -> Tensor:
        return y.relu()


class HungOn(Stream):
    def bent(self, y: Tensor) -> Tensor:
        return torch.bent_late(y)  # type: ignore[attr-defined]


def horizon(stream: type[Stream]) -> Any:
    COUNT[0] = 0
    report = report_of(stream, clip)
    assert report.verdict == "proved", report.notes
    return report.horizon


@pytest.mark.parametrize("stream", [Stream, OfALayer, OfATensor])
def test_what_is_the_librarys_is_known(stream: type[Stream]) -> None:
    assert horizon(stream) == "all"


@pytest.mark.parametrize("stream", [Wrapped, OfAForgedClass, OfAForgedProperty])
def test_a_name_of_a_library_hides_no_count(stream: type[Stream]) -> None:
    assert isinstance(horizon(stream), int)


class Called:
    def __call__(self, *y: Any, inplace: bool = False) -> Tensor:
        return late(y[-1])


REPLACED: list[tuple[Any, str, type[Stream], Callable[..., Tensor]]] = [
    (nn.ReLU, "forward", OfALayer, lambda self, y: late(y)),
    (F, "relu", OfALayer, lambda y, inplace: late(y)),
    (torch, "relu", Stream, late),
    (torch, "bent_late", HungOn, late),
    (Tensor, "relu", OfATensor, late),
    (torch, "relu", Stream, Called()),
    (F, "relu", OfALayer, functools.partial(Called())),
    (nn.ReLU, "forward", OfALayer, staticmethod(Called())),
]


@pytest.mark.parametrize(("place", "name", "stream", "function"), REPLACED, ids=lambda x: getattr(x, "__name__", x))
def test_nor_does_a_place_of_a_library(
    place: Any, name: str, stream: type[Stream], function: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, function, raising=False)
    assert isinstance(horizon(stream), int)


class Mode(TorchFunctionMode):
    def __torch_function__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        return late(args[0]) if func is torch.relu else func(*args, **(kwargs or {}))


def test_nor_does_a_mode_within_which_all_runs() -> None:
    with Mode():
        assert isinstance(horizon(Stream), int)


class Made(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.made = late

    def forward(self, y: Tensor) -> Tensor:
        return super().type(torch.float32) and y  # type: ignore[return-value]

    def again(self) -> nn.Module:
        return __class__()  # type: ignore[name-defined, no-any-return]


def makes(method: Callable[..., Any]) -> bool:
    return any("__init__" in cell.path for cell in memory_of(functools.partial(method, None)).places)


def test_super_makes_no_object_of_the_class() -> None:
    assert not makes(Made.forward)
    assert makes(Made.again)


def test_what_was_made_where() -> None:
    assert is_librarys(F.relu)
    assert is_librarys(nn.Linear)
    assert not is_librarys(wrapped)
    assert not is_librarys(Forged)
