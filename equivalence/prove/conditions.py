"""What an induction cannot see: memory that changes under conditions alone that its own runs never meet.

Its runs are in double precision, without gradients, with the example's rows and frames of their own memory. A stream may
count elsewhere, `if torch.is_grad_enabled(): self.n += 1`, or compare its count there alone. So streams run on ordinary
floats under other conditions, each for as many frames as the induction followed and as many again: no place of their memory
may go on taking values that it had not before, but for the numbers that were watched; these are watched again.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.memory.parsed import watchable
from coequal.equivalence.memory.walk import Cell, Unobservable, memory_of
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.premises import Fails, Induction, counter_of, passed
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import Player, StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
LOOKS = 96  # at the memory of one stream


@dataclass(frozen=True)
class Condition:
    """How a stream is run: `rows` None: the example's; `own`: in the subject's format; `views`: of a clip, as frames."""

    words: str
    rows: int | None = None
    own: bool = False
    views: bool = False
    gradients: bool = False
    asked: bool = False  # for the gradients of frames
    inference: bool = False
    autocast: bool = False


ALWAYS = (
    Condition("gradients on, one row, frames that are views of a clip", rows=1, own=True, views=True, gradients=True),
    Condition("the gradients of frames asked for, three rows", rows=3, own=True, gradients=True, asked=True),
    Condition("frames that are views of a clip", views=True),
    Condition("inference mode", own=True, inference=True),
    Condition("autocast on", own=True, autocast=True),
)
NUMBERS = tuple(Condition(f"{rows} rows", rows) for rows in (2, 8, 4, 5, 6, 7))
SHARE = 0.5  # of the time that the proof took: numbers of rows are tried for so long


def elsewhere(session: Session[Any], found: Induction, budget: Budget, seconds: float) -> str:
    """Why what an induction found says nothing of other conditions; empty where it does. The proof took so many seconds."""
    begin = time.process_time()
    for condition in (*ALWAYS, *NUMBERS):
        if condition in NUMBERS and time.process_time() - begin > max(1.0, SHARE * seconds):
            return ""
        if budget.spent:
            return "no time was left to look at its memory under other conditions"
        if condition.rows is not None and (
            session.layout.rows(session.subject.example) is None or not session.takes(condition.rows)
        ):
            continue
        with _in_format(session, condition) as here, contextlib.suppress(StreamRaised, BadSubject):
            try:
                _Run(here, condition, found).check()
            except (Fails, Unobservable) as error:
                return f"with {condition.words}: {error}"
    return ""


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
    names: frozenset[str] = frozenset()  # that the stream's code reads

    def check(self) -> None:
        """Fails where something counts that was not watched, or is used otherwise than it was."""
        _, looks = self._looks(0)
        early, late = looks[: len(looks) // 2], looks[len(looks) // 2 :]
        seen = {(path, value) for look in early for path, value in _numbers(look)}
        for path, value in itertools.chain.from_iterable(map(_numbers, late)):
            if path not in self.found.counts and (path, value) not in seen:
                raise Fails(f"{path} goes on changing, which was not seen where it was watched")
        other, _ = self._looks(1)
        self._constants(early[-1], late[-1], self._cells(other))
        if self.found.counts:
            self._watch()

    def _constants(self, early: list[Cell], late: list[Cell], other: list[Cell]) -> None:
        """Numbers of tensors that no frame changes, and that change with time."""
        before, beside = _floats(early), _floats(other)
        for path, bits in _floats(late).items():
            if beside.get(path) == bits and before.get(path) != bits:
                raise Fails(f"{path} changes with time, whatever the frames are")

    def _looks(self, seed: int) -> tuple[Player, list[list[Cell]]]:
        """A stream that has run, and its memory on the way: as often in the second half of its frames as in the first."""
        pieces = self._pieces()
        player, looks = self._player(), list[list[Cell]]()
        for frames in self._cut(pieces, seed):
            self._feed(player, frames)
            if seed == 0:
                looks.append([_copied(cell) for cell in self._cells(player)])
        return player, looks

    def _pieces(self) -> list[int]:
        """Frames that are fed between two looks."""
        plan, half = self.session.plan, self.found.start + self.found.period
        if plan.legal(plan.unit) == plan.unit and 2 * half <= LOOKS * plan.unit:
            return [plan.unit] * (2 * -(-half // plan.unit))
        more = -(-half // self.found.period)
        return [self.found.start, *[self.found.period] * (2 * more + 1)]

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
            player.feed(frames, self.session.plan_chunks(frames))

    @contextlib.contextmanager
    def _around(self) -> Iterator[None]:
        """The modes of torch."""
        kind = leaves_of(self.session.subject.example)[self.session.layout.lead].device.type
        coarse = torch.autocast(kind, torch.bfloat16) if self.condition.autocast else contextlib.nullcontext()
        with torch.inference_mode(self.condition.inference), torch.set_grad_enabled(self.condition.gradients), coarse:
            yield

    def _watch(self) -> None:
        """The numbers that count frames, watched again for a period and at an end."""
        uses, pieces = Uses(), [self.found.start, self.found.period]
        first, more = self._cut(pieces, 2)
        player = self._player()
        self._feed(player, first)
        for cell in self._cells(player):
            if (growth := self.found.counts.get(cell.path)) is not None and cell.put is not None:
                cell.put(counter_of(cell.content, uses, growth))
        try:
            with watchable():
                self._feed(player, more)
                with self._around():
                    player.flush()
        except StreamRaised as error:
            raise Fails(f"with its counter watched the stream raises: {error}") from None
        if uses.escapes:
            raise Fails(f"the stream uses its frame number itself: as {', '.join(sorted(uses.escapes))}")
        passed(uses)

    def _cells(self, player: Player) -> list[Cell]:
        memory = memory_of(player.stream, self.session.subject.memory, graphs=True, names=self.names)
        self.names |= memory.names
        return [*memory.cells, *memory.libraries]


def _copied(cell: Cell) -> Cell:
    content = cell.content
    return Cell(cell.path, content.detach().clone() if isinstance(content, Tensor) else content, None)


def _numbers(cells: list[Cell]) -> Iterator[tuple[str, Any]]:
    """What is no float of a tensor, place by place; of a tensor of floats that it is there."""
    for cell in cells:
        content = cell.content
        if not isinstance(content, Tensor):
            yield cell.path, (type(content).__name__, repr(content))
        elif content.is_floating_point() or content.is_complex() or content.is_meta:
            yield cell.path, ("a tensor", tuple(content.shape) if content.is_meta else ())
        else:
            yield cell.path, (str(content.dtype), tuple(content.shape), repr(content.tolist()))


def _floats(cells: list[Cell]) -> dict[str, Any]:
    return {
        cell.path: cell.content.detach().double().cpu().numpy().tobytes()
        for cell in cells
        if isinstance(cell.content, Tensor) and cell.content.is_floating_point() and not cell.content.is_meta
    }
