"""`functools.cache` for results that no proof forgets: what functions keep for next time is emptied before each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def kept(made: Callable[..., T]) -> Callable[..., T]:
    """The function, called once for the same arguments."""
    results: dict[tuple[Any, ...], T] = {}

    def once(*arguments: Any) -> T:
        if arguments not in results:
            results[arguments] = made(*arguments)
        return results[arguments]

    return once
