"""How a set lies in memory: in which order it gives its members, now and when others come, depends on that alone.

A set is a table of places, of which a member takes the first that is free. So it remembers in which order members came, how
many it had room for, and those that left it, whose places stay taken.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from coequal.equivalence.memory.cell import Unobservable

FILL, USED, MASK, FINGER = 16, 24, 32, 56  # in the structure of CPython, in bytes


def _number(thing: Any, offset: int) -> int:
    return ctypes.c_ssize_t.from_address(id(thing) + offset).value


def _places(members: Any) -> tuple[int, ...]:
    """Of the members, in the table."""
    follow = ctypes.pythonapi._PySet_NextEntry
    place, key, digest = ctypes.c_ssize_t(0), ctypes.c_void_p(), ctypes.c_ssize_t(0)
    found = list[int]()
    while follow(ctypes.py_object(members), ctypes.byref(place), ctypes.byref(key), ctypes.byref(digest)):
        found.append(place.value)
    return tuple(found)


def _is_as_known() -> bool:
    """Whether sets lie in memory as they do in CPython 3.11 to 3.13."""
    if sys.implementation.name != "cpython" or not hasattr(ctypes.pythonapi, "_PySet_NextEntry"):
        return False
    few = {1, 5}
    few.discard(5)
    return (_number(few, FILL), _number(few, USED), _number(few, MASK), _places(few)) == (2, 1, 7, (2,))


KNOWN = _is_as_known()


def layout(members: set | frozenset, path: str) -> tuple[Any, ...]:
    """All that its order depends on; Unobservable where members have left it, or nobody knows how it lies."""
    if not KNOWN:
        raise Unobservable(f"{path} is a set: how it lies in memory is not known for this Python")
    if _number(members, FILL) != _number(members, USED):
        raise Unobservable(f"{path} is a set that members have left: its order remembers them")
    return (type(members).__name__, _number(members, MASK), _number(members, FINGER), _places(members))
