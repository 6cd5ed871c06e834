"""What a user may ask of a verification, passed on whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from coequal.subjects.chunks import Chunks

BOUND = 2.0**-40  # the greatest probability of a wrong proof, unless another is asked for


@dataclass(frozen=True)
class Options:
    """`effort`: "quick" or "normal". `timeout`: seconds. `literal`: constants are the floats that they are."""

    seed: int = 0
    checks: str | Iterable[str] | None = None  # names, or one name; None: all
    effort: str = "normal"
    timeout: float | None = None
    bound: float = BOUND
    literal: bool = False


@dataclass(frozen=True)
class Replay:
    """One comparison to be repeated: what differs from the usual ones."""

    length: int | None = None  # frames
    batch: int | None = None  # rows
    scale: float | None = None  # of drawn weights
    chunks: Chunks | None = None
    format: str | None = None  # "float32"

    @property
    def chosen(self) -> dict[str, Any]:
        """What was given."""
        return {name: value for name, value in vars(self).items() if value is not None}


def chosen(**given: Any) -> tuple[Options, Replay]:
    """Both, from options by name; TypeError for a name that is none."""
    repeated = {field.name for field in fields(Replay)}
    return (
        Options(**{name: value for name, value in given.items() if name not in repeated}),
        Replay(**{name: value for name, value in given.items() if name in repeated}),
    )
