"""Counters in what Python, NumPy and torch keep of objects beside their attributes: none makes a proof for every length."""

from __future__ import annotations

import builtins
import functools
import pathlib
import types
import typing
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import coequal

Tensor = torch.Tensor
LATE = 3000
BITS = 12
Tick = Callable[[], bool]


EMPTY = [].__sizeof__()
SHOWN = 3500  # so many of the elements of a list stay, and the rest of its capacity, which is at most twice that


def capacity_of_a_list() -> Tick:
    held = [[0] * 4000]

    def tick() -> bool:
        count = (held[0].__sizeof__() - EMPTY) // 8 + 1
        held[0] = [0] * count
        del held[0][SHOWN:]
        return count > 4000 + LATE // 2

    return tick


def capacity_by_name() -> Tick:
    held = [[0] * 4000]

    def tick() -> bool:
        count = (getattr(held[0], "__sizeof__")() - EMPTY) // 8 + 1  # noqa: B009
        held[0] = [0] * count
        del held[0][SHOWN:]
        return count > 4000 + LATE // 2

    return tick


SIZE = list.__sizeof__
NAME = "".join(["__size", "of__"])


def capacity_by_the_method() -> Tick:
    held = [[0] * 4000]

    def tick() -> bool:
        count = (SIZE(held[0]) - EMPTY) // 8 + 1
        held[0] = [0] * count
        del held[0][SHOWN:]
        return count > 4000 + LATE // 2

    return tick


def capacity_by_a_text() -> Tick:
    held = [[0] * 4000]

    def tick() -> bool:
        count = (getattr(held[0], NAME)() - EMPTY) // 8 + 1
        held[0] = [0] * count
        del held[0][SHOWN:]
        return count > 4000 + LATE // 2

    return tick


def slot(kind: type, descriptor: types.MemberDescriptorType) -> Tick:
    box = kind()
    descriptor.__set__(box, 0)

    def tick() -> bool:
        descriptor.__set__(box, descriptor.__get__(box) + 1)
        return descriptor.__get__(box) > LATE

    return tick


class One:
    __slots__ = ("n",)


class Again(One):
    __slots__ = ("n",)


class Shadowed(One):
    n = None


class Renamed:
    __slots__ = ("n",)


class Removed:
    __slots__ = ("n",)


RENAMED, REMOVED = Renamed.__dict__["n"], Removed.__dict__["n"]
Renamed.__slots__ = ()
del Removed.n


def a_slot_of_the_same_name() -> Tick:
    return slot(Again, One.__dict__["n"])


def a_slot_behind_an_attribute() -> Tick:
    return slot(Shadowed, One.__dict__["n"])


def a_slot_that_is_not_listed() -> Tick:
    return slot(Renamed, RENAMED)


def a_slot_without_a_name() -> Tick:
    return slot(Removed, REMOVED)


def attribute(kind: type) -> Tick:
    box = kind()
    box.n = 0

    def tick() -> bool:
        box.n += 1
        return box.n > LATE

    return tick


def attributes_behind_a_property() -> Tick:
    return attribute(type("Box", (), {"__dict__": property(lambda self: {})}))


def attributes_behind_a_class_attribute() -> Tick:
    return attribute(type("Box", (), {"__dict__": {}}))


def a_path_of_ones_own() -> Tick:
    return attribute(type("Path", (type(pathlib.PurePath()),), {}))


def metadata_of_a_dtype() -> Tick:
    kind = np.dtype("f4", metadata={"n": [0]})

    def tick() -> bool:
        kind.metadata["n"][0] += 1
        return kind.metadata["n"][0] > LATE

    return tick


def names_of_buffers() -> Tick:
    names = nn.Identity()._non_persistent_buffers_set

    def tick() -> bool:
        names.add(str(len(names)))
        return len(names) > LATE

    return tick


def held_by_a_module(name: str) -> Callable[[], Tick]:
    def hidden() -> Tick:
        module = nn.Identity()
        entries = getattr(module, name)

        def tick() -> bool:
            entries[str(len(entries))] = None
            return len(getattr(module, name)) > LATE

        return tick

    hidden.__name__ = name
    return hidden


