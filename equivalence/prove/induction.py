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
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.memory.walk import Memory, Unobservable, memory_of
from coequal.equivalence.memory.watched import Counter, TensorCounter, Uses
from coequal.equivalence.prove.field_reach import field_reach
from coequal.equivalence.prove.remembered import Kept, Remembered, remember, same
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player
from coequal.proofs.field.errors import NotDecided, NotExact, Redraw

Tensor = torch.Tensor
LONGEST = 1200  # frames, beyond which no memory is followed
STEPS = 6000  # that all lengths together may take
SPANS = 12  # numbers of last frames that are tried for memories longer than the receptive field
CANDIDATES = 40  # periods that are tried
ALIKE = "the clip function treats all lengths alike: an inner frame depends on the frames of its receptive field alone"
HELD = "what the stream remembers is held by the stream object and by what its code reads"
DECLARED = "the stream's memory is what the subject's `memory` says: {name}"


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
    reach: int = 0  # the receptive field, or the window
    tried: int = 1  # candidates that could have been accepted: a union bound
    lengths: list[int] = field(default_factory=list)  # that were compared on the way
    globals: list[str] = field(default_factory=list)  # that the stream's code reads
    assumptions: list[str] = field(default_factory=list)


def induct(exact: FieldSession, timing: MeasuredTiming, until: float, known: Induction | None = None) -> Induction:
    """Look for start and period, or check those that are `known` from another draw."""
    search = _Search(exact, 0, Fraction(1), until)
    try:
        search.reach, search.stride = _reach(exact, timing)
        if known is None:
            start, period = search.found()
        else:
            search.span, start, period = known.span, known.start, known.period
        search.check(start, period)
    except (Fails, Unobservable) as error:
        return Induction(False, str(error), tried=search.tried, lengths=search.compared, globals=search.globals)
    says = f"what the stream remembers after {start} frames depends on the last {search.span} alone, with period {period}"
    assumptions = [_held(exact)] if exact.subject.window is not None else [_held(exact), ALIKE]
    kept = (search.span, search.reach, search.tried, search.compared, search.globals, assumptions)
    return Induction(True, says, start, period, *kept)


def _held(exact: FieldSession) -> str:
    """What is assumed of the memory: that it is what was walked, or what the subject declares."""
    declared = exact.subject.memory
    return HELD if declared is None else DECLARED.format(name=getattr(declared, "__qualname__", repr(declared)))


def _reach(exact: FieldSession, timing: MeasuredTiming) -> tuple[int, Fraction]:
    """Receptive field and stride: the window, or what floats measured, and what the same over a field adds to it."""
    if exact.subject.window is not None:
        return exact.subject.window, Fraction(timing.stride or 1)
    if timing.receptive_field is not None and math.isinf(timing.receptive_field):
        raise Fails("the stream remembers everything: no finite memory to follow")
    stride = Fraction(timing.stride) if timing.stride is not None else _rate(exact)
    found = field_reach(exact, int(timing.receptive_field or 1), stride)
    if found is None:
        raise Fails("the receptive field could not be measured: the memory was not followed")
    if found.count is None:
        raise Fails(f"no end was seen of what the clip function needs, in a clip of {found.length} frames")
    return max(int(timing.receptive_field or 1), found.count), stride


def _rate(exact: FieldSession) -> Fraction:
    """Frames in for each frame out, from two lengths."""
    short, long = exact.legal(24), exact.legal(48)
    counts = []
    for length in (short, long):
        output = exact.clip(exact.inputs(length, exact.batch, exact.seed + 69))
        if output is None or output.dim() <= exact.output_time:
            raise Fails("the receptive field could not be measured: the memory was not followed")
        counts.append(output.shape[exact.output_time])
    if counts[1] <= counts[0]:
        raise Fails("the clip function's output does not grow with the clip")
    return Fraction(long - short, counts[1] - counts[0])


