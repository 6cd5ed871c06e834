"""A family in the child process: search it, with workers here or on a cluster, and with a journal where one is kept."""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
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
    asked, campaign = asked_of(request, left), request["campaign"]
    limits = Limits(campaign["time_limit"] or Limits.seconds, campaign["memory_limit"] or Limits.memory)
    handed = {**request, "limits": limits, "folder": os.getcwd()}
    with contextlib.ExitStack() as stack:
        run: Run = stack.enter_context(_workers(handed))
        if campaign["journal"] is not None:
            about = identity(family, asked, limits=vars(limits), load=request["load"])
            journal = Journal(Path(campaign["journal"]), about, resume=campaign["resume"])
            run = stack.enter_context(journal).run(run)
        bar = stack.enter_context(Progress(asked.count))
        return search(family, asked, run, bar.update)


def _workers(handed: dict[str, Any]) -> AbstractContextManager[Run]:
    """Here, unless there is a scheduler."""
    campaign = handed["campaign"]
    if campaign["scheduler"] is None:
        return Pool(handed, campaign["workers"] or 1)
    return Cluster(handed, campaign["scheduler"])
