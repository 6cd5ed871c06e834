"""One comparison, and what a difference in it is: of functions, of rounding, or one that only a finer format shows."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace

import torch

from coequal.equivalence.checks.base import Finer, Skip
from coequal.equivalence.checks.catalogue import CHECKS
from coequal.equivalence.checks.overflow import overflows_in_clip
from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Distances, Floats, in_format, rounds_more_coarsely
from coequal.equivalence.compare.regions import Regions
from coequal.equivalence.compare.relation import Comparison, larger
from coequal.equivalence.compare.rounding import Rounded
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.errors import BadSubject

Outcome = int | Mismatch | Finer | Skip | Rounded


@dataclass
class Noted:
    """What comparisons leave behind, beside their outcome: frames by region, and what was rounding."""

    regions: Regions = field(default_factory=Regions)
    rounded: list[Rounded] = field(default_factory=list)
    overflows: list[str] = field(default_factory=list)  # of the clip function: where


def run_once(session: Session[Floats], name: str, example: Example, noted: Noted | None = None) -> Outcome:
    """One example of one check: frames compared, or the difference, or why it could not be asked."""
    noted, seen = Noted() if noted is None else noted, list[Comparison]()
    outcome = _outcome(session, name, example, noted, seen)
    if CHECKS[name].kind == "function" and example.format is None and isinstance(outcome, (int, Mismatch)):
        for comparison in seen:  # of what was asked, and of what is no rounding
            noted.regions.add(comparison.regions)
    return outcome


def _outcome(session: Session[Floats], name: str, example: Example, noted: Noted, seen: list[Comparison]) -> Outcome:
    """As of `run_once`; what was compared is `seen`."""
    try:
        with in_format(session, example.format) as here, here.weights(example):
            try:
                return _attempted(here, name, example)
            finally:
                seen += here.comparisons
    except Skip as outcome:
        return outcome
    except BadSubject as error:
        if example.format is None:
            raise
        return Skip(f"not compared in {example.format}: {error}")
    except Mismatch as mismatch:
        judged = _judged(session, name, example, mismatch, noted)
        if isinstance(judged, Rounded):
            noted.rounded.append(judged)
        return judged


def _attempted(session: Session[Floats], name: str, example: Example) -> int:
    """Mismatch, too, where the stream raises and the clip function does not."""
    try:
        return CHECKS[name].body(session, example)
    except StreamRaised as error:
        x = session.inputs(example.length, example.batch, example.seed)
        if session.subject.window is None and session.clip(x) is None:
            raise Skip(f"clip function and stream both refuse {example.length} frames") from error
        raise Mismatch(str(error)) from error


def _judged(session: Session[Floats], name: str, example: Example, mismatch: Mismatch, noted: Noted) -> Outcome:
    """A difference of numbers may be rounding, or need a finer format than the subject's own to be seen."""
    if not mismatch.of_numbers:
        return mismatch
    if CHECKS[name].kind == "function" and (where := overflows_in_clip(session, example, mismatch)):
        noted.overflows.append(where)
        return mismatch.frame or 0
    if example.format is not None:
        return _in_own_format(session, name, example, mismatch, noted)
    if (rounded := _rounded(session, name, example, torch.float32, mismatch)) is not None:
        return rounded
    if rounding.unit(session.native) <= rounding.unit(session.dtype):
        return mismatch
    shown = len(noted.overflows)
    own = run_once(session, name, replace(example, format=str(session.native).removeprefix("torch.")), noted)
    blind = len(noted.overflows) > shown  # the clip itself goes no further in this format
    return mismatch if blind or isinstance(own, Mismatch) else Finer(mismatch)


def _in_own_format(session: Session[Floats], name: str, example: Example, mismatch: Mismatch, noted: Noted) -> Outcome:
    """A stream that rounds more coarsely than its clip is different; one that loses digits is not.

    What is not finite where the clip is finite is no rounding.
    """
    if abs(mismatch.got) == float("inf") or mismatch.got != mismatch.got:
        return mismatch
    with in_format(session, example.format) as here, here.weights(example):
        if rounds_more_coarsely(here, example):
            return mismatch
    plain = replace(example, format=None)
    rounded = _rounded(session, name, plain, session.native, mismatch)
    if rounded is None:
        return mismatch
    if any(other.unexplained for other in noted.rounded):
        return rounded
    return replace(rounded, unexplained=_unexplained(session, name, plain, mismatch))


def _unexplained(session: Session[Floats], name: str, example: Example, mismatch: Mismatch) -> str:
    """What no rounding explains: another function in this format alone, or a decision that falls the other way."""
    if session.native == session.dtype:
        return ""
    double = distance(session, name, example, session.dtype, full=True)
    single = distance(session, name, example, session.native)
    largest = max(abs(mismatch.expected), abs(mismatch.got))  # type: ignore[arg-type]
    if double is None or single is None or rounding.explained(double, single, session.dtype, session.native, largest):
        return ""
    own = str(session.native).removeprefix("torch.")
    return f"{name}: off by {single:.1e} in {own}, by {double:.1e} in double precision"


def _rounded(
    session: Session[Floats], name: str, example: Example, coarse: torch.dtype, mismatch: Mismatch
) -> Rounded | None:
    """A difference beyond the clip's rounding that is the stream's, which cancels digits: it shrinks with the format.

    What is not finite in the coarse one is off by all that there is, and by no more.
    """
    double, single = distance(session, name, example, session.dtype), distance(session, name, example, coarse)
    if double is None or single is None:
        return None
    single = single if math.isfinite(single) else max(abs(mismatch.expected), abs(mismatch.got))
    if not math.isfinite(single) or not rounding.shrinks(double, single):
        return None
    return Rounded(double, f"{name}: off by {double:.1e} in double precision, by {single:.1e} in single")


def distance(
    session: Session[Floats], name: str, example: Example, dtype: torch.dtype, *, full: bool = False
) -> float | None:
    """The greatest difference between stream and clip in this example, computed in `dtype`; None: that cannot be told.

    `full`: with inputs that use all digits of the format, so that sums of short numbers are not exact by accident.
    """
    other = session.in_dtype(dtype, Distances(full=full))
    with other.ready():
        if other.dtype != dtype:
            return None
        try:
            with other.weights(example):
                CHECKS[name].body(other, replace(example, format=None))
        except (Mismatch, Skip, StreamRaised):
            return None
        return functools.reduce(larger, (comparison.largest for comparison in other.comparisons), 0.0)
