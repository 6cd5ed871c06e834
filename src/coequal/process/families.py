"""A family in the child process: search it, with what the command line says of every subject."""

from __future__ import annotations

from typing import Any

from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.campaigns.found import FamilyReport
from coequal.equivalence.campaigns.search import Asked, search
from coequal.equivalence.options import Options
from coequal.process.target import prepared
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

SHARE = 0.85  # of the time that is left: the last configuration is still to end, and the answer to be written


def of_family(family: Family, request: dict[str, Any], left: float) -> FamilyReport:
    """The report of a search.

    Args:
        family: What the target names.
        request: That of the parent.
        left: Seconds.

    Returns:
        What became of its configurations.

    Raises:
        BadSubject: Options that repeat one comparison were given, or the family is no family.
    """
    target = request["target"]
    if given := [name for name, value in request["replay"].items() if value is not None]:
        raise BadSubject(f"{target} is a family: --{given[0]} is for one of its subjects, {target}[option=value, ...]")

    def prepare(value: Any) -> Subject:
        return prepared(target, value, **request["load"])

    options = Options(**{**request["options"], "effort": request["options"]["effort"] or "quick"})
    asked = Asked(request["configurations"], options, request["require"], target, request["again"], prepare, SHARE * left)
    return search(family, asked)
