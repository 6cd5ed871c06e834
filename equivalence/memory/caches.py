"""Results that functions keep for next time (`functools.lru_cache`): tables made in one draw mean nothing in the next."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterable, Iterator
from typing import Any

from coequal.equivalence.memory.known import is_librarys

LIBRARIES = ("sympy.", "mpmath.", "hypothesis.")  # besides those whose code is known
_Cache = functools._lru_cache_wrapper
_aside: list[Any] = []  # caches among what was set aside
_looked: list[bool] = []  # not empty: what there was is set aside (to ask the collector takes as long as it has objects)


def set_aside() -> None:
    """What there is now is looked through once, and never again: for a process that proves many programs.

    A look goes through all that the collector knows, which is most of what libraries made; so does the collector itself.
    """
    _aside.extend(_caches())
    gc.freeze()
    _looked[:] = [True]


@contextlib.contextmanager
def looked_through_once() -> Iterator[None]:
    """Within it, what there was when it began is looked through once, and set aside for the collector.

    Not where somebody else set objects aside, who may want them back at another time.
    """
    if _looked or gc.get_freeze_count():
        yield
        return
    found = _caches()
    _aside.extend(found)
    gc.freeze()
    _looked.append(True)
    try:
        yield
    finally:
        _looked.clear()
        gc.unfreeze()
        del _aside[len(_aside) - len(found) :]


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """Within it the programs' own caches start empty, and nothing that they keep there outlives it."""
    with looked_through_once():
        before = [*_aside, *_caches()]
        _clear(before)
        try:
            yield
        finally:
            _clear([*before, *_caches()])


def _caches() -> list[Any]:
    """Those of all functions but libraries' that the collector knows."""
    held = gc.get_referrers(_Cache)  # an object holds its type: faster than a look at the type of every object
    return [cache for cache in held if type(cache) is _Cache and not _of_a_library(cache)]


def _of_a_library(cache: Any) -> bool:
    return is_librarys(cache) or f"{cache.__module__}.".startswith(LIBRARIES)


def _clear(caches: Iterable[Any]) -> None:
    for cache in caches:
        cache.cache_clear()
