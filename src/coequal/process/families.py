"""A family in the child process: search it, with workers here or on a cluster, and with a journal where one is kept."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.campaigns.found import FamilyReport
from coequal.equivalence.campaigns.journal import Journal, identity
from coequal.equivalence.campaigns.search import Run, search
from coequal.process.asked import asked_of
from coequal.process.cluster import Cluster
from coequal.process.pool import Pool
from coequal.process.progress import Progress
from coequal.process.worker import Limits


def of_family(family: Family, request: dict[str, Any], left: float) -> FamilyReport:
    """The report of a search.

    Args:
        family: What the target names.
        request: That of the parent.
        left: Seconds.

    Returns:
        What became of its configurations.

    Raises:
        BadSubject: Options that repeat one comparison were given, the family is no family, its journal cannot be gone on
            with, or there is no such cluster.
    """
    with workers(request) as run:
        return searched(family, request, left, run)


def searched(
    family: Family, request: dict[str, Any], left: float, workers: Pool | Cluster, library: str = ""
) -> FamilyReport:
    """The same with workers that may have examined other families before.

    Args:
        family: What the target names.
        request: That of the parent.
        left: Seconds.
        workers: Those of `workers(request)`.
        library: What a family of a suite is about, with its version: a journal of another one is not gone on with.

    Returns:
        What became of its configurations.

    Raises:
        BadSubject: As in `of_family`.
    """
    asked, campaign, limits = asked_of(request, left), request["campaign"], _limits(request)
    workers.turn_to(_handed(request))
    with contextlib.ExitStack() as stack:
        run: Run = workers
        if campaign["journal"] is not None:
            about = identity(
                family, asked, limits=vars(limits), load=request["load"], **({"library": library} if library else {})
            )
            journal = Journal(Path(campaign["journal"]), about, resume=campaign["resume"])
            run = stack.enter_context(journal).run(run)
        bar = stack.enter_context(Progress(asked.count))
        return search(family, asked, run, bar.update)


def workers(request: dict[str, Any]) -> Pool | Cluster:
    """Here, unless there is a scheduler."""
    campaign = request["campaign"]
    if campaign["scheduler"] is None:
        return Pool(_handed(request), campaign["workers"] or 1)
    return Cluster(_handed(request), campaign["scheduler"])


def _limits(request: dict[str, Any]) -> Limits:
    campaign = request["campaign"]
    return Limits(campaign["time_limit"] or Limits.seconds, campaign["memory_limit"] or Limits.memory)


def _handed(request: dict[str, Any]) -> dict[str, Any]:
    """A request as it goes to workers."""
    return {**request, "limits": _limits(request), "folder": os.getcwd()}
