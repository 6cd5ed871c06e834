"""What runtimes made of a file, beside the report of the file itself: one table, three answers for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from coequal.equivalence.report import Report, Verdict
from coequal.report.document import Case, Cell, Column, Document, Line, Notes, Part, Section, Table, Tone
from coequal.report.verdict import TONES


@dataclasses.dataclass(frozen=True)
class NotRun:
    """A runtime that is not installed, or refuses the file; `why` in one line."""

    asked: str
    why: str
    report: None = None


COLUMNS = (Column("runtime"), Column("artefact", "word"), Column("whole numbers", "phrase"), Column("behaviour", "word"))
CANARY: dict[str, Tone] = {"exact": "good", "not exact": "warn", "not asked": "dim"}


def beside(document: Document, report: Report, found: Sequence[Any]) -> Document:
    """The document of the file with a row for each runtime. A behaviour that differs makes the exit code 1, one that
    could not be seen 3.

    `artefact`: is the file the same function, which is asked once; `whole numbers`: is the runtime exact where exactness is
    defined; `behaviour`: does the stream, run by it, agree with the clip on floats.
    """
    artefact = Cell(report.verdict.value, TONES[report.verdict.value])
    rows = [_row(one, artefact) for one in found]
    lines = [line for one in found for line in _lines(one)] + _not_executed(report, found)
    parts: list[Part] = [Table(COLUMNS, tuple(rows)), *([Notes(tuple(lines))] if lines else [])]
    differ = [one.report.counterexample for one in found if one.report is not None and one.report.counterexample is not None]
    parts += [Line(example.reproduce, "reproduce", code=True) for example in differ if example.reproduce]
    codes = [document.exit_code, *(3 if one.report is None else one.report.exit_code(None) for one in found)]
    data = {**document.data, "runtimes": [_data(one) for one in found]} if isinstance(document.data, dict) else document.data
    return dataclasses.replace(
        document,
        parts=(*document.parts, Section("runtimes", tuple(parts))),
        cases=(*document.cases, *(case for one in found for case in _cases(one))),
        data=data,
        exit_code=1 if 1 in codes else max(codes),
    )


def _not_executed(report: Report, found: Sequence[Any]) -> list[str]:
    """What a proof does not speak of."""
    ran = [_name(one) for one in found if one.report is not None]
    if report.proof is None or not ran:
        return []
    return [
        f"exact arithmetic ran the graph that stands in the file, not what {', '.join(ran)} made of it: that ran on whole"
        " numbers and floats"
    ]


def _name(one: Any) -> str:
    settings = one.asked.partition(",")[2]
    return f"{one.name} with {settings.replace(',', ', ')}" if settings else one.name


def _row(one: Any, artefact: Cell) -> tuple[str | Cell, ...]:
    if one.report is None:
        return (one.asked, artefact, Cell("not run", "warn"), Cell("not run", "warn"))
    verdict = one.report.verdict.value
    many = f", {one.canary.asked - len(one.canary.missed)} of {one.canary.asked} nodes" if one.canary.asked else ""
    said = "agrees" if verdict in ("tested", "proved") else verdict
    return (_name(one), artefact, Cell(f"{one.canary.outcome}{many}", CANARY[one.canary.outcome]),
            Cell(said, TONES[verdict]))  # fmt: skip


def _lines(one: Any) -> list[str]:
    if one.report is None:
        return [f"{one.asked}: {one.why}"]
    lines = [f"{_name(one)}: {miss}" for miss in one.canary.missed]
    if one.report.counterexample is not None:
        lines.append(f"{_name(one)}: {one.report.counterexample.detail}")
    lines += [f"{_name(one)}: {finding.name}: {finding.detail}" for finding in one.report.problems]
    if one.report.verdict is Verdict.UNDECIDED:
        lines += [f"{_name(one)}: {reason}" for reason in one.report.reasons]
    return lines


def _cases(one: Any) -> list[Case]:
    """Its behaviour can fail; a miss of the canary is a fact about the runtime."""
    if one.report is None:
        return [Case(f"{one.asked}: behaviour", "error", one.why)]
    failed = one.report.verdict is Verdict.DIFFERENT or bool(one.report.problems)
    text = "; ".join(_lines(one))
    canary = Case(
        f"{_name(one)}: whole numbers", "warned" if one.canary.missed else "passed", "; ".join(map(str, one.canary.missed))
    )
    status = "failed" if failed else "error" if one.report.verdict is Verdict.UNDECIDED else "passed"
    return [Case(f"{_name(one)}: behaviour", status, text), canary]  # type: ignore[arg-type]


def _data(one: Any) -> dict[str, Any]:
    if one.report is None:
        return {"backend": one.asked, "name": None, "canary": None, "behaviour": None, "why": one.why}
    missed = [dataclasses.asdict(miss) for miss in one.canary.missed]
    return {
        "backend": one.asked,
        "name": one.name,
        "canary": {"outcome": one.canary.outcome, "asked": one.canary.asked, "missed": missed},
        "behaviour": one.report.to_dict(),
    }
