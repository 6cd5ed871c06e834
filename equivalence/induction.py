"""All lengths at once: the induction of `proofs/theorems/induction.py`, its premises checked over a field.

Let the stream's memory after n frames be a function of the last R frames alone (two unrelated beginnings give the same
memory), and P frames later the same function of *its* last R frames, numbers that only count frames aside. Let its step use
those counts only modulo divisors of P. Then what the stream does between frame n and frame n + P it does for ever, and if
all lengths up to n + P agree, so do all lengths. For windows R is the length of the window.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from dataclasses import dataclass, field

import torch

from coequal.equivalence.bench import Example
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.counter import Counter, Uses
from coequal.equivalence.exact import ExactBench
from coequal.equivalence.memory import Cell, Unobservable, cells
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.runner import Player

Tensor = torch.Tensor
LONGEST = 400  # frames, beyond which no memory is followed
STEPS = 6000  # that all lengths together may take
CANDIDATES = 40  # periods that are tried
ALIKE = "the clip function treats all lengths alike: an inner frame depends on the frames of its receptive field alone"
HELD = "what the stream remembers is held by the stream object"


class Fails(Exception):
    """A premise does not hold, or cannot be checked; the text says which."""


class Differs(Exception):
    """A length at which stream and clip differ: nothing is left to prove."""

    def __init__(self, example: Example, mismatch: Mismatch) -> None:
        super().__init__(str(mismatch))
        self.example, self.mismatch = example, mismatch


@dataclass
class Induction:
    """Whether the premises hold; from where, with which period; what else is said of the memory."""

    holds: bool
    says: str
    start: int = 0
    period: int = 0
    span: int = 0
    assumptions: list[str] = field(default_factory=list)


def induct(exact: ExactBench, timing: MeasuredTiming, until: float, known: Induction | None = None) -> Induction:
    """Look for start and period, or check those that are `known` from another draw."""
    reach = exact.subject.window or timing.receptive_field
    if reach is None:
        return Induction(False, "the receptive field could not be measured: the memory was not followed")
    if math.isinf(reach):
        return Induction(False, "the stream remembers everything: no finite memory to follow")
    search = _Search(exact, int(reach), timing.stride or 1, until)
    try:
        if known is None:
            start, period = search.found()
        else:
            search.span, start, period = known.span, known.start, known.period
        search.check(start, period)
    except (Fails, Unobservable) as error:
        return Induction(False, str(error))
    says = f"what the stream remembers after {start} frames depends on the last {search.span} alone, with period {period}"
    window = exact.subject.window is not None
    return Induction(True, says, start, period, search.span, [HELD] if window else [HELD, ALIKE])


@dataclass
class _Search:
    """The premises for one subject in one draw."""

    exact: ExactBench
    reach: int
    stride: int
    until: float
    span: int = 0  # how many last frames the memory is a function of

    def found(self) -> tuple[int, int]:
        """The first start and period whose memories repeat; Fails where none does."""
        start = self._start()
        for _ in range(3):
            period, uses = self._shortest_period(start)
            if not uses.ahead:
                return start, period
            start = self._legal(max(uses.ahead) + self.span + self.stride)  # a threshold that was not reached yet
            if start > LONGEST:
                raise Fails(f"the stream compares its frame number with {max(uses.ahead)}: beyond {LONGEST} frames")
        raise Fails("the stream keeps comparing its frame number with larger ones")

    def _start(self) -> int:
        """The fewest last frames that the memory is a function of are found first: the receptive field, or a few more, since
        a stream may lag behind.
        """
        for span in (self.reach, self.reach + 1, self.reach + 2, 2 * self.reach, 3 * self.reach + 2):
            self.span, start = span, self._legal(span + self.stride)
            self.__dict__.pop("last", None)
            try:
                self._same_after_another_beginning(self._after(start, 0), start)
            except Fails as error:
                why = error
                continue
            return start
        raise why

    def _shortest_period(self, start: int) -> tuple[int, Uses]:
        first = self._after(start, 0)
        why = Fails("the memory does not repeat")
        for period in self._periods(first):
            self._in_time()
            try:
                uses = self._repeats(first, start, period)
            except Fails as error:
                why = error
                continue
            if not uses.misfits:
                return period, uses
            why = Fails(f"the stream takes a count modulo {min(uses.misfits)}")
        raise why

    def check(self, start: int, period: int) -> None:
        """All premises: memory, counters, and every length up to start + period."""
        first = self._after(start, 0)
        self._same_after_another_beginning(first, start)
        uses = self._repeats(first, start, period)
        if uses.ahead:
            raise Fails(f"the stream compares its frame number with {max(uses.ahead)}, which it has not passed")
        if uses.misfits:
            raise Fails(f"the stream takes a count modulo {min(uses.misfits)}")
        self._every_length(start + period)
        if self.exact.subject.window is None:
            self._clip_alike(start + period)

    def _legal(self, length: int) -> int:
        legal = self.exact.plan.legal(length)
        while legal < length:
            length += 1
            legal = self.exact.plan.legal(length)
            if length > LONGEST:
                raise Fails("no such length can be fed in legal chunks")
        return legal

    def _in_time(self) -> None:
        if time.monotonic() > self.until:
            raise Fails("no time was left to follow the memory")

    def _periods(self, first: list[Cell]) -> list[int]:
        """Candidates: the stride, and with it the sizes of what may be rings, alone and in pairs, shortest first."""
        most = 4 * self.reach + 8
        sizes = {1, self.reach, self.reach + 1}
        for cell in first:
            if isinstance(cell.content, Tensor):
                sizes |= {n for n in cell.content.shape if 1 < n <= most}
            elif type(cell.content) is int and 1 < cell.content <= most:
                sizes.add(cell.content)
        unit = math.lcm(self.stride, self.exact.plan.unit)
        sizes |= self._moduli(first, unit)
        periods = {math.lcm(unit, n, m) for n in sizes for m in sizes}
        return sorted(n for n in periods if n <= LONGEST)[:CANDIDATES]

    def _moduli(self, first: list[Cell], unit: int) -> set[int]:
        """What the stream takes its frame number modulo of, as far as a few frames show."""
        start = self.span + unit
        later = self._after(self._legal(start + unit), 2)
        grown = [
            i
            for i, (a, b) in enumerate(zip(first, later, strict=False))
            if type(a.content) is int and type(b.content) is int and b.content > a.content
        ]
        uses = Uses()
        with contextlib.suppress(Fails):
            self._watch(self._legal(start), unit, dict.fromkeys(grown, unit), uses)
        return uses.moduli

    # -- memories --------------------------------------------------------------------------------------------------------

    def _frames(self, length: int, seed: int) -> Tensor:
        return self.exact.inputs(length, self.exact.batch, self.exact.seed + 31 * seed)

    def _fed(self, length: int, beginning: int) -> Player:
        """A stream that has seen so many frames: a beginning of its own, then the last frames that all have."""
        frames = torch.cat([self._frames(length - self.span, 3 + beginning), self.last], self.exact.subject.time)
        return self.exact.player().feed(frames, self.exact.plan_chunks(frames))

    @functools.cached_property
    def last(self) -> Tensor:
        """The last frames that every memory has seen."""
        return self._frames(self.span, 2)

    def _after(self, length: int, beginning: int) -> list[Cell]:
        """A copy of the memory: what is kept may be overwritten."""
        held = cells(self._fed(length, beginning).stream)
        return [Cell(c.path, c.content.clone() if isinstance(c.content, Tensor) else c.content, None) for c in held]

    def _same_after_another_beginning(self, first: list[Cell], start: int) -> None:
        other = self._after(start, 1)
        same_structure(first, other)
        for a, b in zip(first, other, strict=True):
            if not self._same(a.content, b.content):
                raise Fails(f"{a.path} depends on more than the last {self.span} frames")

    def _repeats(self, first: list[Cell], start: int, period: int) -> Uses:
        """Same last frames, same memory a period later; and what is done with the numbers that have grown."""
        grown = self._grown(first, self._after(start + period, 2))
        uses = Uses()
        if grown:
            flushes = hasattr(self.exact.player().stream, "flush")
            for length in range(period + 1) if flushes else [period]:
                self._in_time()
                self._watch(start, length, grown, uses)
        return uses

    def _grown(self, first: list[Cell], later: list[Cell]) -> dict[int, int]:
        """Places whose numbers are larger a period later, and by how much; Fails where anything else differs."""
        same_structure(first, later)
        grown = {}
        for i, (a, b) in enumerate(zip(first, later, strict=True)):
            if self._same(a.content, b.content):
                continue
            if type(a.content) is int and type(b.content) is int and b.content > a.content:
                grown[i] = b.content - a.content
            else:
                raise Fails(f"{a.path} is another function of the last frames a period later")
        return grown

    def _same(self, a: object, b: object) -> bool:
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            return a.shape == b.shape and a.dtype == b.dtype and bool(self.exact.over.same(a, b).all())
        return type(a) is type(b) and a == b

    def _watch(self, start: int, length: int, grown: dict[int, int], uses: Uses) -> None:
        """`length` frames with watched counters in place of the numbers that grow; then the end. Legal lengths only."""
        if length and self.exact.plan.legal(length) < length:
            return
        player = self._fed(start, 0)
        places = cells(player.stream)
        for i, growth in grown.items():
            cell = places[i]
            if cell.put is None:
                raise Fails(f"{cell.path} counts frames, and cannot be watched")
            cell.put(Counter(cell.content, uses, growth))
        if length:
            frames = self._frames(length, 9)
            player.feed(frames, self.exact.plan_chunks(frames))
        player.flush()
        if uses.escapes:
            raise Fails(f"the stream uses its frame number itself: as {', '.join(sorted(uses.escapes))}")

    # -- lengths -----------------------------------------------------------------------------------------------------------

    def _every_length(self, longest: int) -> None:
        """Every length from one frame up; of windows, and of streams that end with nothing owed, the longest says it all."""
        exact = self.exact
        lengths = range(1, longest + 1) if exact.subject.window is None else [longest]
        lengths = sorted({exact.plan.legal(n) for n in lengths} - {0})
        if sum(lengths) > STEPS:
            raise Fails(f"all lengths up to {longest} would take {sum(lengths)} steps: only some were compared")
        compared = 0
        for length in lengths:
            self._in_time()
            example = Example(length, exact.batch, exact.seed + 61)
            x = exact.inputs(example.length, example.batch, example.seed)
            try:
                compared += exact.compare(x, exact.play(x, example.chunks))
            except Mismatch as mismatch:
                raise Differs(example, mismatch) from None
        if not compared:
            raise Fails(f"no stream of up to {longest} frames had anything to compare")

    def _clip_alike(self, length: int) -> None:
        """A sample of what is assumed: the clip of a later part of a longer clip has the same inner frames."""
        exact, axis = self.exact, self.exact.output_time
        shift = self.stride * -(-self.reach // self.stride)
        x = self._frames(length + shift, 11)
        long, short = exact.clip(x), exact.clip(x.narrow(exact.subject.time, shift, length))
        if long is None or short is None:
            raise Fails("the clip function does not take all lengths")
        margin = -(-self.reach // self.stride)
        count = short.shape[axis] - 2 * margin
        if count > 0:
            a = long.narrow(axis, shift // self.stride + margin, count)
            if not bool(exact.over.same(a, short.narrow(axis, margin, count)).all()):
                raise Fails("the clip function does not treat all lengths alike")


def same_structure(first: list[Cell], other: list[Cell]) -> None:
    """Fails where two memories have other places."""
    if [cell.path for cell in first] != [cell.path for cell in other]:
        extra = {cell.path for cell in first} ^ {cell.path for cell in other}
        raise Fails(f"what is remembered changes its shape: {sorted(extra)[0] if extra else 'order of parts'}")
