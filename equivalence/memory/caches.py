"""Results that functions keep for next time (`functools.lru_cache`): tables made in one draw mean nothing in the next."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterator

from coequal.equivalence.memory.reads import is_known

_Cache = functools._lru_cache_wrapper
LIBRARIES = ("sympy.", "mpmath.", "hypothesis.")  # besides those whose code is known


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
    for cache in gc.get_referrers(_Cache):  # an object holds its type: faster than a look at the type of every object
        if type(cache) is not _Cache or is_known(cache.__module__):
            continue
        if not f"{cache.__module__}.".startswith(LIBRARIES):
            cache.cache_clear()
