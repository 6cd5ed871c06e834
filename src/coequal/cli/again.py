"""A printed command is tried before it is printed: in a fresh process, where nothing ran before."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Callable
from typing import Any

from coequal.cli.parser import parser
from coequal.equivalence.report import Counterexample, Report
from coequal.process import parent

LEAST = 30.0  # seconds that it gets whatever is left
ALONE = "the printed command, run by itself in a fresh process, does not give this difference: it depends on what ran before"


def repeated(report: Report, seed: int, timeout: float, request_of: Callable[[Any], dict[str, Any]]) -> Report:
    """The report with what became of its command; `seed` is that of the whole run, which the target was loaded with.

    Where the target draws its weights when it is loaded, the command has to say with which seed.
    """
    found = report.counterexample
    if found is None or not found.reproduce.startswith("coequal "):
        return report
    left, why = max(LEAST, timeout - report.seconds), ""
    for command in (found.reproduce, f"{found.reproduce} --load-seed {seed}"):
        again, why = _run(found, command, left, request_of)
        if again is not None and _same(again, found):
            return dataclasses.replace(report, counterexample=dataclasses.replace(found, reproduce=command, repeats=True))
    unrepeated = dataclasses.replace(found, repeats=False)
    return dataclasses.replace(report, counterexample=unrepeated, notes=[*report.notes, f"{ALONE} ({why})"])


def _run(
    found: Counterexample, command: str, timeout: float, request_of: Callable[[Any], dict[str, Any]]
) -> tuple[Counterexample | None, str]:
    """The difference that the command gives in the same check, and what it says instead where there is none."""
    options = parser().parse_args(shlex.split(command)[1:])
    try:
        again = parent.run(request_of(options), timeout, quiet=True)
    except parent.BadInput as error:
        return None, str(error)
    outcomes = {check.name: check.outcome for check in again.checks}
    if outcomes.get(found.check) not in ("different", "problem"):
        return None, f"alone it is {again.verdict.value}"
    return again.counterexample, "alone it gives other numbers"


def _same(one: Counterexample, other: Counterexample) -> bool:
    """Whether both differ at the same place by the same numbers, up to rounding."""
    return one.frame == other.frame and _close(one.expected, other.expected) and _close(one.got, other.got)


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=1e-6) or (math.isnan(a) and math.isnan(b))
    return bool(a == b)
