"""The document of a report: verdict first, then what it rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from coequal.equivalence.report import Check, Counterexample, Finding, Report, Verdict
from coequal.report import words
from coequal.report.document import (
    Case,
    Cell,
    Column,
    Document,
    Facts,
    Figure,
    Line,
    Notes,
    Part,
    Place,
    Section,
    Status,
    Table,
    Tone,
)

TONES: dict[str, Tone] = {
    **{"proved": "good", "tested": "good", "passed": "good"},
    **{"different": "bad", "problem": "bad", "high": "bad"},
    **{"undecided": "warn", "within": "warn", "medium": "warn", "waived": "warn"},
    **{"low": "calm", "skipped": "dim", "info": "dim"},
}
CHECKS = (Column("check", "name"), Column("outcome", "word"), Column("examples", "number"), Column("detail"))
FINDINGS = (Column("", "word"), Column("", "name"), Column(""))  # severity, name, detail: they explain themselves
CODE = ("expected", "got", "module")  # rows of a counterexample


def document(report: Report, require: str | None = None, place: Place | None = None) -> Document:
    """What a report says; `require` as in `Report.exit_code`, `place` is where the target stands."""
    return Document(
        command="verify",
        title=report.target,
        verdict=report.headline,
        tone=TONES[report.verdict.value],
        meaning=words.meaning(report),
        parts=tuple(_parts(report)),
        cases=(_function(report, require), *_checks(report), *_findings(report)),
        place=place,
        data=report.to_dict(),
        exit_code=report.exit_code(require),
        seconds=report.seconds,
        seed=report.seed,
    )


def _parts(report: Report) -> Iterator[Part]:
    yield Facts(tuple(words.facts(report).items()), "what was compared")
    if report.checks:
        yield _table_of_checks(report.checks)
    if report.counterexample is not None:
        yield _counterexample(report.counterexample)
    if report.findings:
        yield Section("findings", (_table_of_findings(report.findings),))
    if drawn := figures(report.quality):
        yield Section("quality over time", drawn)
    for title, lines in (("why not more", report.reasons), ("assumed", words.assumed(report)), ("notes", report.notes)):
        if lines:
            yield Section(title, (Notes(tuple(lines)),))


def _table_of_checks(checks: list[Check]) -> Table:
    rows = [
        (c.name, Cell(c.outcome, TONES.get(c.outcome, "")), str(c.examples), c.detail) for c in checks_worth_a_line(checks)
    ]
    return Table(CHECKS, tuple(rows), "checks")


def checks_worth_a_line(checks: list[Check]) -> list[Check]:
    """The checks; three or more that were skipped for the same reason become one line, `14 more`, at the end."""
    skipped = Counter(c.detail for c in checks if c.outcome == "skipped")
    alone = [c for c in checks if c.outcome != "skipped" or skipped[c.detail] < 3]
    return alone + [Check(f"{count} more", "skipped", 0, detail) for detail, count in skipped.items() if count > 2]


def _counterexample(found: Counterexample) -> Section:
    rows = tuple((name, Cell(text, code=name in CODE)) for name, text in words.counterexample_rows(found))
    again = (Line(found.reproduce, "reproduce", code=True),) if found.reproduce else ()
    return Section(f"counterexample, in the check {found.check}", (Facts(rows), *again), "bad")


def _table_of_findings(findings: list[Finding]) -> Table:
    rows = [(Cell(f.severity, TONES[f.severity]), f.name, f"{f.detail}{' (allowed)' * f.allowed}") for f in findings]
    return Table(FINDINGS, tuple(rows))


# -- series over time --------------------------------------------------------------------------------------------------


def figures(quality: dict[str, Any]) -> tuple[Figure, ...]:
    """The entries of the quality section that are numbers over time: lists of two numbers or more."""
    end = words.number(quality.get("frames", "end"))  # a curve may be coarser than one point a frame
    return tuple(
        Figure(name.replace("_", " "), tuple(float(v) for v in values), end)
        for name, values in quality.items()
        if _is_series(values)
    )


def _is_series(values: Any) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) > 1
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        and any(math.isfinite(v) for v in values)
    )


# -- what could fail ---------------------------------------------------------------------------------------------------


def _function(report: Report, require: str | None) -> Case:
    """The verdict itself."""
    status: Status = "passed"
    message = report.headline
    if report.verdict is Verdict.DIFFERENT:
        status, message = "failed", words.MEANING[report.verdict.value]
    elif report.verdict is Verdict.UNDECIDED:
        status, message = "error", words.MEANING[report.verdict.value]
    elif require and not report.problems and report.exit_code(require):
        status, message = "failed", f"{report.headline}, which is less than --require {require}"
    return Case("function", status, message, "\n".join(_grounds(report)), report.seconds)


def _grounds(report: Report) -> Iterator[str]:
    """What a verdict rests on, a line each."""
    if (found := report.counterexample) is not None:
        yield f"counterexample, in the check {found.check}"
        yield from (f"{name}: {text}" for name, text in words.counterexample_rows(found))
        yield from filter(None, [found.reproduce])
    yield from report.reasons


def _checks(report: Report) -> list[Case]:
    """A case for each check; what is no reason for the exit code is no failure."""
    return [Case(check.name, _status(report, check), check.detail) for check in report.checks]


def _status(report: Report, check: Check) -> Status:
    """A problem is a finding of the check's name; what a check of the function does to other streams is `isolation`."""
    if check.outcome == "different":
        return "failed" if report.verdict is Verdict.DIFFERENT else "warned"
    if check.outcome == "problem":
        name = check.name if any(f.name == check.name for f in report.findings) else "isolation"
        return "failed" if any(f.name == name for f in report.problems) else "warned"
    return "passed" if check.outcome == "passed" else "skipped"


def _findings(report: Report) -> list[Case]:
    """A case for each finding of weight that is not a check's."""
    told = {check.name for check in report.checks if check.outcome == "problem"}
    return [
        Case(f.name, "failed" if f in report.problems else "warned", f"{f.detail}{' (allowed)' * f.allowed}")
        for f in report.findings
        if f.severity in ("high", "medium") and f.name not in told
    ]
