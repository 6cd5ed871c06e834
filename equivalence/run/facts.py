"""What a session knows of its subject before anything is judged: found once by `observe`, and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from coequal.equivalence.memory.cell import Cell
from coequal.equivalence.memory.running import NOTHING, Ran
from coequal.equivalence.report import MeasuredTiming


@dataclass(frozen=True)
class Facts:
    """Counts are frames."""

    reach: int = 8  # after so many frames nothing new can happen
    owed: int = 0  # frames that a stream without a flush may keep for itself
    due: tuple[int, int] | None = None  # in window mode: the first emission after so many frames, and the gap
    scale: float | None = None  # of the weights where an example does not choose: None, those given
    frame_of_window: int = -1  # in window mode, which frame of the clip's result an emission is
    unread: tuple[str, ...] = ()  # parameters that the stream does not read from the modules: none are drawn then
    timing: MeasuredTiming = field(default_factory=MeasuredTiming)
    running: Ran = NOTHING  # code of the program that ran while a stream was fed
    beginning: list[Cell] | None = None  # what a stream remembers before its first frame, where that can be seen
