"""The document of a suite: each mistake once, the families and what became of their configurations, then their options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from coequal.equivalence.campaigns.found import OUTCOMES, FamilyReport
from coequal.equivalence.suites.found import Shared, SuiteReport
from coequal.report import family
from coequal.report.document import Case, Cell, Column, Document, Notes, Part, Section, Table


def document(report: SuiteReport) -> Document:
    """What a search of all families of a library says.

    Args:
        report: What was found.

    Returns:
        Findings first, then a row for each family; the coverage of options, and why configurations were refused, stand at
        the end, by family.
    """
    code = report.exit_code()
    return Document(
        command="verify",
        title=_title(report),
        verdict=_verdict(report),
        tone="bad" if code == 1 else "warn" if code else "good",
        meaning=_meaning(report),
        parts=tuple(_parts(report)),
        appendix=tuple(_options(report)),
        cases=tuple(_cases(report)),
        data=report.to_dict(),
        exit_code=code,
        seconds=report.seconds,
        seed=report.seed,
    )


def _title(report: SuiteReport) -> str:
    """The library with its version, behind the name of the suite where that is another."""
    own = report.target != report.library.partition(" ")[0]
    return f"{report.target}, {report.library}" if own else report.library


def _verdict(report: SuiteReport) -> str:
    count = len(report.findings)
    return (
        f"{count or 'no'} finding{'s' * (count > 1)}" if any(one.compared for one in report.families) else "nothing compared"
    )


def _meaning(report: SuiteReport) -> str:
    said = [f"{count} {outcome}{' by the library' * (outcome == 'refused')}" for outcome, count in report.counts.items()]
    count = len(report.families)
    return f"{count} famil{'y' if count == 1 else 'ies'}, {sum(report.counts.values())} configurations: {', '.join(said)}"


def _parts(report: SuiteReport) -> Iterator[Part]:
    for number, shared in enumerate(report.findings, 1):
        yield _finding(shared, number)
    yield _families(report)
    notes = [f"{one.target}: {one.stopped}" for one in report.families if one.stopped]
    notes += (
        [f"not reached: {', '.join(report.left_out)} (more --timeout, or fewer --configurations)"] if report.left_out else []
    )
    if report.warnings:
        yield family.warnings(report.warnings)
    if notes:
        yield Section("notes", (Notes(tuple(notes)),))


def _finding(shared: Shared, number: int) -> Section:
    """As in the report of its family, with the others that fail in the same way."""
    found = family.finding(shared.family, shared.finding, number)
    title = f"finding {number}, {_short(shared.family)}: {shared.finding.cause}"
    others = [name.rpartition(":")[2] for name in shared.others]
    more = (Notes((f"the same in {', '.join(others)}",)),) if others else ()
    return Section(title, (*found.parts, *more), found.tone)


def _short(report: FamilyReport) -> str:
    return report.target.rpartition(":")[2]


def _families(report: SuiteReport) -> Table:
    outcomes = [outcome for outcome in OUTCOMES if outcome in report.counts]
    columns = (Column("family", "name"), *(Column(outcome, "number") for outcome in outcomes), Column("seconds", "number"))
    rows: list[tuple[str | Cell, ...]] = [
        (_short(one), *(family.count(Counter(one.counts), outcome) for outcome in outcomes), f"{one.seconds:.1f}")
        for one in report.families
    ]
    return Table(columns, tuple(rows), "families")


def _options(report: SuiteReport) -> Iterator[Section]:
    """Option by value against outcomes, and reasons of refusals, of each family."""
    for one in report.families:
        refused = (family.refusals(one.refusals),) if one.refusals else ()
        yield Section(_short(one), (family.coverage(one), *refused))


def _cases(report: SuiteReport) -> Iterator[Case]:
    """Those of each family, with its name."""
    for one in report.families:
        for case in family.cases(one):
            yield Case(f"{_short(one)}: {case.name}", case.status, case.message, case.detail, case.seconds)
