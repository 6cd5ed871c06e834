"""What is asked of every configuration of a family: with what the command line says of every subject."""

from __future__ import annotations

from typing import Any

from coequal.equivalence.campaigns.search import Asked
from coequal.equivalence.options import Options
from coequal.process.target import is_of_a_suite, prepared
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

CONFIGURATIONS = 40  # of a family, unless it is said how many
OF_EACH = 20  # of a family of a suite
SHARE = 0.85  # of the time that is left: the last configuration is still to end, and the answer to be written


def asked_of(request: dict[str, Any], left: float) -> Asked:
    """What a search is asked for.

    Args:
        request: That of the parent.
        left: Seconds.

    Returns:
        The same in the process that searches and in each that examines.

    Raises:
        BadSubject: Options that repeat one comparison were given.
    """
    target = request["target"]
    if given := [name for name, value in request["replay"].items() if value is not None]:
        raise BadSubject(f"{target} is a family: --{given[0]} is for one of its subjects, {target}[option=value, ...]")

    def prepare(value: Any) -> Subject:
        return prepared(target, value, **request["load"])

    options = Options(**{**request["options"], "effort": request["options"]["effort"] or "quick"})
    apart = is_of_a_suite(target)
    count = request["configurations"] or (OF_EACH if apart else CONFIGURATIONS)
    return Asked(count, options, request["require"], target, request["again"], prepare, SHARE * left, apart)
