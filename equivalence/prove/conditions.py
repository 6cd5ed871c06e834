"""What an induction cannot see: memory that changes under conditions alone that its own runs never meet.

Its runs are in double precision, without gradients, with the example's rows and frames of their own memory. A stream may
count elsewhere, `if torch.is_grad_enabled(): self.n += 1`, or compare its count there alone. So streams run on ordinary
floats under other conditions, each for as many frames as the induction followed and as many again: no place of their memory
may go on taking values that it had not before, but for the numbers that were watched; these are watched again.

A stream may count where two conditions meet alone, `if x.shape[0] == 1 and not torch.is_grad_enabled()`. All combinations
would be too many: as few are run as any two meet in (pairwise testing).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.memory.cell import Cell, Unobservable
from coequal.equivalence.memory.parsed import watchable
from coequal.equivalence.memory.running import Running
from coequal.equivalence.memory.walk import Memory, memory_of
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.growing import Steps
from coequal.equivalence.prove.premises import Fails, Induction, counter_of, passed
from coequal.equivalence.prove.remembered import changed
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import Player, StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
LOOKS = 96  # at the memory of one stream
OTHERS = (3, 4, 5, 6, 7, 8)  # streams of other frames, where those of the second leave what those of the first did


@dataclass(frozen=True)
class Condition:
    """How a stream is run: `rows` None: the example's; `own`: in the subject's format; `views`: of a clip, as frames."""

    rows: int | None = None
    own: bool = False
    views: bool = False
    autocast: bool = False
    gradients: bool = False
    asked: bool = False  # for the gradients of frames
    inference: bool = False
    chunks: bool = False  # of all sizes that are tried, instead of the smallest

    @property
    def words(self) -> str:
        """`gradients on, one row, frames that are views of a clip`."""
        gradients = "the gradients of frames asked for" if self.asked else "gradients on" if self.gradients else ""
        said = (
            "inference mode" if self.inference else gradients,
            "" if self.rows is None else f"{self.rows} row{'s' * (self.rows > 1)}",
            "frames that are views of a clip" if self.views else "",
            "autocast on" if self.autocast else "",
            "the subject's own format" if self.own else "",
            "chunks of many sizes" if self.chunks else "",
        )
        return ", ".join(filter(None, said)) or "nothing else"


FEW, MORE = (1, 3), (8, 4, 5, 6, 7)  # rows; those that come after all pairs
GRADIENTS: tuple[dict[str, bool], ...] = ({}, {"inference": True}, {"gradients": True}, {"gradients": True, "asked": True})
A_TENSOR = "a tensor"  # of floats, which are compared otherwise
CHUNKS = 40  # sizes of chunks
ALWAYS = 6  # conditions, which meet most pairs
WATCHED = 3  # of them, in which all calls are seen
SHARE = 0.5  # of the time that the proof took: the others are tried for so long


def elsewhere(session: Session[Any], found: Induction, budget: Budget, seconds: float) -> tuple[str, str]:
    """Why what an induction found says nothing of other conditions, empty where it does; and what there was no time for.

    The proof took so many seconds.
    """
    begin, conditions = time.process_time(), conditions_of(session)
    for i, condition in enumerate(conditions):
        if i >= ALWAYS and time.process_time() - begin > max(2.0, SHARE * seconds):
            return "", f"{i} of {len(conditions)} conditions, in which any two of them meet"
        if budget.spent:
            return "no time was left to look at its memory under other conditions", ""
        for milder in _ever_milder(condition):
            try:
                with _in_format(session, milder) as here:
                    _Run(here, milder, found, watched=i < WATCHED).check()
                break
            except (Fails, Unobservable) as error:
                return f"with {milder.words}: {error}", ""
            except (StreamRaised, BadSubject):
                continue  # it cannot be run like this: what else meets in this condition is looked at without
    return "", ""


def _ever_milder(condition: Condition) -> list[Condition]:
    """A condition, and the same without what streams often cannot do."""
    plain = replace(condition, autocast=False)
    return list(dict.fromkeys((condition, plain, replace(plain, inference=False))))


def conditions_of(session: Session[Any]) -> list[Condition]:
    """As few as any two values of different kinds meet in; then other numbers of rows, each with other values."""
    several = session.layout.rows(session.subject.example) is not None
    rows = [None, *(n for n in FEW if several and n != session.batch and session.takes(n))]
    more = [n for n in MORE if several and n != session.batch and session.takes(n)]
    own = [False, True] if session.native != session.dtype else [False]
    kinds = [len(GRADIENTS), len(rows), 2, 2, len(own)]
    pairs = [_condition(rows[r], own[o], bool(v), bool(a), g) for g, r, v, a, o in covering(tuple(kinds))]
    others = [_condition(n, own[-(i % 2)], i % 2 == 0, i % 3 == 0, i) for i, n in enumerate(more)]
    cut = [Condition(chunks=True)] if len(session.plan.smallest(2)) > 1 and session.has("chunk") else []
    return [*pairs[:ALWAYS], *cut, *pairs[ALWAYS:], *others]


def _condition(rows: int | None, own: bool, views: bool, autocast: bool, gradients: int) -> Condition:
    return Condition(rows, own, views, autocast, **GRADIENTS[gradients % len(GRADIENTS)])


@functools.cache
def covering(kinds: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Choices of one value of each kind, of which there are so many, such that any two values meet in one of them.

    Each in turn has the most pairs that none before it has (Cohen, Dalal, Fredman & Patton, The AETG system, 1997); the
    first is not that of all first values, under which everything ran already.
    """
    every = list(itertools.product(*map(range, kinds)))
    missing = {pair for choice in every for pair in _pairs(choice)} - _pairs((0,) * len(kinds))
    found = list[tuple[int, ...]]()
    while missing:
        found.append(max(every, key=lambda choice: len(missing & _pairs(choice))))
        missing -= _pairs(found[-1])
    return found


