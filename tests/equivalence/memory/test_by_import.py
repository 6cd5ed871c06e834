"""Counters behind imports in functions, behind libraries that hang on libraries, in flags, formats and bits."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch.nn import functional

import coequal

beside = types.ModuleType("a_module_of_ones_own")
beside.n = 0
beside.inner = types.ModuleType("a_module_of_ones_own.inner")
beside.inner.n = 0
AFTER = 3000  # frames, after which the stream is wrong


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    beside.n = beside.inner.n = 0
    monkeypatch.setitem(sys.modules, "a_module_of_ones_own", beside)
    monkeypatch.setitem(sys.modules, "a_module_of_ones_own.inner", beside.inner)


def a_module() -> bool:
    import a_module_of_ones_own

    a_module_of_ones_own.n += 1
    return a_module_of_ones_own.n > AFTER


def under_another_name() -> bool:
    import a_module_of_ones_own.inner as other

    other.n += 1
    return other.n > AFTER


def a_part_of_it() -> bool:
    from a_module_of_ones_own import inner

    inner.n += 1
    return inner.n > AFTER


def in_an_inner_function() -> bool:
    import a_module_of_ones_own as own

    def later() -> bool:
        own.n += 1
        return own.n > AFTER

    return later()


def bound_twice() -> bool:
    import a_module_of_ones_own

    first = second = a_module_of_ones_own
    first.n += 1
    return second.n > AFTER


def in_the_body_of_a_class() -> bool:
    class Body:
        import a_module_of_ones_own as own

        own.n += 1
        late = own.n > AFTER

    return Body.late


def an_attribute_of_a_class() -> bool:
    class Body:
        import a_module_of_ones_own as own

    Body.own.n += 1
    return Body.own.n > AFTER


def bound_by_an_inner_function() -> bool:
    own = None

    def load() -> None:
        nonlocal own
        import a_module_of_ones_own

        own = a_module_of_ones_own

    load()
    own.n += 1
    return own.n > AFTER


def used_above() -> bool:
    found = 0
    for _ in range(2):
        if found:
            found.n += 1
            return found.n > AFTER
        import a_module_of_ones_own as found
    return False


def handed_on() -> bool:
    import a_module_of_ones_own

    return vars_of(a_module_of_ones_own)


def vars_of(module: types.ModuleType) -> bool:
    module.n += 1
    return module.n > AFTER


def of_the_standard_library() -> bool:
    import json

    json.n = getattr(json, "n", 0) + 1
    return json.n > AFTER


def the_clock() -> bool:
    from time import time

    return time() > 2e9


def the_environment() -> bool:
    import os as system

    return "NOBODY_SETS_THIS" in system.environ


def by_way_of_torch() -> bool:
    return bool(torch.os.getenv("NOBODY_SETS_THIS"))


def by_way_of_a_name_for_torch() -> bool:
    library = torch
    inner = library.nn.functional.math
    return bool(library.os.getenv("NOBODY_SETS_THIS")) or inner.pi > 4


def torch_handed_on() -> bool:
    return _getenv(torch)


def _getenv(library: types.ModuleType) -> bool:
    return bool(library.os.getenv("NOBODY_SETS_THIS"))


BY_IMPORT = [
    *(
        a_module,
        under_another_name,
        a_part_of_it,
        in_an_inner_function,
        bound_twice,
        used_above,
        handed_on,
        in_the_body_of_a_class,
        an_attribute_of_a_class,
        bound_by_an_inner_function,
    ),
    *(of_the_standard_library, the_clock, the_environment, by_way_of_torch, by_way_of_a_name_for_torch, torch_handed_on),
]


def verified(late) -> coequal.Report:
    class Stream:
        def step(self, frame):
            return frame * 2 if late() else frame * 1

    subject = coequal.Subject(clip=lambda x: x * 1, stream=Stream, example=torch.randn(1, 2, 8))
    return coequal.verify(subject, checks=["exact"], effort="quick")


@pytest.mark.parametrize("late", BY_IMPORT)
def test_what_is_imported_while_it_runs_is_read(late):
    report = verified(late)
    assert report.verdict == "proved"
    assert report.horizon != "all", report.proof


def test_imports_that_remember_nothing_are_fine():
    def never() -> bool:
        import math
        from functools import reduce

        import torch.nn.functional as F
        from torch import nn

        positive = F.relu(torch.ones(1)) + nn.functional.relu(torch.ones(1))
        return reduce(math.gcd, (4, 6)) == 3 and bool(positive.sum())

    assert verified(never).horizon == "all"


class Bits:
    """A binary counter of flags of tensors, of which `first` and `other` are the two states."""

    def __init__(self, first, other, is_other):
        self.first, self.other, self.is_other = first, other, is_other
        self.bits = [first()] * 12

    def __call__(self) -> bool:
        for i in range(12):
            on = self.is_other(self.bits[i])
            self.bits[i] = self.first() if on else self.other()
            if not on:
                break
        return self.is_other(self.bits[11])


def inferred() -> torch.Tensor:
    with torch.inference_mode():
        return torch.zeros(2)


def infinite(power: float) -> torch.Tensor:
    return torch.tensor(-(10.0**power), dtype=torch.float64)


FLAGS = {
    "views": lambda: Bits(lambda: torch.zeros(2), lambda: torch.zeros(2).view(2), lambda t: t._is_view()),
    "inference": lambda: Bits(lambda: torch.zeros(2), inferred, lambda t: t.is_inference()),
    "shared memory": lambda: Bits(lambda: torch.zeros(2), lambda: torch.zeros(2).share_memory_(), lambda t: t.is_shared()),
    "the last bit of a constant": lambda: Bits(
        lambda: torch.ones((), dtype=torch.float64),
        lambda: torch.tensor(1 + 2**-52, dtype=torch.float64),
        lambda t: bool(t > 1),
    ),
    "what is as good as infinite": lambda: Bits(lambda: infinite(33.0), lambda: infinite(34.0), lambda t: bool(t < -2e33)),
}


@pytest.mark.parametrize("what", FLAGS)
def test_no_flag_hides_a_bit(what):
    class Stream:
        def __init__(self):
            self.late = FLAGS[what]()

        def step(self, frame):
            return frame * 2 if self.late() else frame * 1

    subject = coequal.Subject(clip=lambda x: x * 1, stream=Stream, example=torch.randn(1, 2, 8))
    report = coequal.verify(subject, checks=["exact"], effort="quick")
    assert report.verdict == "proved"
    assert report.horizon != "all", report.proof


class Narrow:
    """Counts in few bits."""

    def __init__(self, dtype: torch.dtype, grows: int, late) -> None:
        self.t, self.grows, self.late = torch.zeros((), dtype=dtype), grows, late

    def step(self, frame):
        self.t = self.t + self.grows
        return frame * 2 if self.late(self.t) else frame * 1


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint8])
@pytest.mark.parametrize(
    "late",
    [
        lambda t: bool(t < 0) if t.dtype != torch.uint8 else bool(t + 1 < 1),
        lambda t: t.item() + 1 < 1,
        lambda t: bool((t // 3) % 5 == 7),
    ],
)
def test_a_number_of_few_bits_begins_anew(dtype, late):
    subject = coequal.Subject(clip=lambda x: x * 1, stream=lambda: Narrow(dtype, 1, late), example=torch.randn(1, 2, 8))
    report = coequal.verify(subject, checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof


@pytest.mark.parametrize("dtype", [torch.int16, torch.int64])
def test_what_it_counts_modulo_a_power_of_two_does_not(dtype):
    def late(t) -> bool:
        return bool((t // 4) % 8 == 9)

    subject = coequal.Subject(clip=lambda x: x * 1, stream=lambda: Narrow(dtype, 1, late), example=torch.randn(1, 2, 8))
    assert coequal.verify(subject, checks=["exact"], effort="quick").horizon == "all"


def test_hooks_are_counted_by_torch():
    class OfATensor:
        def __init__(self):
            self.t = torch.zeros(1, requires_grad=True)

        def __call__(self) -> bool:
            self.t.register_hook(lambda g: g)
            return len(self.t._backward_hooks) > AFTER

    class ByItsNumber:
        def __init__(self):
            self.module = torch.nn.Identity()

        def __call__(self) -> bool:
            handle = self.module.register_forward_hook(lambda *_: None)
            handle.remove()
            return handle.id > 10**6

    for late in (OfATensor(), ByItsNumber()):
        assert verified(late).horizon != "all"


def test_a_partial_has_attributes():
    import functools

    held = functools.partial(functional.relu)
    held.n = 0

    def late() -> bool:
        held.n += 1
        return held.n > AFTER

    assert verified(late).horizon != "all"
