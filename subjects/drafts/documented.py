"""Axes as the documentation of a module writes them: `(T, B, F)`, `(batch, time, features)`."""

from __future__ import annotations

import inspect
import re
from typing import Any

TIME = {"t", "l", "time", "seq", "seq_len", "seq_length", "sequence", "length", "frames", "steps", "len"}
ROWS = {"b", "n", "batch", "batch_size", "bsz", "rows"}
AXES = re.compile(r"[(\[]([A-Za-z0-9_*. ]+(?:,[A-Za-z0-9_*. ]+)+)[)\]]")


def axes(*documented: Any) -> list[str]:
    """Each tuple of axes in the docstrings of classes and methods, in order, a letter an axis: T, B, 1, and F for others.

    What a class or a method inherits says nothing of it, and torch's own layers document two layouts each.
    """
    own = [
        vars(thing).get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", None) for thing in documented
    ]
    return [letters(names) for text in own for names in AXES.findall(inspect.cleandoc(text or ""))]


def letters(names: str) -> str:
    """`batch, time, features` -> `BTF`."""
    return "".join(_letter(name.strip().lower()) for name in names.split(","))


def of_clips(found: list[str]) -> str | None:
    """The first that has rows and time, once each: the axes of a clip."""
    return next((each for each in found if each.count("T") == 1 and each.count("B") == 1), None)


def of_frames(found: list[str], rank: int) -> bool | None:
    """Whether the first that could be a frame's keeps the time axis, clips having so many axes; None where none says."""
    for each in found:
        if len(each) == rank and ("1" in each or "T" in each):
            return True
        if len(each) == rank - 1 and "T" not in each and "B" in each:
            return False
    return None


def _letter(name: str) -> str:
    if name in TIME:
        return "T"
    if name in ROWS:
        return "B"
    return "1" if name == "1" else "F"