@dataclass
class _Search:
    """The premises for one subject in one draw."""

    exact: FieldSession
    reach: int
    stride: Fraction
    until: float
    span: int = 0  # how many last frames the memory is a function of
    tried: int = 0
    compared: list[int] = field(default_factory=list)
    globals: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The fewest frames in that go with whole frames out."""
        return self.stride.numerator

    def found(self) -> tuple[int, int]:
        """The first start and period whose memories repeat; Fails where none does."""
        start = self._start()
        for _ in range(3):
            period, uses = self._shortest_period(start)
            if not uses.ahead:
                return start, period
            start = self._legal(max(uses.ahead) + self.span + self.step)  # a threshold that was not reached yet
            if start > LONGEST:
                raise Fails(f"the stream compares its frame number with {max(uses.ahead)}: beyond {LONGEST} frames")
        raise Fails("the stream keeps comparing its frame number with larger ones")

    def _start(self) -> int:
        """The fewest last frames that the memory is a function of are found first: the receptive field, or a few more, since
        a stream may lag behind.
        """
        why = Fails("the memory is a function of no number of last frames that was tried")
        few = (self.reach, self.reach + 1, self.reach + 2, 2 * self.reach, 3 * self.reach + 2)
        for span in (*few, *self._rings(few[-1])):
            self.span, start = span, self._legal(span + self.step)
            self.__dict__.pop("last", None)
            self.tried += 1
            try:
                self._same_after_another_beginning(self._after(start, 0), start)
            except Fails as error:
                why = error
                continue
            return start
        raise why

    def _rings(self, tried: int) -> Iterator[int]:
        """What else a memory may be a function of: as many last frames as fit into a ring that is longer than it must be."""
        sizes = {n + more for n in _sizes(self._after(self._legal(self.span + self.step), 0)) for more in (0, 1)}
        yield from sorted(n for n in sizes if tried < n <= LONGEST // 2)[:SPANS]

    def _shortest_period(self, start: int) -> tuple[int, Uses]:
        first = self._after(start, 0)
        why = Fails("the memory does not repeat")
        for period in self._periods(first):
            self._in_time()
            self.tried += 1
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
        self._responds(first, start)
        uses = self._repeats(first, start, period)
        if uses.ahead:
            raise Fails(f"the stream compares its frame number with {max(uses.ahead)}, which it has not passed")
        if uses.misfits:
            raise Fails(f"the stream takes a count modulo {min(uses.misfits)}")
        self._every_length(start + period)
        if self.exact.subject.window is None:
            self._clip_alike(start + period)

    def _responds(self, first: Remembered, start: int) -> None:
        """Whoever needs earlier frames holds something that changes with them."""
        if self.reach <= 1 or self.reach <= self.stride:
            return
        frames = self._frames(start, 5)
        other = self._remembered(self.exact.player().feed(frames, self.exact.plan_chunks(frames)))
        if other.paths != first.paths or not all(
            same(self.exact, a.content, b.content) for a, b in zip(first.cells, other.cells, strict=True)
        ):
            return
        raise Fails("nothing that the stream holds changes with its frames, though it needs earlier ones: memory is hidden")

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

    def _periods(self, first: Remembered) -> list[int]:
        """Candidates: the stride, and with it the sizes of what may be rings, alone and in pairs, shortest first."""
        most = max(4 * self.reach + 8, 2 * self.span)
        sizes = {1, self.reach, self.reach + 1, *(n for n in _sizes(first) if n <= most)}
        unit = math.lcm(self.step, self.exact.plan.unit)
        sizes |= self._moduli(first, unit)
        periods = {math.lcm(unit, n, m) for n in sizes for m in sizes}
        return sorted(n for n in periods if n <= LONGEST)[:CANDIDATES]

    def _moduli(self, first: Remembered, unit: int) -> set[int]:
        """What the stream takes its frame number modulo of, as far as a few frames show."""
        start = self.span + unit
        later = self._after(self._legal(start + unit), 2)
        pairs = enumerate(zip(first.cells, later.cells, strict=False))
        grown = [i for i, (a, b) in pairs if (growth := _growth(a.content, b.content)) is not None and growth > 0]
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

    def _memory(self, stream: Any) -> Memory:
        memory = memory_of(stream, self.exact.subject.memory)
        self.globals = sorted({*self.globals, *memory.globals})
        return memory

    def _remembered(self, player: Player) -> Remembered:
        return remember(self.exact, self._memory(player.stream))

    def _after(self, length: int, beginning: int) -> Remembered:
        """What is remembered after so many frames; parameters that have changed by then are a memory that cannot be seen."""
        before = remember(self.exact, self._memory(self.exact.player().stream)).parameters
        found = self._remembered(self._fed(length, beginning))
        changed = [name for name, was in before.items() if found.parameters.get(name, was) != was]
        if changed:
            raise Fails(f"the parameter {changed[0]} changes while frames are fed")
        return found

    def _same_after_another_beginning(self, first: Remembered, start: int) -> None:
        other = self._after(start, 1)
        same_structure(first, other)
        for a, b in zip(first.cells, other.cells, strict=True):
            if not same(self.exact, a.content, b.content):
                raise Fails(f"{a.path} depends on more than the last {self.span} frames")

    def _repeats(self, first: Remembered, start: int, period: int) -> Uses:
        """Same last frames, same memory a period later; and what is done with the numbers that have grown."""
        grown = self._grown(first, self._after(start + period, 2))
        uses = Uses()
        if grown:
            flushes = hasattr(self.exact.player().stream, "flush")
            for length in range(period + 1) if flushes else [period]:
                self._in_time()
                self._watch(start, length, grown, uses)
        return uses

    def _grown(self, first: Remembered, later: Remembered) -> dict[int, int]:
        """Places whose numbers are larger a period later, and by how much; Fails where anything else differs."""
        same_structure(first, later)
        grown = {}
        for i, (a, b) in enumerate(zip(first.cells, later.cells, strict=True)):
            if same(self.exact, a.content, b.content):
                continue
            growth = _growth(a.content, b.content)
            if growth is None or growth <= 0:
                raise Fails(f"{a.path} is another function of the last frames a period later")
            grown[i] = growth
        return grown

    def _watch(self, start: int, length: int, grown: dict[int, int], uses: Uses) -> None:
        """`length` frames with watched counters in place of the numbers that grow; then the end. Legal lengths only.

        Whatever is raised while they are watched may be of their making: it ends the induction, and nothing else.
        """
        if length and self.exact.plan.legal(length) < length:
            return
        player = self._fed(start, 0)
        memory = self._memory(player.stream)
        if grown and memory.counts_types:
            raise Fails("the stream asks for the types of objects: a counter cannot be watched")
        places = [memory.cells[i] for i in grown]
        for cell, growth in zip(places, grown.values(), strict=True):
            if cell.put is None:
                raise Fails(f"{cell.path} counts frames, and cannot be watched")
            cell.put(_watched(cell.content, uses, growth))
        self._in_place(player.stream, [cell.path for cell in places])
        self._guarded(lambda: self._go_on(player, length, [cell.path for cell in places]))
        if uses.escapes:
            raise Fails(f"the stream uses its frame number itself: as {', '.join(sorted(uses.escapes))}")

    def _go_on(self, player: Player, length: int, paths: list[str]) -> None:
        if length:
            frames = self._frames(length, 9)
            player.feed(frames, self.exact.plan_chunks(frames))
            self._in_place(player.stream, paths)
        player.flush()

    def _guarded(self, run: Callable[[], None]) -> None:
        with self.exact.numbers.over.probing() as refused:
            try:
                run()
            except (Fails, Unobservable, Redraw):
                raise
            except (Exception, NotDecided, NotExact) as error:
                raise Fails(f"with its counter watched the stream raises: {error}") from None
        if refused:
            raise Fails(f"with its counter watched: {refused[0]}")

    def _in_place(self, stream: Any, paths: list[str]) -> None:
        """The watched numbers are where they were put: nobody has made copies, or put them where nobody looks."""
        found = {cell.path: cell.content for cell in self._memory(stream).cells}
        for path in paths:
            if type(found.get(path)) not in (Counter, TensorCounter):
                raise Fails(f"{path} counts frames, and a watched number does not stay there")

    # -- lengths -----------------------------------------------------------------------------------------------------------

    def _every_length(self, longest: int) -> None:
        """Every length from one frame up; of windows, and of streams that end with nothing owed, the longest says it all."""
        exact = self.exact
        lengths = range(1, longest + 1) if exact.subject.window is None else [longest]
        lengths = sorted({exact.plan.legal(n) for n in lengths} - {0})
        prefixes = not hasattr(exact.player().stream, "flush") and exact.plan.allows((1, 1))
        steps = longest if prefixes else sum(lengths)
        if steps > STEPS:
            raise Fails(f"all lengths up to {longest} would take {steps} steps: only some were compared")
        whole = exact.inputs(longest, exact.batch, exact.seed + 61)
        trace, compared = exact.play(whole) if prefixes else None, 0
        for length in lengths:
            self._in_time()
            example = Example(length, exact.batch, exact.seed + 61)
            x = whole.narrow(exact.subject.time, 0, length)
            try:
                compared += agree(exact, x, exact.play(x, example.chunks) if trace is None else trace.of_the_first(length))
            except Mismatch as mismatch:
                raise Differs(example, mismatch) from None
            self.compared.append(length)
        if not compared:
            raise Fails(f"no stream of up to {longest} frames had anything to compare")

    def _clip_alike(self, length: int) -> None:
        """A sample of what is assumed: the clip of a later part of a longer clip has the same inner frames."""
        exact, axis = self.exact, self.exact.output_time
        margin = -int(-self.reach // self.stride)
        shift = math.lcm(self.step, exact.plan.unit)
        while shift < self.reach:
            shift += math.lcm(self.step, exact.plan.unit)
        x = self._frames(length + shift, 11)
        long, short = exact.clip(x), exact.clip(x.narrow(exact.subject.time, shift, length))
        if long is None or short is None:
            raise Fails("the clip function does not take all lengths")
        count = short.shape[axis] - 2 * margin
        if count > 0:
            a = long.narrow(axis, int(shift / self.stride) + margin, count)
            if not bool(exact.numbers.over.same(a, short.narrow(axis, margin, count)).all()):
                raise Fails("the clip function does not treat all lengths alike")


def _sizes(memory: Remembered) -> set[int]:
    """Of what may be rings: axes of tensors, lengths of lists, whole numbers."""
    sizes, lists = set[int](), Counts[str]()
    for cell in memory.cells:
        lists[cell.path.rpartition("[")[0]] += 1
        if isinstance(cell.content, Kept):
            sizes |= set(cell.content.layout[1])
        elif type(cell.content) is int:
            sizes.add(cell.content)
    return {n for n in (*sizes, *lists.values()) if 1 < n <= LONGEST}


def _growth(a: Any, b: Any) -> int | None:
    """By how much a whole number has grown, or an integer tensor of one element; None for anything else."""
    if type(a) is int and type(b) is int:
        return b - a
    if isinstance(a, Kept) and isinstance(b, Kept) and a.integer is not None and b.integer is not None:
        return b.integer - a.integer if a.layout == b.layout and a.whole.numel() == 1 else None
    return None


def _watched(content: Any, uses: Uses, growth: int) -> Counter:
    if isinstance(content, Tensor):
        return TensorCounter.of(content, uses, growth)
    return Counter(content, uses, growth)


def same_structure(first: Remembered, other: Remembered) -> None:
    """Fails where two memories have other places, or share storages in another way."""
    if first.paths != other.paths:
        extra = set(first.paths) ^ set(other.paths)
        raise Fails(f"what is remembered changes its shape: {sorted(extra)[0] if extra else 'order of parts'}")
    if first.groups != other.groups:
        raise Fails("tensors share memory in another way with other frames")
