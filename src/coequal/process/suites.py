"""A suite in the child process: its families one after the other, in the same workers, each with its share of the time."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Any

from coequal.equivalence.campaigns.found import FamilyReport
from coequal.equivalence.suites.find import Suite
from coequal.equivalence.suites.found import SuiteReport
from coequal.process.families import searched, workers
from coequal.subjects.errors import BadSubject


def of_suite(suite: Suite, request: dict[str, Any], left: float) -> SuiteReport:
    """The report of all its families.

    Args:
        suite: What the target names.
        request: That of the parent.
        left: Seconds; each family gets an equal share of what the ones before it leave.

    Returns:
        What became of their configurations. Families for which no time is left are named.

    Raises:
        BadSubject: As for a family, or the suite has none.
    """
    if not suite.families:
        raise BadSubject(f"the suite of {suite.name} has no families")
    begin, ending = time.monotonic(), time.monotonic() + left
    library, names = f"{suite.library} {suite.version}", list(suite.families)
    reports: list[FamilyReport] = []
    with workers(request) as run:
        for number, (name, family) in enumerate(suite.families.items(), 1):
            share = (ending - time.monotonic()) / (len(names) - number + 1)
            if share < 1 and reports:
                break
            report = searched(family, of_member(request, name), share, run, library)
            reports.append(report)
            _say(f"{number} of {len(names)}: {name}, {_counted(report.counts)}")
    left_out = tuple(names[len(reports) :])
    return SuiteReport(request["target"], library, tuple(reports), left_out, time.monotonic() - begin, request["seed"])


def of_member(request: dict[str, Any], name: str) -> dict[str, Any]:
    """What the parent would have asked of one family."""
    target = f"{request['target']}:{name}"
    _, *options = shlex.split(request["again"] or request["target"])
    campaign = dict(request["campaign"])
    if campaign["journal"] is not None:
        campaign["journal"] = f"{campaign['journal']}/{name}"
    return {**request, "target": target, "again": shlex.join([target, *options]), "campaign": campaign}


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def _say(line: str) -> None:
    """Progress, for whoever waits."""
    print(line, file=sys.stderr, flush=True)
