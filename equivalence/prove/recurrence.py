"""All lengths of a stream that remembers everything: the premises of `proofs/theorems/recurrence.py`, checked over a field.

The subject says how its clip function goes on from where it ended (`Subject.clip_state`). The stream's memory is found in
that state, number by number; then one step from a state of fresh variables is the same on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.everything import Everything, is_data, write
from coequal.equivalence.prove.premises import LONGEST, MORE, STEPS, Fails, Induction, Told, passed
from coequal.equivalence.prove.remembered import Kept, Remembered, same
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import Player
from coequal.proofs.field.errors import NotDecided, NotExact, Redraw
from coequal.proofs.theorems.recurrence import copied, in_parts, leaves
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree, cloned

Tensor = torch.Tensor
MOST = 1 << 22  # pairs of numbers that are compared
FIRST = 3  # frames after which the memory is looked for in the state
SPLITS = ((1, 4), (3, 2), (4, 1))  # lengths of two parts
CONTINUES = (
    "what the subject's `clip_state` says of its clip function holds at every length: {name}, compared at {lengths} frames"
)
Found = dict[int, tuple[int, ...]]  # number of a memory's place -> which of the state's numbers it holds, in order


def induct(exact: FieldSession, budget: Budget, known: Induction | None = None) -> Induction:
    """Look for start and period, or check those that are `known` from another draw."""
    search = Recurrence(exact, budget)
    try:
        if known is None:
            start, period = search.found()
        else:
            start, period = known.start, known.period
        search.check(start, period)
    except (Fails, Unobservable) as error:
        told = MORE if isinstance(error, Told) else ""
        return Induction(False, str(error), tried=search.tried, lengths=search.compared, globals=search.globals, told=told)
    says = f"after {start} frames what the stream remembers is the state of its clip function, with period {period}"
    name = getattr(exact.subject.clip_state, "__qualname__", repr(exact.subject.clip_state))
    lengths = ", ".join(map(str, sorted(search.continued)))
    assumptions = [*search.held(), CONTINUES.format(name=name, lengths=lengths)]
    kept = (0, start, search.tried, search.compared, search.globals, assumptions, search.counts, search.told)
    return Induction(True, says, start, period, *kept)


@dataclass
class Recurrence(Everything):
    """The premises for one subject in one draw."""

    continued: set[int] = field(default_factory=set)  # lengths at which the continuation was compared

    @property
    def unit(self) -> int:
        """The fewest frames that can be fed."""
        return self.exact.plan.unit

    def found(self) -> tuple[int, int]:
        """The first start and period that fit; Fails where none does."""
        start = self._legal(FIRST + self._warm())
        for _ in range(3):
            first = self._after(start, 0)
            data = self._from_frames(first, start)
            period, uses = self._shortest_period(first, start, data)
            if not uses.ahead:
                return start, period
            start = self._past(uses, self.unit)
        raise Fails("the stream keeps comparing its frame number with larger ones")

    def check(self, start: int, period: int) -> None:
        """All premises."""
        self._is_warm(start)
        self._continues(start + period)
        first = self._whatever_clips_ran(start)
        data = self._from_frames(first, start)
        self._same_in_other_chunks(start)
        passed(self._uses(first, start, period, data))
        self._every_length(start + period)
        places = self._places(start, 0, data)
        if places != self._places(start, 1, data) or places != self._places(start + period, 2, data):
            raise Fails("what the stream remembers is found in other parts of the clip function's state later")
        for phase in range(0, period, self.unit):
            self._in_time()
            self._step(start + phase, places)

    # -- the continuation ------------------------------------------------------------------------------------------------

    def _continuation(self, x: Tree, state: Any = None) -> tuple[Tensor, Any]:
        """The subject's; what it raises ends the induction."""
        assert self.exact.subject.clip_state is not None
        try:
            with self.exact.numbers.in_clip():
                whole, after = self.exact.subject.clip_state(cloned(x), state)
        except Redraw:
            raise
        except (Exception, NotDecided, NotExact) as error:
            raise Fails(f"clip_state raises: {type(error).__name__}: {error}") from None
        try:
            output = self.exact.outputs.of_clip(whole)
        except BadSubject as error:
            raise Fails(f"clip_state's output is not the clip function's: {error}") from None
        strange = [path for path, leaf in leaves(after) if not (leaf is None or is_data(leaf))]
        if strange:
            raise Fails(f"clip_state's {strange[0]} is no float tensor: what is done with it is not followed")
        return output, after

    def _continues(self, longest: int) -> None:
        """(F) at several lengths, (S) at several places, from the beginning and from fresh variables."""
        time, part = self.exact.output_time, self.exact.layout.part
        for length in sorted({self._legal(n) for n in (1, 2, FIRST, 5, longest)}):
            x = self._frames(length, 21)
            output = self.exact.clip(x)
            if output is None or not self._alike(output, self._continuation(x)[0]):
                raise Fails(f"clip_state gives another output than the clip function, for {length} frames")
            if output.shape[time] != length:
                raise Fails("the clip function does not give a frame for each frame")
            self.continued.add(length)
        if self.unit > 1 or time != self.exact.layout.time_axis:
            raise Fails("clips are fed in chunks, or have another time axis than their output: they are not taken apart")
        state = self._fresh(self._continuation(self._frames(self._legal(FIRST), 22))[1])
        for head, tail in SPLITS:
            x = self._frames(head + tail, 23)
            for before in (None, state):
                whole, after = self._continuation(x, copied(before))
                output, there = in_parts(self._continuation, part(x, 0, head), part(x, head, tail), time, before)
                if not self._alike(whole, output) or not self._alike_states(after, there):
                    raise Fails(f"clip_state gives something else for {head} and {tail} frames than for all of them")

    def _alike_states(self, a: Any, b: Any) -> bool:
        one, other = list(leaves(a)), list(leaves(b))
        if [path for path, _ in one] != [path for path, _ in other]:
            return False
        return all(
            x is y or (is_data(x) and is_data(y) and self._alike(x, y)) for (_, x), (_, y) in zip(one, other, strict=True)
        )

    # -- the memory ------------------------------------------------------------------------------------------------------

    def _places(self, length: int, beginning: int, data: list[int]) -> Found:
        """Which numbers of the clip function's state each of these places holds, after the same frames."""
        frames = self._seen(length, beginning)
        memory = self._memory(self._player(frames).stream)
        state = [leaf for _, leaf in leaves(self._continuation(frames)[1])]
        return {i: self._place(memory.cells[i].path, memory.cells[i].content, state) for i in data}

    def _place(self, path: str, content: Any, state: list[Any]) -> tuple[int, ...]:
        """A part of the state as it is, or else its numbers one by one: of a layer, say, where all layers are one tensor."""
        if not is_data(content):
            raise Fails(f"{path} depends on frames, and is no tensor of floats")
        with self.exact.numbers.over.suspended():
            if not content.is_contiguous() or content.untyped_storage().nbytes() != content.numel() * content.element_size():
                raise Fails(f"{path} is a part of a larger tensor")
        first = 0
        for leaf in filter(is_data, state):
            alike = leaf.numel() == content.numel() and leaf.dtype == content.dtype
            if alike and self._alike(leaf.reshape(-1), content.reshape(-1)):
                return tuple(range(first, first + leaf.numel()))
            first += leaf.numel()
        found = self._one_by_one(content.reshape(-1), _numbers(state))
        if found is None:
            raise Fails(f"{path} is no part of the clip function's state")
        return found

    def _one_by_one(self, content: Tensor, numbers: Tensor) -> tuple[int, ...] | None:
        """Where each number stands among those of the state; None where one does not."""
        if numbers.dtype != content.dtype or content.numel() * numbers.numel() > MOST:
            return None
        over = self.exact.numbers.over
        equal = over.same(content[:, None].expand(-1, len(numbers)), numbers.expand(len(content), -1))
        with over.suspended():
            return tuple(equal.to(torch.uint8).argmax(1).tolist()) if bool(equal.any(1).all()) else None

    def _shortest_period(self, first: Remembered, start: int, data: list[int]) -> tuple[int, Uses]:
        """One frame, or what the stream takes its frame number modulo of."""
        self.tried += 1
        uses = self._uses(first, start, self.unit, data)
        if not uses.misfits:
            return self.unit, uses
        period = math.lcm(self.unit, *uses.moduli)
        if period > LONGEST:
            raise Fails(f"the stream takes a count modulo {max(uses.moduli)}")
        steps = period * (start + period)  # each phase is reached from the beginning
        if steps > STEPS:
            raise Fails(f"a period of {period} frames would take {steps} steps: only some lengths were compared")
        self.tried += 1
        return period, self._uses(first, start, period, data)

    # -- the step ----------------------------------------------------------------------------------------------------------

    def _step(self, length: int, places: Found) -> None:
        """(R) from frame `length` on: one step from a state of fresh variables, and then the end."""
        exact, unit = self.exact, self.unit
        player = self._player(frames := self._seen(length, 3))
        x = self._frames(unit, 41)
        state = self._fresh(self._continuation(frames)[1])
        numbers = _numbers([leaf for _, leaf in leaves(state)])
        cells = self._memory(player.stream).cells
        for i, which in places.items():
            write(cells[i].content, numbers[list(which)].reshape(cells[i].content.shape))
        before = len(player.trace.frames)
        self._guarded(lambda: player.feed(x, exact.plan_chunks(x)), "from a memory of variables")
        want, after = self._continuation(x, copied(state))
        emitted = player.trace.frames[before:]
        if len(emitted) != want.shape[exact.output_time]:
            raise Fails("the stream does not emit a frame for each frame")
        if not self._alike_frames(emitted, want.unbind(exact.output_time)):
            raise Fails("from another memory than its own the stream's step is another function than the clip function's")
        self._left(player, length + unit, [leaf for _, leaf in leaves(after)], places)
        self._guarded(player.flush, "from a memory of variables")
        if player.trace.flushed:
            raise Fails("the stream has frames to flush")

    def _left(self, player: Player, length: int, after: list[Any], places: Found) -> None:
        """What the step leaves: the next state where it held the state, elsewhere what it always holds then."""
        cells, here, numbers = self._memory(player.stream).cells, self._remembered(player), _numbers(after)
        for i, which in places.items():
            content = cells[i].content if i < len(cells) else None
            if not is_data(content) or not self._alike(content.reshape(-1), numbers[list(which)]):
                raise Fails(f"from another memory than its own the stream leaves something else in place {i} of its memory")
        there = self._remembered(self._fed(length, 3))  # another stream: the module may hold its state now
        if there.paths != here.paths:
            raise Fails("from a memory of variables the stream remembers in other places")
        for i, (a, b) in enumerate(zip(here.cells, there.cells, strict=True)):
            if i in places:
                if (
                    not isinstance(a.content, Kept)
                    or not isinstance(b.content, Kept)
                    or a.content.layout != b.content.layout
                ):
                    raise Fails(f"{a.path} has another form, or lies otherwise, with what else the stream remembers")
            elif not same(self.exact, a.content, b.content):
                raise Fails(f"{a.path} depends on what else the stream remembers")


def _numbers(state: list[Any]) -> Tensor:
    """All numbers of a state in a row."""
    return torch.cat([leaf.reshape(-1) for leaf in state if is_data(leaf)])
