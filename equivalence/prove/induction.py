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
from collections import Counter as Counts
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.field_reach import field_reach
from coequal.equivalence.prove.premises import (
    LONGEST,
    MORE,
    Fails,
    Induction,
    Premises,
    Told,
    growth_of,
    passed,
    same_structure,
)
from coequal.equivalence.prove.remembered import Kept, Remembered, same
from coequal.equivalence.run.budget import Budget
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor
SPANS = 12  # numbers of last frames that are tried for memories longer than the receptive field
CANDIDATES = 40  # periods that are tried
ALIKE = "the clip function treats all lengths alike: an inner frame depends on the frames of its receptive field alone"
ALIKE_BUT = (
    "the clip function treats all lengths alike: an inner frame depends on the first {first} frames and those of its"
    " receptive field alone"
)


def induct(exact: FieldSession, budget: Budget, known: Induction | None = None) -> Induction:
    """Look for start and period, or check those that are `known` from another draw."""
    search = _Search(exact, budget)
    try:
        search.reach, search.stride, search.first = _reach(exact)
        if known is None:
            start, period = search.found()
        else:
            search.span, start, period = known.span, known.start, known.period
        search.check(start, period)
    except (Fails, Unobservable) as error:
        told = MORE if isinstance(error, Told) else ""
        return Induction(False, str(error), tried=search.tried, lengths=search.compared, globals=search.globals, told=told)
    says = f"what the stream remembers after {start} frames depends on {search.frames} alone, with period {period}"
    alike = ALIKE_BUT.format(first=search.first) if search.first else ALIKE
    assumptions = [*search.held()] if exact.subject.window is not None else [*search.held(), alike]
    kept = (
        search.span,
        search.reach,
        search.tried,
        search.compared,
        search.globals,
        assumptions,
        search.counts,
        search.told,
    )
    return Induction(True, says, start, period, *kept)


