"""The document of a family: what became of its configurations, each cause once, and what was covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from coequal.equivalence.campaigns.found import GOOD, FamilyReport, Finding
from coequal.report import words
from coequal.report.document import (
    Case,
    Cell,
    Column,
    Document,
    Facts,
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
    **{"proved": "good", "tested": "good", "within": "warn", "refused": "dim", "undecided": "warn"},
    **{"problem": "bad", "different": "bad", "raised": "bad", "died": "bad"},
}
ROWS = 8  # values of an option that have a row each
REASONS = 5  # of refusals, and warnings, that have a row each


def document(report: FamilyReport, place: Place | None = None) -> Document:
    """What a search of a family says.

    Args:
        report: What was found.
        place: Where the family stands.

    Returns:
        Findings first, then the coverage of the options, then why configurations were refused.
    """
    return Document(
        command="verify",
        title=report.target,
        verdict=_verdict(report),
        tone="bad" if report.exit_code() == 1 else "warn" if report.exit_code() else "good",
        meaning=_meaning(report),
        parts=tuple(_parts(report)),
        cases=tuple(cases(report)),
        place=place,
        data=report.to_dict(),
        exit_code=report.exit_code(),
        seconds=report.seconds,
        seed=report.seed,
    )


def _verdict(report: FamilyReport) -> str:
    """`2 findings`, `no finding`, `nothing compared`."""
    if not report.compared:
        return "nothing compared"
    count = len(report.findings)
    return f"{count or 'no'} finding{'s' * (count > 1)}"


def _meaning(report: FamilyReport) -> str:
    """`40 configurations: 30 tested, 4 different, 6 refused by the library`."""
    said = [f"{count} {outcome}{' by the library' * (outcome == 'refused')}" for outcome, count in report.counts.items()]
    count = len(report.tried)
    return f"{count} configuration{'s' * (count != 1)}: {', '.join(said)}" if count else "no configuration was tried"


def _parts(report: FamilyReport) -> Iterator[Part]:
    for number, found in enumerate(report.findings, 1):
        yield finding(report, found, number)
    if report.tried:
        yield coverage(report)
    if report.refusals:
        yield refusals(report.refusals)
    if report.warnings:
        yield warnings(report.warnings)
    lines = [*filter(None, [report.stopped]), *_few(report)]
    if lines:
        yield Section("notes", (Notes(tuple(lines)),))


def _few(report: FamilyReport) -> list[str]:
    if report.stopped or len(report.tried) >= report.asked:
        return []
    return [f"{len(report.tried)} of {report.asked} configurations: no others were drawn"]


def finding(report: FamilyReport, one: Finding, number: int) -> Section:
    """The cause as a title, the smallest configuration, and how that is seen again."""
    smallest = one.smallest
    rows: list[tuple[str, str | Cell]] = [
        ("smallest", Cell(_configuration(smallest.configuration), code=True)),
        ("shown by", _shown_by(report, one)),
    ]
    again = ""
    if (found := smallest.counterexample) is not None:
        told = dict(words.counterexample_rows(found))
        rows += [(name, told[name]) for name in ("region", "module", "what", "in words", "depends") if name in told]
        again = found.reproduce
    elif smallest.outcome != "problem":
        rows.append(("what", smallest.detail))
        again = one.again
    lines = (Line(again, "reproduce", code=True),) if again else ()
    return Section(f"finding {number}: {one.cause}", (Facts(tuple(rows)), *lines), TONES[smallest.outcome])


def _shown_by(report: FamilyReport, finding: Finding) -> str:
    first = f"the first was {_configuration(finding.first.configuration)}"
    if not finding.count:
        return f"none that was drawn; it was come upon while another was made small ({first})"
    return f"{finding.count} of {report.compared}; {first}, made small in {finding.tried} trials"


def _configuration(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def coverage(report: FamilyReport) -> Table:
    """Option by value or range of values, against outcomes."""
    outcomes = list(report.counts)
    columns = (Column("option", "name"), Column("value", "phrase"), *(Column(outcome, "number") for outcome in outcomes))
    rows: list[tuple[str | Cell, ...]] = [
        (option if first else "", value, *(count(counts, outcome) for outcome in outcomes))
        for option, values in report.coverage().items()
        for first, (value, counts) in _firsts(grouped(values))
    ]
    return Table(columns, tuple(rows), "coverage")


def _firsts(rows: list[tuple[str, Counter[str]]]) -> list[tuple[bool, tuple[str, Counter[str]]]]:
    return [(i == 0, row) for i, row in enumerate(rows)]


def count(counts: Counter[str], outcome: str) -> Cell:
    """How many configurations had an outcome; none is a dash."""
    tone: Tone = "" if outcome in GOOD else TONES[outcome]
    return Cell(str(counts[outcome]), tone) if counts[outcome] else Cell("-", "dim")


def grouped(values: dict[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    """The values of an option, numbers in their order; where there are many, ranges of numbers, else the most frequent."""
    try:
        ordered = sorted(values, key=float)
    except ValueError:
        ordered = sorted(values, key=lambda value: (-values[value].total(), value))
        if len(ordered) <= ROWS:
            return [(value, values[value]) for value in sorted(ordered)]
        rest = ordered[ROWS - 1 :]
        kept = [(value, values[value]) for value in ordered[: ROWS - 1]]
        return [*kept, (f"{len(rest)} others", _sum(values, rest))]
    size = -(-len(ordered) // ROWS)
    groups = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    return [(group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}", _sum(values, group)) for group in groups]


def _sum(values: dict[str, Counter[str]], names: list[str]) -> Counter[str]:
    return sum((values[name] for name in names), Counter[str]())


def refusals(reasons: dict[str, int]) -> Section:
    """Why configurations were refused, the most frequent reasons first."""
    return _numbered("refused by the library", reasons, "reasons")


def warnings(said: dict[str, int]) -> Section:
    """What Python's warnings said, and in how many configurations."""
    return _numbered("warnings, by configurations", said, "warnings")


def _numbered(title: str, texts: dict[str, int], what: str) -> Section:
    rows = list(texts.items())
    shown = [(str(count), text) for text, count in rows[:REASONS]]
    if rest := rows[REASONS:]:
        shown.append((str(sum(count for _, count in rest)), f"{len(rest)} other {what}"))
    return Section(title, (Table((Column("", "number"), Column("")), tuple(shown)),), "dim")


def cases(report: FamilyReport) -> Iterator[Case]:
    """The family itself, and each finding."""
    status: Status = "passed" if report.exit_code() == 0 else "error" if not report.findings else "failed"
    yield Case("configurations", status, _meaning(report), seconds=report.seconds)
    for finding in report.findings:
        found = finding.smallest.counterexample
        text = f"{_configuration(finding.smallest.configuration)}\n{found.reproduce if found is not None else ''}".strip()
        failed: Status = "failed" if TONES[finding.smallest.outcome] == "bad" else "error"
        yield Case(str(finding.cause), failed, finding.smallest.detail, text)
