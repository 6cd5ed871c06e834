"""One comparison, and what a difference in it is: of functions, of rounding, or one that only a finer format shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch

from coequal.equivalence import quality
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks.base import Finer, Skip
from coequal.equivalence.checks.table import CHECKS
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.regions import Regions
from coequal.equivalence.runner import StreamRaised

Outcome = int | Mismatch | Finer | Skip


def run_once(bench: Bench, name: str, example: Example) -> Outcome:
    """One example of one check: frames compared, or the difference, or why it could not be asked."""
    try:
        with bench.in_format(example.format) as here, here.weights(example):
            return _attempted(here, name, example)
    except Skip as outcome:
        return outcome
    except BadSubject as error:
        if example.format is None:
            raise
        return Skip(f"not compared in {example.format}: {error}")
    except Mismatch as mismatch:
        return _judged(bench, name, example, mismatch)


def _attempted(bench: Bench, name: str, example: Example) -> int:
    """Mismatch, too, where the stream raises and the clip function does not."""
    try:
        with _uncounted(bench) if CHECKS[name].kind != "function" else contextlib.nullcontext():
            return CHECKS[name].body(bench, example)
    except StreamRaised as error:
        if bench.subject.window is None and bench.clip(bench.inputs(example.length, example.batch, example.seed)) is None:
            raise Skip(f"clip function and stream both refuse {example.length} frames") from error
        raise Mismatch(str(error)) from error


@contextlib.contextmanager
def _uncounted(bench: Bench) -> Iterator[None]:
    """Inside, differences say nothing of regions: the function is not what is asked for."""
    before, bench.regions = bench.regions, Regions(bench.regions.timing)
    try:
        yield
    finally:
        bench.regions = before


def _judged(bench: Bench, name: str, example: Example, mismatch: Mismatch) -> Outcome:
    """A difference of numbers may be rounding, or need a finer format than the subject's own to be seen."""
    if name == "integers" or not _numbers(mismatch):
        return mismatch
    if example.format is not None:
        return _in_own_format(bench, name, example, mismatch)
    if _lossy(bench, name, example, bench.dtype, torch.float32):
        return 1
    if quality.unit(bench.native) <= quality.unit(bench.dtype):
        return mismatch
    own = run_once(bench, name, replace(example, format=str(bench.native).removeprefix("torch.")))
    return mismatch if isinstance(own, Mismatch) else Finer(mismatch)


def _numbers(mismatch: Mismatch) -> bool:
    return isinstance(mismatch.got, float) and isinstance(mismatch.expected, float)


def _in_own_format(bench: Bench, name: str, example: Example, mismatch: Mismatch) -> Outcome:
    """A stream that rounds more coarsely than its clip is different; one that loses digits is not.

    What is not finite where the clip is finite is no rounding.
    """
    if abs(mismatch.got) == float("inf") or mismatch.got != mismatch.got:
        return mismatch
    with bench.in_format(example.format) as here, here.weights(example):
        if here.rounds_more_coarsely(example):
            return mismatch
    plain = replace(example, format=None)
    if not _lossy(bench, name, plain, bench.dtype, bench.native):
        return mismatch
    _explain(bench, name, plain, mismatch)
    return 1


def _explain(bench: Bench, name: str, example: Example, mismatch: Mismatch) -> None:
    """Note what no rounding explains: another function in this format alone, or a decision that falls the other way."""
    if bench.native == bench.dtype or bench.unexplained:
        return
    double = distance(bench, name, example, bench.dtype, full=True)
    single = distance(bench, name, example, bench.native)
    largest = max(abs(mismatch.expected), abs(mismatch.got))  # type: ignore[arg-type]
    if double is None or single is None:
        return
    if not quality.explained(double, single, bench.dtype, bench.native, largest):
        own = str(bench.native).removeprefix("torch.")
        bench.unexplained = f"{name}: off by {single:.1e} in {own}, by {double:.1e} in double precision"


def _lossy(bench: Bench, name: str, example: Example, fine: torch.dtype, coarse: torch.dtype) -> bool:
    """Whether a difference beyond the clip's rounding is the stream's, which cancels digits: it shrinks with the format."""
    double, single = distance(bench, name, example, fine), distance(bench, name, example, coarse)
    if double is None or single is None or not quality.shrinks(double, single):
        return False
    bench.lossy = max(bench.lossy, (double, f"{name}: off by {double:.1e} in double precision, by {single:.1e} in single"))
    return True


def distance(bench: Bench, name: str, example: Example, dtype: torch.dtype, *, full: bool = False) -> float | None:
    """The greatest difference between stream and clip in this example, computed in `dtype`; None: that cannot be told.

    `full`: with inputs that use all digits of the format, so that sums of short numbers are not exact by accident.
    """
    other = bench.alike(dtype)
    other.full = full
    with other.ready():
        if other.dtype != dtype:
            return None
        other.worst = 0.0
        try:
            with other.weights(example):
                CHECKS[name].body(other, replace(example, format=None))
        except (Mismatch, Skip, StreamRaised):
            return None
        return other.worst