def flags_of_a_module() -> Tick:
    module = nn.Identity()
    for i in range(BITS):
        setattr(module, f"_is_{i}", None)

    def tick() -> bool:
        for i in range(BITS):
            now = getattr(module, f"_is_{i}") is None
            setattr(module, f"_is_{i}", 0 if now else None)
            if now:
                break
        return all(getattr(module, f"_is_{i}") == 0 for i in range(BITS))

    return tick


def builtins_of_its_own() -> Tick:
    kept: list[int] = []
    code = compile("def count():\n kept.append(1)\n return size(kept)", "count", "exec").co_consts[0]
    count = types.FunctionType(code, {"__builtins__": {"kept": kept, "size": len}})
    return lambda: count() > LATE


def among_the_builtins() -> Tick:
    builtins.kept_by_coequal_tests = []

    def tick() -> bool:
        kept_by_coequal_tests.append(1)  # noqa: F821
        return len(kept_by_coequal_tests) > LATE  # noqa: F821

    return tick


COUNTED: list[int] = []


def globals_of_a_function() -> Tick:
    COUNTED.clear()

    def tick() -> bool:
        tick.__globals__["COUNTED"].append(1)
        return len(tick.__globals__["COUNTED"]) > LATE

    return tick


def text_of_a_property() -> Tick:
    held = property(lambda self: 0)

    def tick() -> bool:
        held.__doc__ = (held.__doc__ or "") + "x"
        return len(held.__doc__) > LATE

    return tick


def attributes_of_a_cached_property() -> Tick:
    held = functools.cached_property(lambda self: 0)
    held.n = 0

    def tick() -> bool:
        held.n += 1
        return held.n > LATE

    return tick


def attributes_of_a_static_method() -> Tick:
    class Box:
        @staticmethod
        def nothing() -> None:
            pass

    Box.__dict__["nothing"].n = 0

    def tick() -> bool:
        Box.__dict__["nothing"].n += 1
        return Box.__dict__["nothing"].n > LATE

    return tick


def a_number_with_attributes() -> Tick:
    return attribute(type("Float", (np.float64,), {}))


def slots_of_a_class() -> Tick:
    class Box:
        __slots__: typing.ClassVar = []

    def tick() -> bool:
        Box.__slots__.append("x")
        return len(Box.__slots__) > LATE

    return tick


def attributes_of_an_alias() -> Tick:
    alias = typing.List[int]  # noqa: UP006
    alias.__count__ = 0

    def tick() -> bool:
        alias.__count__ += 1
        return alias.__count__ > LATE

    return tick


HIDDEN = (
    *(capacity_by_the_method, capacity_by_a_text),
    *(capacity_of_a_list, capacity_by_name, a_slot_of_the_same_name, a_slot_behind_an_attribute, a_slot_that_is_not_listed),
    *(a_slot_without_a_name, attributes_behind_a_property, attributes_behind_a_class_attribute, a_path_of_ones_own),
    *(metadata_of_a_dtype, names_of_buffers, held_by_a_module("_parameters"), held_by_a_module("_modules")),
    *(flags_of_a_module, builtins_of_its_own, among_the_builtins, globals_of_a_function, text_of_a_property),
    *(attributes_of_a_cached_property, attributes_of_an_alias, attributes_of_a_static_method, a_number_with_attributes),
    *(slots_of_a_class,),
)


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.__name__)
def test_it_is_seen(hidden: Callable[[], Tick]) -> None:
    class Stream:
        def __init__(self) -> None:
            self.before, self.tick = None, hidden()

        def step(self, frame: Tensor) -> Tensor:
            before = torch.zeros_like(frame) if self.before is None else self.before
            self.before = frame.clone()
            return (frame + before) * (2 if self.tick() else 1)

    clip = lambda x: x + nn.functional.pad(x, (1, 0))[:, :, :-1]  # noqa: E731
    report = coequal.verify(
        coequal.Subject(clip=clip, stream=Stream, example=torch.randn(1, 2, 5)), effort="quick", checks=["values", "exact"]
    )
    assert report.horizon != "all", report


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.__name__)
def test_it_is_a_counter(hidden: Callable[[], Tick]) -> None:
    """The planted mistake is one: it comes, and late."""
    tick = hidden()
    assert next(i for i in range(1 << (BITS + 1)) if tick()) > 1000
