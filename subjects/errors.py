"""Errors of the harness."""

from __future__ import annotations


class BadSubject(ValueError):
    """What was handed over cannot be compared at all: one line that says what, where, expected against got, what to do.

    The command line turns it into exit code 2; it is never a verdict.
    """
