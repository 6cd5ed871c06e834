"""What inductions over all lengths have in common: memories that are compared, numbers that are watched, every length.

`induction.py` is for streams of finite memory, `recurrence.py` for those that remember everything.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.parsed import watchable
from coequal.equivalence.memory.walk import Memory, memory_of
from coequal.equivalence.memory.watched import MANY, Counter, TensorCounter, Uses
from coequal.equivalence.prove.remembered import Kept, Remembered, changed, remember, same, same_value
from coequal.equivalence.report import CHUNKS
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player
from coequal.proofs.field.errors import NotDecided, NotExact, Redraw
from coequal.subjects.chunks import Chunks
from coequal.subjects.inputs import Tree, leaves_of, with_leaves
from coequal.subjects.wording import listed

Tensor = torch.Tensor
LONGEST = 1200  # frames, beyond which no memory is followed
FEW = 6  # smallest chunks, cut otherwise
STEPS = 6000  # that all lengths together may take
HELD = "what the stream remembers is held by the stream object and by what its code reads"
LIE = "how frames lie in memory does not matter beyond how they were fed: the stream's code asks for it ({names})"
DECLARED = "the stream's memory is what the subject's `memory` says: {name}"


class Fails(Exception):
    """A premise does not hold, or cannot be checked; the text says which."""


class Told(Fails):
    """The memory tells in which chunks frames came, before the last one, too."""


LAST, MORE = CHUNKS
UNKNOWN = "what cannot be seen"
# last chunks, after the smallest ones, in units: of one row the last of all is the same, since a stream may hold it
ENDS = (((1,), (2, 1), (1, 2, 1), (3, 1)), ((2,), (2, 1, 2), (1, 3, 2)), ((3,), (2, 3), (1, 2, 3)))


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
    counts: dict[str, int] = field(default_factory=dict)  # places that were watched, and by how much they grow in a period
    told: str = ""  # of the chunks in which frames came, by the memory
    growing: bool = False  # of caches that grow
    ends: int | None = None  # frames after which a table of positions ends


@dataclass
class Premises:
    """What is checked for one subject in one draw."""

    exact: FieldSession
    budget: Budget
    tried: int = 0  # candidates that could have been accepted: a union bound
    compared: list[int] = field(default_factory=list)  # lengths
    globals: list[str] = field(default_factory=list)  # that the stream's code reads
    walked: Memory | None = None  # the last one, whose names need not be looked for again
    counts: dict[str, int] = field(default_factory=dict)  # places that were watched, and by how much they grow in a period
    told: str = ""  # of the chunks in which frames came, by the memory
    lying: set[str] = field(default_factory=set)  # by which the stream's code asks how frames lie in memory

    def held(self) -> list[str]:
        """What is assumed of the memory: that it is what was walked, or what the subject declares; and of frames."""
        declared = self.exact.subject.memory
        if declared is not None:
            return [DECLARED.format(name=getattr(declared, "__qualname__", repr(declared)))]
        return [HELD, *([LIE.format(names=listed(sorted(self.lying)))] if self.lying else [])]

    def _legal(self, length: int) -> int:
        legal = self.exact.plan.legal(length)
        while legal < length:
            length += 1
            legal = self.exact.plan.legal(length)
            if length > LONGEST:
                raise Fails("no such length can be fed in legal chunks")
        return legal

    def _past(self, uses: Uses, more: int) -> int:
        """So many frames after the greatest number that the frame number is compared with."""
        start = self._legal(max(uses.ahead) + more)
        if start > LONGEST:
            raise Fails(f"the stream compares its frame number with {max(uses.ahead)}: beyond {LONGEST} frames")
        return start

    def _warm(self, stride: Fraction = Fraction(1)) -> int:
        """Frames after which all emissions count: what the subject ignores is no premise."""
        subject = self.exact.subject
        return max(subject.warm_up, math.ceil(subject.ignore * stride))

    def _is_warm(self, start: int) -> None:
        """Fails where emissions of streams of so many frames do not count."""
        subject = self.exact.subject
        if subject.ignore or subject.warm_up:
            player = self._fed(start, 0)
            if start < subject.warm_up or player.emitted < subject.ignore:
                raise Fails(f"after {start} frames there are emissions that do not count")

    def _in_time(self) -> None:
        if self.budget.spent:
            raise Fails("no time was left to follow the memory")

    def _frames(self, length: int, seed: int) -> Tree:
        """So many frames; what does not move with time is the same for all of them."""
        x = self.exact.inputs(length, self.exact.batch, self.exact.seed + 31 * seed)
        return x if isinstance(x, Tensor) else self.exact.layout.like(with_leaves(x, leaves_of(x) | self._still), x)

    @functools.cached_property
    def _still(self) -> dict[str, Tensor]:
        """What does not move with time."""
        x = leaves_of(self.exact.inputs(self._legal(1), self.exact.batch, self.exact.seed + 13))
        return {name: leaf for name, leaf in x.items() if self.exact.layout.time[name] is None}

    def _seen(self, length: int, beginning: int) -> Tree:
        """So many frames; `beginning` chooses them."""
        raise NotImplementedError

    def _player(self, frames: Tree, chunks: Chunks | None = None) -> Player:
        """A stream that has seen these frames, one after the other if that is legal."""
        return self.exact.player().feed(frames, chunks or self.exact.plan_chunks(frames))

    def _fed(self, length: int, beginning: int) -> Player:
        return self._player(self._seen(length, beginning))

    def _same_in_other_chunks(self, start: int) -> None:
        """Fails where the memory tells how frames were cut, but for the last chunk, which is noted."""
        if not self.exact.has("chunk"):
            return
        frames, ends = self._seen(start, 0), list[Remembered]()
        emitted: list[Tensor] | None = None
        for group in ENDS:
            first = None
            for chunks in filter(self.exact.plan.allows, self._cut(start, group)):
                self._in_time()
                player = self._player(frames, chunks)
                memory, before = self._remembered(player), emitted
                emitted = player.trace.frames
                if before is not None and not self._alike_frames(before, emitted):
                    raise Fails("what is emitted depends on the chunks in which frames came")
                if first is None:
                    ends.append(first := memory)
                elif (path := self._apart(first, memory)) is not None:
                    raise Told(f"{path} depends on the chunks in which frames came: only some orders were fed")
        if any(self._apart(ends[0], memory) is not None for memory in ends[1:]):
            self.told = LAST

    def _alike(self, a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and bool(self.exact.numbers.over.same(a, b).all())

    def _alike_frames(self, frames: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
        if len(frames) != len(others) or any(a.shape != b.shape for a, b in zip(frames, others, strict=True)):
            return False
        return not frames or self._alike(torch.stack([*frames]), torch.stack([*others]))

    def _apart(self, first: Remembered, other: Remembered) -> str | None:
        """The first place that holds something else; None: there is none."""
        if first.paths != other.paths:
            return "the number of its parts"
        for a, b in zip(first.cells, other.cells, strict=True):
            if not same_value(self.exact, a.content, b.content):
                return a.path
        return None

    def _cut(self, length: int, ends: Iterable[Chunks]) -> Iterator[Chunks]:
        """So many frames in the smallest chunks, and these at the end."""
        unit = self.exact.plan.unit
        for end in ends:
            smallest, left = divmod(length - unit * sum(end), unit)
            if smallest >= 0 and not left:
                yield (*[unit] * smallest, *(unit * size for size in end))

    def _memory(self, stream: Any) -> Memory:
        memory = self.walked = memory_of(
            stream, self.exact.subject.memory, before=self.walked, running=self.exact.facts.running
        )
        self.globals = sorted({*self.globals, *memory.globals})
        self.lying |= memory.lying
        return memory

    def _remembered(self, player: Player) -> Remembered:
        return remember(self.exact, self._memory(player.stream))

    def _after(self, length: int, beginning: int) -> Remembered:
        """What is remembered after so many frames; `beginning` chooses them."""
        return self._after_frames(self._seen(length, beginning))

    def _after_frames(self, frames: Tree) -> Remembered:
        """What is remembered after them; parameters that have changed by then are a memory that cannot be seen."""
        player = self.exact.player()
        before = self._remembered(player)
        found = self._remembered(player.feed(frames, self.exact.plan_chunks(frames)))
        if (name := changed(before.parameters, found.parameters)) is not None:
            raise Fails(f"the parameter {name} changes while frames are fed")
        return found

    def _whatever_clips_ran(self, length: int) -> Remembered:
        """What is remembered after so many frames; Fails where it changes by clips that run in between."""
        frames = self._seen(length, 0)
        clip = self.exact.window_of(frames)
        self.exact.clip(clip)  # the tables that it keeps are there
        first = self._after_frames(frames)
        self.exact.clip(clip)
        if (path := self._apart(first, self._after_frames(frames))) is not None:
            raise Fails(f"{path} changes where the clip function runs in between")
        return first

    def _grown(self, first: Remembered, later: Remembered, but: Container[int] = ()) -> dict[str, int]:
        """Places whose numbers are larger a period later, and by how much; Fails where others differ, `but` some places."""
        same_structure(first, later)
        self.counts = {}
        for i, (a, b) in enumerate(zip(first.cells, later.cells, strict=True)):
            if i in but:
                if isinstance(a.content, Kept) and isinstance(b.content, Kept) and a.content.layout != b.content.layout:
                    raise Fails(f"{a.path} has another form, or lies otherwise, a period later")
                continue
            if same(self.exact, a.content, b.content):
                continue
            growth = growth_of(a.content, b.content)
            if growth is None or growth <= 0:
                raise Fails(f"{a.path} is another function of the last frames a period later")
            self.counts[a.path] = growth
        return self.counts

    def _watched(self, grown: dict[str, int], start: int, period: int) -> Uses:
        """What is done with the numbers that have grown, in a period and at an end after each of its frames."""
        uses = Uses()
        if grown:
            flushes = hasattr(self.exact.player().stream, "flush")
            for length in range(period + 1) if flushes else [period]:
                self._in_time()
                self._watch(start, length, grown, uses)
        return uses

    def _watch(self, start: int, length: int, grown: dict[str, int], uses: Uses) -> None:
        """`length` frames with watched counters in place of the numbers that grow; then the end. Legal lengths only.

        Whatever is raised while they are watched may be of their making: it ends the induction, and nothing else.
        """
        if length and self.exact.plan.legal(length) < length:
            return
        player = self._fed(start, 0)
        memory = self._memory(player.stream)
        if grown and memory.counts_types:
            raise Fails("the stream asks for the types of objects: a counter cannot be watched")
        places = {cell.path: cell for cell in memory.cells}
        for path, growth in grown.items():
            cell = places.get(path)
            if cell is None or cell.put is None:
                raise Fails(f"{path} counts frames, and cannot be watched")
            cell.put(counter_of(cell.content, uses, growth))
        self._in_place(player.stream, [*grown])
        try:
            self._guarded(lambda: self._go_on(player, length, [*grown]))
        except Fails:
            if MANY not in uses.escapes:
                raise
        if uses.escapes:
            raise Fails(f"the stream uses its frame number itself: as {', '.join(sorted(uses.escapes))}")

    def _go_on(self, player: Player, length: int, paths: list[str]) -> None:
        if length:
            frames = self._frames(length, 9)
            with watchable():
                player.feed(frames, self.exact.plan_chunks(frames))
            self._in_place(player.stream, paths)
        with watchable():
            player.flush()

    def _guarded(self, run: Callable[[], Any], when: str = "with its counter watched") -> None:
        with self.exact.numbers.over.probing() as refused:
            try:
                run()
            except (Fails, Unobservable, Redraw):
                raise
            except (Exception, NotDecided, NotExact) as error:
                raise Fails(f"{when} the stream raises: {error}") from None
        if refused:
            raise Fails(f"{when}: {refused[0]}")

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
            x = exact.layout.part(whole, 0, length)
            try:
                compared += agree(exact, x, exact.play(x, example.chunks) if trace is None else trace.of_the_first(length))
            except Mismatch as mismatch:
                raise Differs(example, mismatch) from None
            self.compared.append(length)
        if not compared:
            raise Fails(f"no stream of up to {longest} frames had anything to compare")


@dataclass
class Cut(Premises):
    """Whether a memory that is followed no further tells in which chunks frames came."""

    def _seen(self, length: int, beginning: int) -> Tree:
        return self._frames(length, 51 + beginning)

    def tells(self) -> str:
        """What of it: nothing, the size of the last chunk, more; or it cannot be seen."""
        try:
            self._same_in_other_chunks(self._legal(FEW * self.exact.plan.unit))
        except Told:
            return MORE
        except (Fails, Unobservable):
            return UNKNOWN
        return self.told


def passed(uses: Uses) -> None:
    """Fails where a number is used otherwise than (C) allows."""
    if uses.ahead:
        raise Fails(f"the stream compares its frame number with {max(uses.ahead)}, which it has not passed")
    if uses.misfits:
        raise Fails(f"the stream takes a count modulo {min(uses.misfits)}")


def growth_of(a: Any, b: Any) -> int | None:
    """By how much a whole number has grown, or an integer tensor of one element; None for anything else."""
    if type(a) is int and type(b) is int:
        return b - a
    if isinstance(a, Kept) and isinstance(b, Kept) and a.integer is not None and b.integer is not None:
        return b.integer - a.integer if a.layout == b.layout and a.whole.numel() == 1 else None
    return None


def counter_of(content: Any, uses: Uses, growth: int) -> Counter:
    """A watched number in the place of a number that counts."""
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
