"""A clip function whose products vanish in long clips makes no stream different; one that is infinite for what stands in its
frames does, and so does a stream that is wrong before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from coequal import Subject, verify
from coequal.equivalence.checks.overflow import LATE
from coequal.equivalence.checks.rounded import looked_at
from coequal.equivalence.checks.run import Noted, Outcome
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.findings.numerics import of_overflows
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor
EXAMPLE, LENGTH = torch.randn(1, 5, 1, generator=torch.Generator().manual_seed(0)), 220


def parallel(x: Tensor) -> Tensor:
    """`h_t = g_t h_{t-1} + x_t` for all t at once, divided by the product of all gates, which vanishes."""
    gates = torch.sigmoid(x - 4).cumprod(1)
    return gates * (x / gates).cumsum(1)


class Recurrent:
    """The same a frame at a time; `spoil` is what becomes of what it holds, n frames fed."""

    spoil: Callable[[int, Tensor], Tensor] = staticmethod(lambda n, held: held)  # type: ignore[assignment]

    def __init__(self) -> None:
        self.held, self.n = torch.zeros(1), 0

    def step(self, x: Tensor) -> Tensor:
        self.n += 1
        self.held = self.spoil(self.n, torch.sigmoid(x - 4) * self.held.to(x.dtype) + x)  # type: ignore[call-arg, arg-type]
        return self.held * 1.0


def looked(clip: Callable[[Tensor], Tensor], stream: Any, noted: Noted | None = None) -> Outcome:
    """What becomes of a comparison over a long stream."""
    session = Session(Subject(clip=clip, stream=stream, example=EXAMPLE, time=1), 0, Floats())
    with session.ready(), torch.no_grad():
        return looked_at(session, "long", Example(LENGTH, 1, 3), noted)


def test_what_vanishes_in_the_clip_is_no_difference() -> None:
    noted = Noted()
    compared = looked(parallel, Recurrent, noted)
    assert isinstance(compared, int)
    assert 100 < compared < LENGTH
    assert noted.overflows == [f"from frame {compared} of {LENGTH} on, in float64"]
    [finding] = of_overflows(noted.overflows)
    assert finding.severity == "medium", finding


SPOILED: dict[str, Callable[[int, Tensor], Tensor]] = {
    "before": lambda n, held: held + 1 if n == 90 else held,
    "infinite, too": lambda n, held: held / 0 if n == 70 else held,
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_wrong_before_is_found(how: str) -> None:
    """In double precision: in single precision the clip goes no further than some twenty frames."""
    found = looked(parallel, type("Spoiled", (Recurrent,), {"spoil": staticmethod(SPOILED[how])}))
    assert isinstance(found, Mismatch), found
    assert math.isfinite(found.expected)


class Guarded:
    """Zero where the clip divides by zero."""

    def step(self, x: Tensor) -> Tensor:
        positive = (x + 2.3).relu()
        return torch.where(positive > 0, 1 / positive, torch.zeros_like(x))


class Floored:
    """Logarithms of a small number where the clip takes those of zero, all added up."""

    def __init__(self) -> None:
        self.total = torch.zeros(1)

    def step(self, x: Tensor) -> Tensor:
        self.total = self.total + (x + 2.3).relu().clamp(min=1e-3).log()
        return self.total * 1.0


INFINITE: dict[str, tuple[Callable[[Tensor], Tensor], type]] = {
    "a quotient": (lambda x: 1 / (x + 2.3).relu(), Guarded),
    "a sum of logarithms": (lambda x: (x + 2.3).relu().log().cumsum(1), Floored),
}


@pytest.mark.parametrize("what", INFINITE)
def test_a_clip_that_is_infinite_for_its_frames_is_believed(what: str) -> None:
    found = looked(*INFINITE[what])
    assert isinstance(found, Mismatch), found
    assert abs(found.expected) == math.inf
    assert found.frame >= LATE


class Sum:
    """Right for fifty frames."""

    def __init__(self) -> None:
        self.total, self.n = torch.zeros(1), 0

    def step(self, x: Tensor) -> Tensor:
        self.n += 1
        self.total = self.total + x * (1 + (self.n > 50))
        return self.total * 1.0


def test_a_fresh_stream_that_is_wrong_late_is_not_said_to_depend_on_others() -> None:
    """`reset` compares more frames than `values` did: what differs there is no memory that streams share."""
    subject = Subject(clip=lambda x: x.cumsum(1), stream=Sum, example=EXAMPLE, time=1)
    report = verify(subject, checks=["values", "reset"], effort="quick")
    assert report.verdict == "different", report
    assert not report.problems, report
