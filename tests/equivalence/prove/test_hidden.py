"""A stream that changes after thousands of frames, counted where nobody looks: it is never proved for every length."""

from __future__ import annotations

import logging
import math
import pathlib
from collections import deque
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

import coequal

Tensor = torch.Tensor
LATE = 3000  # frames, or a number of bits that are all set by then
BITS = 12
Tick = Callable[[], bool]


def bits(flip: Callable[[int], bool], all_set: Callable[[], bool]) -> Tick:
    """A counter in binary: `flip` turns a bit around and says whether it is set now."""

    def tick() -> bool:
        for i in range(BITS):
            if flip(i):
                break
        return all_set()

    return tick


def level() -> Tick:
    logger = logging.getLogger("coequal.tests.level")
    logger.setLevel(0)

    def tick() -> bool:
        logger.setLevel(logger.level + 1)
        return logger.level > LATE

    return tick


def filters() -> Tick:
    logger = logging.getLogger("coequal.tests.filters")
    logger.filters.clear()

    def tick() -> bool:
        logger.filters.append(logging.Filter())
        return len(logger.filters) > LATE

    return tick


def name_of_a_class() -> Tick:
    class Named:
        pass

    Named.__name__ = "a"

    def tick() -> bool:
        Named.__name__ += "a"
        return len(Named.__name__) > LATE

    return tick


def annotation() -> Tick:
    def noted() -> None:
        pass

    noted.__annotations__["count"] = 0

    def tick() -> bool:
        noted.__annotations__["count"] += 1
        return bool(noted.__annotations__["count"] > LATE)

    return tick


def module_of_a_function() -> Tick:
    def noted() -> None:
        pass

    def tick() -> bool:
        noted.__module__ += "a"
        return len(noted.__module__) > LATE

    return tick


def gradients_asked_for() -> Tick:
    parameters = [nn.Parameter(torch.zeros(1), requires_grad=False) for _ in range(BITS)]

    def flip(i: int) -> bool:
        return parameters[i].requires_grad_(not parameters[i].requires_grad).requires_grad

    return bits(flip, lambda: all(p.requires_grad for p in parameters))


def path() -> Tick:
    held = [pathlib.PurePosixPath("a")]

    def tick() -> bool:
        held[0] = held[0] / "a"
        return len(held[0].parts) > LATE

    return tick


def size() -> Tick:
    held = [torch.Size([])]

    def tick() -> bool:
        held[0] = torch.Size([held[0].numel() + 1])
        return held[0].numel() > LATE

    return tick


def sign_of_zero() -> Tick:
    zeros = [0.0] * BITS

    def flip(i: int) -> bool:
        zeros[i] = -zeros[i]
        return math.copysign(1, zeros[i]) < 0

    return bits(flip, lambda: all(math.copysign(1, zero) < 0 for zero in zeros))


def sign_of_nan() -> Tick:
    nans = [math.nan] * BITS

    def flip(i: int) -> bool:
        nans[i] = -nans[i]
        return math.copysign(1, nans[i]) < 0

    return bits(flip, lambda: all(math.copysign(1, nan) < 0 for nan in nans))


def sign_of_zero_in_a_tensor() -> Tick:
    zeros = torch.zeros(BITS)

    def flip(i: int) -> bool:
        zeros[i] = -zeros[i]
        return bool(torch.signbit(zeros[i]))

    return bits(flip, lambda: bool(torch.signbit(zeros).all()))


def empty_range() -> Tick:
    held = [range(0)]

    def tick() -> bool:
        held[0] = range(held[0].start + 1, 0)
        return held[0].start > LATE

    return tick


def greatest_length() -> Tick:
    held = [deque[int](maxlen=1)]

    def tick() -> bool:
        held[0] = deque(maxlen=(held[0].maxlen or 0) + 1)
        return (held[0].maxlen or 0) > LATE

    return tick


HIDDEN = (
    *(level, filters, name_of_a_class, annotation, module_of_a_function, gradients_asked_for, path, size, sign_of_zero),
    *(sign_of_nan, sign_of_zero_in_a_tensor, empty_range, greatest_length),
)


class Stream:
    """The sum of two frames; twice that, once `tick` says so."""

    def __init__(self, tick: Tick) -> None:
        self.tick, self.past = tick, None

    def step(self, frame: Tensor) -> Tensor:
        out = frame if self.past is None else frame + self.past
        self.past = frame.clone()
        return out * 2 if self.tick() else out.clone()


def horizon(hidden: Callable[[], Tick]) -> int | str:
    def clip(x: Tensor) -> Tensor:
        return x + torch.nn.functional.pad(x, (1, 0))[..., : x.shape[2]]

    subject = coequal.Subject(clip=clip, stream=lambda: Stream(hidden()), example=torch.randn(1, 2, 6))
    return coequal.verify(subject, effort="quick", checks=("values", "exact")).horizon


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.__name__)
def test_it_is_seen(hidden: Callable[[], Tick]) -> None:
    ticks = iter(hidden, None)
    assert not next(ticks)()
    assert horizon(hidden) != "all"


def changes(tick: Tick) -> Iterator[bool]:
    return (tick() for _ in range(1 << (BITS + 1)))


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.__name__)
def test_it_is_a_counter(hidden: Callable[[], Tick]) -> None:
    """The planted mistake is one: it comes, and late."""
    first = next(i for i, late in enumerate(changes(hidden())) if late)
    assert LATE // 2 < first < 1 << (BITS + 1)


def test_what_counts_nothing_is_proved() -> None:
    logger = logging.getLogger("coequal.tests.plain")

    def quiet() -> Tick:
        def tick() -> bool:
            logger.debug("a frame")
            return False

        return tick

    assert horizon(quiet) == "all"
