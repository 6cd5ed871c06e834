"""All lengths of a stream that remembers everything, of which nobody says how its clip function goes on: the premises of
`proofs/theorems/one_more.py`, over a field.

The memory moves in so many directions (`directions.py`), and lies in an affine space of as many dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.memory.cell import Cell, Unobservable
from coequal.equivalence.prove.analytic import is_analytic
from coequal.equivalence.prove.directions import Directions
from coequal.equivalence.prove.everything import Everything, is_data, write
from coequal.equivalence.prove.premises import Differs, Fails, Induction, passed, same_structure
from coequal.equivalence.prove.remembered import Kept, Remembered, same
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player
from coequal.proofs.theorems.one_more import dimension, rank

Tensor = torch.Tensor
BEYOND = 64  # frames that are compared after what is needed for two pasts
SPARE = 2  # points more than are needed
FEW = 32  # numbers that are remembered, of which it is seen that they fill a space
EARLY = (
    "the clip function treats all lengths alike, and tells early: what its next {ahead} frames tell of a past of {start} or"
    " {more} frames says by one law, the same for both, what later ones do"
)
FINITE = (
    "numbers stay finite at every length: what the stream remembers may grow with the number of frames, until it overflows"
)


def induct(exact: FieldSession, budget: Budget, directions: Directions) -> Induction:
    """All premises, where it is known in how many directions the memory moves."""
    search = OneMore(exact, budget, tried=1)
    try:
        if directions.fails:
            raise Fails(directions.fails)
        ahead = search.check(directions)
    except (Fails, Unobservable) as error:
        return Induction(
            False, f"the stream remembers everything, and {error}", lengths=search.compared, globals=search.globals
        )
    start = directions.start
    says = f"after {start} frames what the stream remembers moves freely, and each step is the same function of it"
    assumptions = [*search.held(), EARLY.format(start=start, more=start + 1, ahead=ahead), FINITE]
    kept = (0, 0, 1, search.compared, search.globals, assumptions, search.counts, search.told)
    return Induction(True, says, start, 1, *kept)


@dataclass
class OneMore(Everything):
    """The premises for one subject in one draw."""

    def check(self, directions: Directions) -> int:
        """All of them; how many frames were compared after two pasts."""
        start, exact = directions.start, self.exact
        last = 2 * start + 2 + BEYOND
        if exact.plan.legal(last) != last:
            raise Fails(f"no stream of {last} frames may be fed")
        if exact.subject.ignore or exact.subject.warm_up:
            raise Fails("some of its emissions do not count")
        first = self._whatever_clips_ran(start)
        data = self._from_frames(first, start)
        paths = [first.cells[i].path for i in data]
        if sorted(paths) != sorted(directions.moves):
            raise Fails(f"{min(set(paths) ^ set(directions.moves))} depends on frames, and is not seen to move with them")
        cells = self._held(self._fed(start, 0), paths)
        if any(cell.content.numel() != len(directions.moves[cell.path]) for cell in cells):
            raise Fails("what is remembered has another size")
        self._same_in_other_chunks(start)
        passed(self._uses(first, start, 1, data))
        self._step(start, data)
        self._plane(directions)
        self._every_length(start + 1)
        self._one_long_clip(last)
        numbers = exact.numbers
        is_analytic(numbers.over, numbers.clip_functions | numbers.over.field.account.used)
        return last - start - 1

    def _held(self, player: Player, paths: list[str]) -> list[Cell]:
        """Places by name, each a tensor that is all of its memory."""
        cells = {cell.path: cell for cell in self._memory(player.stream).cells}
        for path in paths:
            content = cells[path].content if path in cells else None
            if not is_data(content):
                raise Fails(f"{path} depends on frames, and is no tensor of floats")
            with self.exact.numbers.over.suspended():
                whole = content.untyped_storage().nbytes() == content.numel() * content.element_size()
                if not content.is_contiguous() or not whole:
                    raise Fails(f"{path} is a part of a larger tensor")
        return [cells[path] for path in paths]

    def _step(self, start: int, data: list[int]) -> None:
        """(C): from a memory of fresh variables one frame comes out, and what depends on no frame stays as it is."""
        player = self._fed(start, 3)
        if len(player.trace.frames) != start:
            raise Fails("the stream does not emit a frame for each frame")
        paths = [self._memory(player.stream).cells[i].path for i in data]
        for cell in self._held(player, paths):
            write(cell.content, self._fresh(cell.content))
        x = self._frames(1, 41)
        self._guarded(lambda: player.feed(x, self.exact.plan_chunks(x)), "from a memory of variables")
        if len(player.trace.frames) != start + 1:
            raise Fails("the stream does not emit a frame for each frame")
        self._held(player, paths)
        here = self._remembered(player)
        self._guarded(player.flush, "from a memory of variables")
        if player.trace.flushed:
            raise Fails("the stream has frames to flush")
        if (path := self._differs(here, self._remembered(self._fed(start + 1, 3)), paths)) is not None:
            raise Fails(f"{path} depends on what else the stream remembers")

    def _differs(self, here: Remembered, there: Remembered, but: list[str]) -> str | None:
        """The first place that holds something else, or has another form; `but`: places that may hold something else."""
        same_structure(here, there)
        for a, b in zip(here.cells, there.cells, strict=True):
            alike = a.path in but and isinstance(a.content, Kept) and isinstance(b.content, Kept)
            if not (a.content.layout == b.content.layout if alike else same(self.exact, a.content, b.content)):
                return a.path
        return None

    # -- the plane -------------------------------------------------------------------------------------------------------

    def _plane(self, directions: Directions) -> None:
        """(L), of as many dimensions as there are directions in (D)."""
        start, prime, moves = directions.start, directions.prime, directions.moves
        every = rank(torch.cat(list(moves.values())), prime)
        bound = [path for path, rows in moves.items() if rank(rows, prime) < len(rows)]
        numbers = sum(len(rows) for path, rows in moves.items() if path not in bound)
        if every != numbers + (rank(torch.cat([moves[path] for path in bound]), prime) if bound else 0):
            bound, numbers = list(moves), 0  # places hold parts of one another
        if not bound and numbers > FEW:
            return
        if not bound:  # then it must fill the space
            bound, numbers = list(moves), 0
        within = every - numbers
        points = [self._point(start, bound, 71 + i, within) for i in range(within + 1 + SPARE)]
        points += [self._point(start + 1, bound, 70 - i, within) for i in range(1 + SPARE)]
        alone = len(points) - 1 - SPARE
        planes = list(zip(torch.stack(points, 1), self.exact.numbers.over.field.primes, strict=False))
        if any(dimension(plane, p) > within for plane, p in planes):
            raise Fails("what the stream remembers moves in fewer directions than its numbers may")
        if max(dimension(plane[:alone], p) for plane, p in planes) != within:
            raise Fails("what the stream remembers lies in a smaller space than it moves in")

    def _point(self, length: int, paths: list[str], seed: int, within: int) -> Tensor:
        """What these places hold after other frames: residues, (primes, numbers)."""
        self._in_time()
        player = self._player(self._frames(length, seed))
        over = self.exact.numbers.over
        cells = self._held(player, paths)
        with over.suspended():
            values = [over.store.read(cell.content) for cell in cells]
            for value in values:  # a determinant of so many points is zero, or is not
                over.field.account.compare(value.degree.to_the(within + 1))
            planes = torch.cat([value.planes[: over.field.count].flatten(1) for value in values], 1)
            if not bool(planes.isfinite().all()):
                raise Fails("what the stream remembers is no number everywhere")
            return planes.clone()

    # -- lengths -----------------------------------------------------------------------------------------------------------

    def _one_long_clip(self, length: int) -> None:
        """(E), of one clip of N frames."""
        exact = self.exact
        x = exact.inputs(length, exact.batch, exact.seed + 67)
        try:
            if agree(exact, x, exact.play(x)) != length:
                raise Fails(f"not all of {length} frames were compared")
        except Mismatch as mismatch:
            raise Differs(Example(length, exact.batch, exact.seed + 67), mismatch) from None
        self.compared.append(length)
