"""All ways that are tried, and the one that is kept: the first that fits, in the order in which the module offers them.

That a way agrees with the clip is no reason to keep it: a draft that looked for agreement would hide what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from torch import nn

from coequal.subjects.drafts.code import RAW, Way, no_clip, put_off
from coequal.subjects.drafts.layouts import LONG, Layout
from coequal.subjects.drafts.play import Raised
from coequal.subjects.drafts.starts import Start, starts, zeros_like
from coequal.subjects.drafts.streams import Entry, frames_keep_time, fresh
from coequal.subjects.drafts.trial import Outcome, handed_on, plain_clip, readings, runs, several_of, tried

MOST = 24  # ways that are tried at all


@dataclass
class Search:
    """What was found: the outcome that is kept, all outcomes in the order of trial, and what examples the clip refused."""

    kept: Outcome | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    plain: str = ""  # what came of the clip function with all arguments left at their defaults, if not the same
    several: str = ""  # what came of several frames at once, if not the same

    def passed_over(self) -> bool:
        """Whether what the module offers first is not what is kept."""
        if self.kept is None:
            return False
        first, kept = self.outcomes[0].way, self.kept.way
        return (first.entry, first.start, first.fresh) != (kept.entry, kept.start, kept.fresh) or first.keeps != kept.keeps

    def disagree(self) -> bool:
        """Whether a way that runs on the axes that are kept does not give the clip's frames."""
        return any(self._kept(outcome) and outcome.agrees() is False for outcome in self.outcomes)

    def axes_disagree(self) -> bool:
        """Whether one does not on other axes."""
        return any(not self._kept(outcome) and outcome.agrees() is False for outcome in self.outcomes)

    def note(self, outcome: Outcome) -> Outcome:
        """A way was tried: the first that fits is kept."""
        self.outcomes.append(outcome)
        if self.kept is None and outcome.fits:
            self.kept = outcome
        return outcome

    def say_plain(self, difference: str) -> None:
        """How the clip function differs without what the draft puts off."""
        self.plain = difference

    def offer(self, several: str, *, single: bool) -> None:
        """What is said of several frames at once, and whether single frames are all that is offered."""
        assert self.kept is not None
        self.several, self.kept = several, replace(self.kept, way=replace(self.kept.way, single=single))

    def _kept(self, outcome: Outcome) -> bool:
        return self.kept is not None and outcome.way.layout.axes == self.kept.way.layout.axes


def search(module: nn.Module, entries: list[Entry], layouts: list[Layout]) -> Search:
    """Try the ways into the module on the clips that it takes."""
    found = Search()
    taken = _taken(module, entries[0], layouts, found)
    for layout in taken:
        _try(module, [way for entry in entries for way in islice(ways(module, entry, layout), MOST)], found)
        if found.kept is not None:
            break
    if found.kept is not None:
        _others(module, found, taken)
        _chunks(module, found, found.kept)
        if found.kept.way.clip is not None and put_off(module):
            found.say_plain(plain_clip(module, found.kept))
    return found


def _chunks(module: nn.Module, found: Search, kept: Outcome) -> None:
    """Several frames at once are offered unless they raise, or the method is for one frame. Other values are no reason."""
    if not kept.way.chunked:
        return
    several, refused = several_of(module, kept) if kept.way.entry.several else ("", True)
    found.offer(several, single=refused)


def ways(module: nn.Module, entry: Entry, layout: Layout) -> Iterator[Way]:
    """All ways through one entry, the default of each choice first; with one row where the first raises with more."""
    clip = None if no_clip(module) else RAW
    keeps = [False] if isinstance(module, nn.RNNCellBase) else frames_keep_time(module, entry, len(layout.axes))
    for rows in (layout, layout.alone()) if not layout.fixed else (layout,):
        for keep in keeps:
            for start in starts(module, entry.of(module), entry.roles.states):
                for reset in fresh(module, entry):
                    yield Way(entry, rows, start, reset, keep, clip=clip)


def _taken(module: nn.Module, entry: Entry, layouts: list[Layout], found: Search) -> list[Layout]:
    """The layouts that the clip function takes, longer ones or one row alone where it takes no other."""
    if no_clip(module):
        return layouts[:1]
    taken = []
    for layout in layouts:
        shapes = [layout] if layout.fixed else [layout, layout.of("T", LONG), layout.alone()]
        begins = starts(module, entry.of(module), entry.roles.states)
        for shape in shapes:
            refused = [runs(module, Way(entry, shape, start, fresh(module, entry)[0]), shape) for start in begins]
            if "" in refused:
                taken.append(shape)
                break
            if shape is layout and not taken:
                found.refused.append(f"{layout.named()} from {layout.read}: {refused[0]}")
    return taken


def _try(module: nn.Module, offered: list[Way], found: Search) -> None:
    """Try what is offered; what is spare, and one row alone, only where nothing else fits."""
    for alone in (False, True):
        rows = [way for way in offered if (way.layout.rows == 1) is alone]
        read = [reading for way in rows if not way.start.spare for reading in _tried(module, way, found, spare=False)]
        if found.kept is None:
            for way in read:
                found.note(tried(module, way))
        if found.kept is None:
            for way in [way for way in rows if way.start.spare]:
                _tried(module, way, found, spare=True)
        if found.kept is not None:
            return


def _tried(module: nn.Module, way: Way, found: Search, *, spare: bool) -> list[Way]:
    """What comes back is read as is usual, and otherwise only where that does not fit; the readings that are left over."""
    try:
        read = list(readings(module, way))
    except Raised as error:
        found.note(Outcome(way, False, f"raised {error}"))
        return []
    if not read:
        found.note(Outcome(way, False, "what comes back has no output that could be told from a state"))
    for each in read:
        if spare or not each.take.spare:
            outcome = found.note(tried(module, each))
            if outcome.fits:
                return []
    left = [] if spare else [each for each in read if each.take.spare]
    if left:
        found.note(Outcome(way, False, "the output alone comes back, and no state: taken for both where nothing else fits"))
    return left


def _others(module: nn.Module, found: Search, taken: list[Layout]) -> None:
    """For the comment alone: the way that is kept with a state of zeros, and on other axes where those are but custom."""
    assert found.kept is not None
    way = found.kept.way
    state = zeros_of(module, way)
    if state is not None and all(outcome.way.start != state for outcome in found.outcomes):
        _aside(module, replace(way, start=state), found)
    if not way.layout.settled and not way.layout.fixed:
        for layout in taken:
            if (layout.axes, layout.read) != (way.layout.axes, way.layout.read) and layout.read == way.layout.read:
                _aside(module, replace(way, layout=layout), found)


def _aside(module: nn.Module, way: Way, found: Search) -> None:
    try:
        read = [each for each in readings(module, way) if each.take == way.take][:1]
    except Raised as error:
        found.outcomes.append(Outcome(way, False, f"raised {error}"))
        return
    found.outcomes.extend(tried(module, each) for each in read)


def zeros_of(module: nn.Module, way: Way) -> Start | None:
    """A start of zeros, in the shape of the state that the way hands on."""
    if set(way.start.sources) != {"None"} or len(way.start.sources) != 1 or len(way.take.states) != 1:
        return None
    source = zeros_like(module, handed_on(module, way, 1))
    grows = source != zeros_like(module, handed_on(module, way, 2))
    return None if source is None or grows else Start((source,), "zeros, in the shape of what the first call gives")