def _reach(exact: FieldSession) -> tuple[int, Fraction, int]:
    """Receptive field and stride: the window, or what floats measured, and what the same over a field adds to it; and how
    many first frames are looked at for ever.
    """
    timing = exact.facts.timing
    if exact.subject.window is not None:
        return exact.subject.window, Fraction(timing.stride or 1), 0
    if timing.receptive_field is not None and math.isinf(timing.receptive_field):
        raise Fails("the stream remembers everything: no finite memory to follow")
    stride = Fraction(timing.stride) if timing.stride is not None else _rate(exact)
    found = field_reach(exact, int(timing.receptive_field or 1), stride)
    if found is None:
        raise Fails("the receptive field could not be measured: the memory was not followed")
    if found.count is None:
        raise Fails(f"no end was seen of what the clip function needs, in a clip of {found.length} frames")
    return max(int(timing.receptive_field or 1), found.count), stride, found.first


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
class _Search(Premises):
    """Those of finite memory."""

    reach: int = 0
    stride: Fraction = Fraction(1)
    span: int = 0  # how many last frames the memory is a function of
    first: int = 0  # and how many first ones

    @property
    def frames(self) -> str:
        """`the last 5`, `the first 2 and the last 5`."""
        return f"the first {self.first} and the last {self.span}" if self.first else f"the last {self.span}"

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
            start = self._past(uses, self.first + self.span + self.step)
        raise Fails("the stream keeps comparing its frame number with larger ones")

    def _start(self) -> int:
        """The fewest last frames that the memory is a function of are found first: the receptive field, or a few more, since
        a stream may lag behind.
        """
        why = Fails("the memory is a function of no number of last frames that was tried")
        few = (self.reach, self.reach + 1, self.reach + 2, 2 * self.reach, 3 * self.reach + 2)
        for span in (*few, *self._rings(few[-1])):
            self._in_time()
            more = max(self.step, self._warm(self.stride))
            self.span, start = span, self._legal(self.first + span + more)
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
        sizes = {
            n + more for n in _sizes(self._after(self._legal(self.first + self.span + self.step), 0)) for more in (0, 1)
        }
        yield from sorted(n for n in sizes if tried < n <= LONGEST // 2)[:SPANS]

    def _shortest_period(self, start: int) -> tuple[int, Uses]:
        """What keeps a memory that repeats from being followed says more than that others do not repeat."""
        first = self._after(start, 0)
        why, repeated = Fails("the memory does not repeat"), list[Fails]()
        for period in self._periods(first):
            self._in_time()
            self.tried += 1
            try:
                grown = self._grown(first, self._after(start + period, 2))
            except Fails as error:
                why = error
                continue
            try:
                uses = self._watched(grown, start, period)
            except Fails as error:
                repeated.append(error)
                continue
            if not uses.misfits:
                return period, uses
            repeated.append(Fails(f"the stream takes a count modulo {min(uses.misfits)}"))
        raise (repeated or [why])[0]

    def check(self, start: int, period: int) -> None:
        """All premises: memory, counters, and every length up to start + period."""
        self._is_warm(start)
        first = self._whatever_clips_ran(start)
        self._same_after_another_beginning(first, start)
        self._same_in_other_chunks(start)
        self._responds(start, period)
        uses = self._repeats(first, start, period)
        passed(uses)
        self._every_length(start + period)
        if self.exact.subject.window is None:
            self._clip_alike(start + period, period)

    def _responds(self, start: int, period: int) -> None:
        """Whoever needs earlier frames holds something that changes with them: at some frame of a period, since a stream
        that takes frames in pairs holds nothing after the second.
        """
        if self.reach <= 1 or self.reach <= self.stride:
            return
        for length in dict.fromkeys(self._legal(start + more) for more in range(min(period, self.reach))):
            one, other = (self._remembered(self._player(self._frames(length, seed))) for seed in (2, 5))
            if other.paths != one.paths or not all(
                same(self.exact, a.content, b.content) for a, b in zip(one.cells, other.cells, strict=True)
            ):
                return
        raise Fails("nothing that the stream holds changes with its frames, though it needs earlier ones: memory is hidden")

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
        start = self.first + self.span + unit
        later = self._after(self._legal(start + unit), 2)
        before = {cell.path: cell.content for cell in first.cells}
        alike = ((c.path, growth_of(before[c.path], c.content)) for c in later.cells if c.path in before)
        grown = [path for path, growth in alike if growth is not None and growth > 0]
        uses = Uses()
        with contextlib.suppress(Fails):
            self._watch(self._legal(start), unit, dict.fromkeys(grown, unit), uses)
        return uses.moduli

    # -- memories --------------------------------------------------------------------------------------------------------

    def _seen(self, length: int, beginning: int) -> Tree:
        """The first frames that all have, if there are some, a beginning of its own, then the last frames that all have."""
        seen = self.exact.layout.join(self._frames(length - self.span - self.first, 3 + beginning), self.last)
        return self.exact.layout.join(self.kept, seen) if self.first else seen

    @functools.cached_property
    def kept(self) -> Tree:
        """The first frames that every memory has seen, and may keep for ever."""
        return self._frames(self.first, 1)

    @functools.cached_property
    def last(self) -> Tree:
        """The last frames that every memory has seen."""
        return self._frames(self.span, 2)

    def _same_after_another_beginning(self, first: Remembered, start: int) -> None:
        other = self._after(start, 1)
        same_structure(first, other)
        for a, b in zip(first.cells, other.cells, strict=True):
            if not same(self.exact, a.content, b.content):
                raise Fails(f"{a.path} depends on more than {self.frames} frames")

    def _repeats(self, first: Remembered, start: int, period: int) -> Uses:
        """Same last frames, same memory a period later; and what is done with the numbers that have grown."""
        return self._watched(self._grown(first, self._after(start + period, 2)), start, period)

    def _clip_alike(self, length: int, period: int) -> None:
        """A sample of what is assumed: a later part of a longer clip, whole periods later, has the same inner frames."""
        exact, axis = self.exact, self.exact.output_time
        margin = -int(-(self.reach + self.first) // self.stride)
        unit = math.lcm(self.step, exact.plan.unit, period)
        shift = unit * max(1, -(-self.reach // unit))
        x = self._frames(length + shift, 11)
        later = exact.layout.part(x, shift + self.first, length - self.first)
        later = exact.layout.join(exact.layout.part(x, 0, self.first), later) if self.first else later
        long, short = exact.clip(x), exact.clip(later)
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
