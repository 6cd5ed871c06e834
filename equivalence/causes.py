"""Which failures are one: the same check, the same place, the same kind of difference.

One mistake shows in many configurations, each time with other numbers. What is left of a failure without its numbers is its
cause; what differs in that is taken for another mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from coequal.equivalence.report import Counterexample, Report, Verdict

NUMBER = re.compile(r"\b0x[0-9a-f]+\b|-?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|\binf\b|\bnan\b)", re.IGNORECASE)
LIST = re.compile(r"([\[(])(?:#(?:, ?)?)+([\])])")  # of numbers: as many as there may be
LONGEST = 160  # letters of a text that is a cause's


@dataclass(frozen=True, order=True)
class Cause:
    """Why something is not accepted: in which check or finding, where, and in what way."""

    check: str
    place: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"{self.check}: {self.kind}" if self.kind else self.check, self.place)))


def cause_of(report: Report, require: str | None = None) -> Cause | None:
    """Why a report is not accepted; None: it is.

    Args:
        report: What was found.
        require: The least verdict that is accepted, as in `Report.exit_code`.

    Returns:
        The cause. Two reports with the same one show the same mistake, as far as can be told.
    """
    if not report.exit_code(require):
        return None
    found = report.counterexample
    if report.verdict is Verdict.DIFFERENT and found is not None:
        return Cause(found.check, _place(report, found), _kind(found))
    if report.problems:
        return Cause(report.problems[0].name, "", without_numbers(report.problems[0].detail))
    reason = without_numbers(report.reasons[0]) if report.reasons else ""
    if report.verdict is Verdict.UNDECIDED:
        return Cause("undecided", "", reason)
    return Cause(f"not {require}", "", reason)


def without_numbers(text: str) -> str:
    """A text as it is for all sizes: a number is `#`, a list of them `[#]`."""
    return LIST.sub(r"\1#\2", NUMBER.sub("#", " ".join(text.split())))[:LONGEST]


def _place(report: Report, found: Counterexample) -> str:
    """The module, and the regions of the stream: a mistake that the interior shows may show elsewhere, too."""
    different = [name for name, region in report.regions.items() if region.different]
    regions = ["interior"] if "interior" in different else different
    named = f"in {found.module}" if found.module else ""
    return ", ".join(filter(None, (named, " and ".join(regions))))


def _kind(found: Counterexample) -> str:
    """Other numbers are one kind, whatever they are; everything else is what it says."""
    if isinstance(found.expected, (int, float, complex)) and isinstance(found.got, (int, float, complex)):
        return "other numbers"
    return without_numbers(found.detail)
