"""A printed command is tried before it is printed: in a fresh process, where nothing ran before."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from typing import Any

from coequal import sandbox
from coequal.arguments import parser
from coequal.equivalence.report import Counterexample, Report

LEAST = 30.0  # seconds that it gets whatever is left
ALONE = "the printed command, run by itself in a fresh process, does not give this difference: it depends on what ran before"


def repeated(report: Report, seed: int, timeout: float, request_of: Callable[[Any], dict[str, Any]]) -> Report:
    """The report with what became of its command; `seed` is that of the whole run, which the target was loaded with.

    Where the target draws its weights when it is loaded, the command has to say with which seed.
    """
    found = report.counterexample
    if found is None or not found.reproduce.startswith("coequal "):
        return report
    left = max(LEAST, timeout - report.seconds)
    why = ""
    for command in dict.fromkeys((found.reproduce, f"{found.reproduce} --load-seed {seed}")):
        why = _why_not(found, command, left, request_of)
        if not why:
            report.counterexample = dataclasses.replace(found, reproduce=command, repeats=True)
            return report
    report.counterexample = dataclasses.replace(found, repeats=False)
    report.notes.append(f"{ALONE} ({why})")
    return report


def _why_not(found: Counterexample, command: str, timeout: float, request_of: Callable[[Any], dict[str, Any]]) -> str:
    """What the command gives instead; empty if it gives the same."""
    options = parser().parse_args(shlex.split(command)[1:])
    try:
        again = sandbox.run(request_of(options), timeout, quiet=True)
    except sandbox.BadInput as error:
        return str(error)
    outcomes = {check.name: check.outcome for check in again.checks}
    if outcomes.get(found.check) in ("different", "problem"):
        return ""
    return f"alone it is {again.verdict.value}"