def _pairs(choice: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(itertools.combinations(enumerate(choice), 2))


@contextlib.contextmanager
def _in_format(session: Session[Any], condition: Condition) -> Iterator[Session[Floats]]:
    if not condition.own or session.native == session.dtype:
        yield session
        return
    other = session.in_dtype(session.native, Floats()).unseen()
    with other.ready():
        yield other


@dataclass
class _Run:
    """Streams of one subject under one condition."""

    session: Session[Any]
    condition: Condition
    found: Induction
    watched: bool = False  # whether all calls are seen
    fresh: dict[str, tuple] = field(default_factory=dict)  # parameters, before the stream ran

    def check(self) -> None:
        """Fails where something counts that was not watched, or is used otherwise than it was."""
        if sys.getprofile() is not None:
            raise Fails("a profiler runs: nobody can see what is called")
        player, looks = self._looks(0)
        half = (len(looks) + 1) // 2
        early, late = looks[:half], looks[half:]
        seen = {(path, value) for look in early for path, value in numbers_of(look)}
        for path, value in itertools.chain.from_iterable(map(numbers_of, late)):
            if path not in self.found.counts and (path, value) not in seen:
                raise Fails(f"{path} goes on changing, which was not seen where it was watched")
        self._constants(early[-1], late[-1])
        self._parameters(player)
        self._read(player)
        if self.found.growing:
            sizes = tuple(self.session.plan.smallest(CHUNKS)) if self.condition.chunks else ()
            Steps(
                self.session,
                self.found.start,
                self.session.batch if self.condition.rows is None else self.condition.rows,
                self._around,
                views=self.condition.views,
                sizes=sizes,
                again=True,
                coarse=self.condition.autocast,
            ).growth()
        elif self.found.counts:
            self._watch()

    def _constants(self, early: list[Cell], late: list[Cell]) -> None:
        """Numbers of tensors that no frame changes, and that change with time.

        Other frames may leave the same by accident: zeros, behind a relu. So streams run until one leaves something else.
        """
        before, now = floats_of(early), floats_of(late)
        suspects = {path for path, bits in now.items() if before.get(path) != bits}
        for seed in (1, *OTHERS):
            other, _ = self._looks(seed)
            beside = floats_of(_memory(other, self.session).places)
            suspects = {path for path in suspects if beside.get(path) == now[path]}
            if not suspects:
                return
        raise Fails(f"{min(suspects)} changes with time, whatever the frames are")

    def _read(self, player: Player) -> None:
        """All code that ran was read, as far as it is the program's own and memory is not declared to be something else."""
        if player.running is None or self.session.subject.memory is not None:
            return
        read = _memory(player, self.session).codes
        if why := player.running.hidden or player.running.unread(read):
            raise Fails(why)

    def _parameters(self, player: Player) -> None:
        """Those that a stream reads are as they were before it ran."""
        if (name := changed(self.fresh, _parameters(player, self.session))) is not None:
            raise Fails(f"the parameter {name} changes while frames are fed")

    def _looks(self, seed: int) -> tuple[Player, list[list[Cell]]]:
        """A stream that has run, and its memory on the way: as often in the second half of its frames as in the first."""
        pieces = self._pieces()
        player, looks, memory = self._player(), list[list[Cell]](), None
        if seed == 0:
            player.running, self.fresh = Running() if self.watched else None, _parameters(player, self.session)
        for frames in self._cut(pieces, seed):
            self._feed(player, frames)
            if seed == 0:
                memory = _memory(player, self.session, memory)
                looks.append([cell.copied() for cell in memory.places])
        return player, looks

    def _pieces(self) -> list[int]:
        """Frames that are fed between two looks."""
        plan, half = self.session.plan, self.found.start + self.found.period
        if self.condition.chunks:
            return [self.found.start, *2 * self._cycle()]
        if plan.legal(plan.unit) == plan.unit and 2 * half <= LOOKS * plan.unit:
            return [plan.unit] * (2 * -(-half // plan.unit))
        more = -(-half // self.found.period)
        return [self.found.start, *[self.found.period] * (2 * more + 1)]

    def _cycle(self) -> list[int]:
        """Chunks of many sizes that together last for whole periods: what counts frames up to a period is as before then."""
        sizes = list(self.session.plan.smallest(CHUNKS))
        rest = -sum(sizes) % math.lcm(self.found.period, self.session.plan.unit)
        return [*sizes, rest] if rest else sizes

    def _cut(self, pieces: list[int], seed: int) -> Iterator[Tree]:
        session = self.session
        rows = session.batch if self.condition.rows is None else self.condition.rows
        x = session.random(sum(pieces), rows, session.seed + 401 + 31 * seed)
        if self.condition.asked:
            x = session.layout.on_data(lambda leaf: leaf.requires_grad_(True), x)
        for begin, size in zip(itertools.accumulate(pieces, initial=0), pieces, strict=False):
            yield session.layout.part(x, begin, size)

    def _player(self) -> Player:
        player = self.session.player()
        player.views = self.condition.views
        return player

    def _feed(self, player: Player, frames: Tree) -> None:
        with self._around():
            length = self.session.layout.length(frames)
            cut = self.condition.chunks and self.session.plan.allows((length,))
            player.feed(frames, (length,) if cut else self.session.plan_chunks(frames))

    @contextlib.contextmanager
    def _around(self) -> Iterator[None]:
        """The modes of torch."""
        kind = leaves_of(self.session.subject.example)[self.session.layout.lead].device.type
        coarse = torch.autocast(kind, torch.bfloat16) if self.condition.autocast else contextlib.nullcontext()
        with torch.inference_mode(self.condition.inference), torch.set_grad_enabled(self.condition.gradients), coarse:
            yield

    def _watch(self) -> None:
        """The numbers that count frames, watched again for a period and at an end."""
        uses, pieces = Uses(), self._cycle() if self.condition.chunks else [self.found.period]
        first, *more = self._cut([self.found.start, *pieces], 2)
        player = self._player()
        self._feed(player, first)
        for cell in _memory(player, self.session).places:
            if (growth := self.found.counts.get(cell.path)) is not None and cell.put is not None:
                cell.put(counter_of(cell.content, uses, growth))
        try:
            with watchable():
                for frames in more:
                    self._feed(player, frames)
                with self._around():
                    player.flush()
        except StreamRaised as error:
            raise Fails(f"with its counter watched the stream raises: {error}") from None
        if uses.escapes:
            raise Fails(f"the stream uses its frame number itself: as {', '.join(sorted(uses.escapes))}")
        passed(uses)


def _memory(player: Player, session: Session[Any], before: Memory | None = None) -> Memory:
    running = session.facts.running
    return memory_of(player.stream, session.subject.memory, graphs=True, before=before, running=running)


def _parameters(player: Player, session: Session[Any]) -> dict[str, tuple]:
    """How they lie, and what they hold."""
    return {
        name: (p.dtype, p.shape, p.stride(), p.storage_offset(), p.detach().double().cpu().numpy().tobytes())
        for name, p in _memory(player, session).parameters.items()
        if not p.is_meta
    }


def numbers_of(cells: list[Cell]) -> Iterator[tuple[str, Any]]:
    """What is no float of a tensor, place by place; of a tensor of floats that it is there."""
    for cell in cells:
        content = cell.content
        if not isinstance(content, Tensor):
            yield cell.path, (type(content).__name__, repr(content))
        elif content.is_floating_point() or content.is_complex() or content.is_meta:
            yield cell.path, (A_TENSOR, tuple(content.shape) if content.is_meta else ())
        else:
            yield cell.path, (str(content.dtype), tuple(content.shape), repr(content.tolist()))


def floats_of(cells: list[Cell]) -> dict[str, Any]:
    """What tensors of floats hold, place by place."""
    return {
        cell.path: cell.content.detach().double().cpu().numpy().tobytes()
        for cell in cells
        if isinstance(cell.content, Tensor) and cell.content.is_floating_point() and not cell.content.is_meta
    }
