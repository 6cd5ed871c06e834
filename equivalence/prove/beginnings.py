"""Whether streams begin alike, whatever ran before them: with the memory that the first ones began with.

Numbers, texts and flags count. Tensors of floats that are left over do not, nor what caches keep for arguments that came
before: a table that is made once, data that the first frame overwrites.
"""

from __future__ import annotations

import contextlib
from typing import Any

from coequal.equivalence.memory.cell import Cell, Unobservable
from coequal.equivalence.memory.running import Ran, Running
from coequal.equivalence.memory.walk import memory_of
from coequal.equivalence.prove.conditions import A_TENSOR, numbers_of
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.errors import BadSubject


def running_in(session: Session[Any]) -> Ran:
    """Code of the program that runs while a stream is fed a few frames; where it raises, what ran so far."""
    running = Running()
    with contextlib.suppress(Unobservable, StreamRaised, BadSubject):
        player = session.player()
        player.running = running
        frames = session.inputs(session.legal(session.example_length), session.batch, session.seed)
        player.feed(frames, session.plan_chunks(frames))
    return running.ran()


def beginning_of(session: Session[Any]) -> list[Cell] | None:
    """What a stream remembers before its first frame; None where that cannot be seen."""
    try:
        memory = memory_of(session.player().stream, session.subject.memory, graphs=True, running=session.facts.running)
    except (Unobservable, StreamRaised, BadSubject):
        return None
    return [cell.copied() for cell in memory.places]


def begins_otherwise(session: Session[Any]) -> str:
    """What of it is not as it was when little had run yet; empty where all is."""
    before, now = session.facts.beginning, beginning_of(session)
    if before is None or now is None:
        return ""
    first, later = (dict(numbers_of(cells)) for cells in (before, now))
    other = (path for path in (*later, *first) if first.get(path) != later.get(path))
    path = next((path for path in other if not _left_over(later.get(path, first.get(path)), path)), None)
    return "" if path is None else f"where a stream begins, {path} depends on the streams before it"


def _left_over(content: Any, path: str) -> bool:
    return content[0] == A_TENSOR or ".cache[" in path
