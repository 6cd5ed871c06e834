"""Errors of the harness."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BadSubject(ValueError):
    """What was handed over cannot be compared at all: one line that says what, where, expected against got, what to do.

    The command line turns it into exit code 2; it is never a verdict.
    """


class OutOfMemory(BaseException):
    """There is no more memory: nothing can be said of the subject. No check takes it for an error of the stream."""


def ensure_memory(error: BaseException) -> None:
    """OutOfMemory where an exception, of Python, NumPy or torch, says so."""
    kind, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError" or "can't allocate memory" in text:
        said = text.partition("\n")[0].rpartition("DefaultCPUAllocator: ")[2]
        raise OutOfMemory(f"{kind}: {said[:160]}" if said else kind) from error


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was meant, it may be; None where none is like it."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)
