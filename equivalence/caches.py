"""Results that functions keep for next time (`functools.lru_cache`): tables made in one draw mean nothing in the next."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
from collections.abc import Iterator

LIBRARIES = {"torch", "numpy", "sympy", "hypothesis", "coequal", "mpmath", *sys.stdlib_module_names}


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """Within it the programs' own caches start empty, and nothing that they keep there outlives it."""
    forget()
    try:
        yield
    finally:
        forget()


def forget() -> None:
    """Clear the caches of all functions but those of libraries."""
    for thing in gc.get_objects():
        if type(thing) is functools._lru_cache_wrapper and (thing.__module__ or "").partition(".")[0] not in LIBRARIES:
            thing.cache_clear()
