"""Errors of the harness."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BadSubject(ValueError):
    """What was handed over cannot be compared at all: one line that says what, where, expected against got, what to do.

    The command line turns it into exit code 2; it is never a verdict.
    """


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was meant, it may be; None where none is like it."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)
