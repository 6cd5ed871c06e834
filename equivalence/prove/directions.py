"""In how many directions a stream's memory moves with its frames: premise (D) of `proofs/theorems/one_more.py`.

A stream is fed frames that move in many directions at once (`proofs/field/tangents.py`); how its memory has moved after n of
them is a matrix, of which the rank is computed modulo a prime. No float is looked at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.compare.field import Draw, FieldSession, computing
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.walk import Memory, memory_of
from coequal.equivalence.prove.analytic import is_analytic
from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import Player, StreamRaised
from coequal.equivalence.run.session import Session
from coequal.proofs.field.elementary import DEFINITIONS
from coequal.proofs.field.errors import NeedsRoot, NotDecided, NotExact, Redraw, TooLong
from coequal.proofs.field.tangents import Moving, Tangents, chains_for
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.proofs.theorems.one_more import rank
from coequal.subjects.inputs import leaves_of

Tensor = torch.Tensor
FIRST = 3  # frames after which the memory is looked at
LONGEST = 64  # and after which it is looked at no more
MOST = 1024  # numbers that are remembered
BLOCK = 128  # directions at a time
SPARE = 2  # directions more than there are numbers
MORE = 6  # frames more than as many numbers as are remembered, where these take more than one block
CHAINS = 12  # of primes that are tried
SHAPE = "what is remembered changes its shape"


class _Grows(Fails):
    """The memory is of no fixed size."""


@dataclass
class Directions:
    """What was seen after `start` frames; `fails`: why nothing is said of every length."""

    start: int = 0
    prime: int = 0
    moves: dict[str, Tensor] = field(default_factory=dict)  # place: (numbers, directions), modulo the prime
    fails: str = ""
    grows: bool = False  # the memory has more places, or larger ones, after more frames


def directions_of(session: Session[Any], draw: Draw, budget: Budget) -> Directions:
    """From which number of frames on a memory moves in no more directions, in the reading of this draw."""
    try:
        if draw.turns or draw.sets or draw.circle > 1:
            raise Fails("no derivatives are known in this reading")
        return _Search(session, draw, budget).found()
    except _Grows:
        return Directions(fails=SHAPE, grows=True)
    except (Fails, Unobservable, StreamRaised) as error:
        return Directions(fails=str(error))
    except (NotDecided, NotExact) as error:
        return Directions(fails=f"how its memory moves could not be followed: {error}")


Look = dict[str, Tensor]  # places of floats that move, and how: (numbers, directions)
Enough = Callable[[int, Look], bool]


@dataclass
class _Follows:
    """Looks after one number of frames and the next, until one more adds no direction."""

    numbers: int
    first: Look
    prime: int
    rank: int = -1
    moves: Look = field(default_factory=dict)
    found: Directions | None = None

    def enough(self, length: int, blocks: list[Look]) -> bool:
        """Whether it is known after how many frames; `blocks`: one look in several parts of all directions."""
        _same_shapes(self.first, *blocks)
        moves = {path: torch.cat([look[path] for look in blocks], 1) for path in self.first}
        found = rank(torch.cat(list(moves.values())), self.prime)
        if found == self.rank:
            self.found = Directions(length - 1, self.prime, self.moves)
        elif found == self.numbers:
            self.found = Directions(length, self.prime, moves)
        self.rank, self.moves = found, moves
        return self.found is not None


@dataclass
class _Search:
    session: Session[Any]
    draw: Draw
    budget: Budget
    roots: tuple[int, ...] = ()
    longest: int = 1
    walked: Memory | None = None

    def found(self) -> Directions:
        session = self.session
        if session.plan.unit > 1 or not session.steps:
            raise Fails("it takes no single frames")
        if not all(leaf.is_floating_point() for leaf in leaves_of(session.subject.example).values()):
            raise Fails("frames are no floats, so that its memory cannot be moved a little")
        if any(axis is None for axis in session.layout.time.values()):
            raise Fails("an input does not move with time")
        self.roots, self.longest = self.draw.roots, self.draw.longest
        tried = 0
        while True:
            chains = chains_for(self.longest, self.roots, self.draw.levels)
            if tried >= min(CHAINS, len(chains)):
                raise Fails("it divides by what is zero modulo small primes")
            try:
                return self._modulo(chains[tried])
            except NeedsRoot as redraw:
                self.roots = tuple(sorted({*self.roots, redraw.root}))
            except TooLong as redraw:
                self.longest = max(self.longest, redraw.longest)
            except Redraw:
                tried += 1

    def _modulo(self, chain: tuple[int, ...]) -> Directions:
        """The first number of frames after which one more adds no direction."""
        few = self._looks(chain, 0, 1, range(FIRST, FIRST + 2))
        _same_shapes(*few)
        numbers = sum(len(rows) for rows in few[0].values())
        if not numbers:
            raise Fails("nothing that the stream remembers moves with its frames")
        if numbers > MOST:
            raise Fails(f"{numbers} numbers are too many to see all directions in which they move")
        wanted, columns = numbers + SPARE, self._columns()
        first = max(FIRST, -(-numbers // columns)) if wanted > BLOCK else FIRST
        if first > LONGEST:
            raise Fails(f"more than {LONGEST} frames are needed to move {numbers} numbers")
        lengths = range(first, min(LONGEST, first + MORE if wanted > BLOCK else LONGEST) + 1)
        follows = _Follows(numbers, few[0], chain[0])
        if wanted <= BLOCK:
            self._looks(chain, 0, wanted, lengths, lambda length, look: follows.enough(length, [look]))
        else:
            blocks = [self._looks(chain, i, min(BLOCK, wanted - i), lengths) for i in range(0, wanted, BLOCK)]
            for length, looks in zip(lengths, zip(*blocks, strict=True), strict=True):
                if follows.enough(length, [*looks]):
                    break
        if follows.found is None:
            raise Fails("what it remembers goes on moving in other directions")
        return follows.found

    def _columns(self) -> int:
        """Numbers in a frame."""
        x = self.session.random(1, self.session.batch, self.session.seed)
        return sum(leaf.numel() for leaf in leaves_of(x).values())

    # -- runs --------------------------------------------------------------------------------------------------------------

    def _looks(
        self, chain: tuple[int, ...], first: int, count: int, lengths: range, enough: Enough | None = None
    ) -> list[Look]:
        """After so many frames, until there are `enough`; directions from `first` on."""
        looks = list[Look]()
        with self._moving(chain, first, count) as exact:
            x = exact.inputs(max(lengths), exact.batch, exact.seed)
            player = exact.player()
            for length in range(1, max(lengths) + 1):
                if self.budget.spent:
                    raise Fails("no time was left to follow how its memory moves")
                player.feed(exact.layout.part(x, length - 1, 1), (1,))
                if length not in lengths:
                    continue
                look = self._moved(exact, player)
                is_analytic(exact.numbers.over, exact.numbers.over.field.account.used)
                with exact.numbers.suspended():
                    if enough is not None and enough(length, look):
                        break
                looks.append(look)
        return looks

    @contextlib.contextmanager
    def _moving(self, chain: tuple[int, ...], first: int, count: int) -> Iterator[FieldSession]:
        draw = self.draw
        read: dict[str, object] = {
            "literal": draw.literal,
            "near": draw.near,
            "shadow": draw.shadow,
            "low_masks": draw.low_masks,
        }
        read["definitions"] = DEFINITIONS if draw.definitions else {}
        tangents = Tangents.along(chain, count, draw.seed, **read)
        symbols = Moving(draw.seed)
        with computing(self.session, Exact(tangents, symbols)) as exact:
            symbols.hold(chain[0], first)  # weights were given
            yield exact

    def _moved(self, exact: FieldSession, player: Player) -> Look:
        over = exact.numbers.over
        self.walked = memory_of(player.stream, exact.subject.memory, before=self.walked, running=exact.facts.running)
        found, tangents = Look(), over.field
        assert isinstance(tangents, Tangents)
        with over.suspended():
            for cell in self.walked.cells:
                content = cell.content
                if isinstance(content, Tensor) and content.is_floating_point() and over.store.find(content) is not None:
                    rows = tangents.moved(over.store.read(content).planes).flatten(1).T
                    if bool(rows.any()):
                        found[cell.path] = rows.to(torch.float64)
        return found


def _same_shapes(first: Look, *others: Look) -> None:
    shapes = {path: len(rows) for path, rows in first.items()}
    for other in others:
        if {path: len(rows) for path, rows in other.items()} != shapes:
            raise _Grows(SHAPE)
