"""All lengths of a stream whose caches grow: the premises of `proofs/theorems/growth.py`.

Where the clip function looks at all earlier frames, the stream's memory may be lists that grow. Steps are recorded on
ordinary floats (`tracing.py`), laid side by side (`uniform.py`), and looked at for what they leave; all lengths up to a
bound that follows from the sums of the step are then compared over the field.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.memory.cell import Cell, Unobservable
from coequal.equivalence.memory.sizes import is_watched, watched_size
from coequal.equivalence.memory.walk import Memory, memory_of
from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.folds import Modulo
from coequal.equivalence.prove.premises import Fails, Induction, Premises, passed
from coequal.equivalence.prove.tracing import COUNT, FRAME, MEMORY, OTHER, Recorder, Source, Step, Watch
from coequal.equivalence.prove.uniform import Uniform, uniform
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.player import Player, StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import is_weight, tensors
from coequal.subjects.inputs import Tree, leaves_of
from coequal.subjects.wording import listed

Tensor = torch.Tensor
STARTS = (8, 48)  # frames after which steps are looked at
SEEDS = (1, 2, 3)  # of frames
MORE = (4, 5, 6, 7)  # where frames are whole numbers, which may be the same by chance
STEPS = 3
LONGEST_PERIOD = 64  # steps after which remainders must have come back
WINDOW = 64  # frames after which a window must have forgotten
MOST = 256  # lengths more that are compared
CHUNKS = (1, 2, 3)  # sizes of what is fed, in units
FOLD = (
    "the clip function treats all lengths alike: its frame t depends on frames 1 to t, for every t in the same way, through"
    " sums over them"
)


@dataclass
class Growth:
    """A stream whose steps are the same program from `start` frames on; `need`: so many lengths more tell all."""

    start: int = 0
    need: int = 0
    lists: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    ends: int | None = None  # frames after which a table of positions ends
    fails: str = ""  # why nothing is said of every length


def growth_of(session: Session[Any], budget: Budget) -> Growth:
    """The lists of a stream's memory, and how its steps go on; `fails` says why not."""
    found = Growth(fails="no time was left to follow the caches")
    for start in STARTS:
        if budget.spent:
            return found
        try:
            growth = Steps(session, session.plan.legal(start), 1 if session.takes(1) else None).growth()
            if growth.need > MOST:
                raise Fails(f"{growth.need} lengths more would have to be compared: its steps add up too many numbers")
            return growth
        except (Fails, Unobservable, StreamRaised) as error:
            found = Growth(fails=str(error))
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:  # of a tensor that none of ours expects
            found = Growth(fails=f"its steps could not be followed: {type(error).__name__}: {error}")
    return found


def induct(exact: FieldSession, budget: Budget, growth: Growth) -> Induction:
    """Every length that is needed, over the field."""
    search = _Lengths(exact, budget, tried=1)
    try:
        if growth.fails:
            raise Fails(growth.fails)
        search.check(growth)
    except (Fails, Unobservable) as error:
        return Induction(False, str(error), lengths=search.compared, globals=search.globals)
    does = "grows" if growth.lists else "moves on"
    says = f"what the stream remembers {does}: after {growth.start} frames each step is the same program"
    return Induction(
        True,
        says,
        growth.start,
        exact.plan.unit,
        tried=1,
        lengths=search.compared,
        globals=search.globals,
        assumptions=[*search.held(), FOLD],
        counts=growth.counts,
        told=search.told,
        growing=True,
        ends=growth.ends,
    )


@dataclass
class _Lengths(Premises):
    """(E), over the field."""

    def check(self, growth: Growth) -> None:
        """Every length up to those from which all others follow."""
        start, unit = growth.start, self.exact.plan.unit
        if growth.ends is not None and growth.ends < start + unit * (growth.need + 2):
            raise Fails(f"a table of positions ends after {growth.ends} frames")
        self._is_warm(start)
        self._whatever_clips_ran(start)
        self._same_in_other_chunks(start)
        self._every_length(self._legal(start + unit * (growth.need + 2)))

    def _seen(self, length: int, beginning: int) -> Tree:
        return self._frames(length, 51 + beginning)


@dataclass
class Steps:
    """Steps of one subject from `start` frames on; `around`: the modes of torch that they run under."""

    session: Session[Any]
    start: int
    rows: int | None = None
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    views: bool = False
    sizes: tuple[int, ...] = ()  # of what is fed at once; none: one to three units
    again: bool = False  # it was looked at before, under other conditions
    coarse: bool = False  # torch rounds by itself what is fed: autocast
    walked: Memory | None = None  # the last memory, whose names need not be looked for again

    def growth(self) -> Growth:
        """All premises but (E)."""
        if hasattr(self.session.player().stream, "flush"):
            raise Fails("the stream remembers everything, and has a flush")
        places = self._places(STEPS)
        needs, ends, period = self._needs(places)
        if period > 1 and (whole := self._places(2 * period + 1)) != places:  # what moves on in some steps of a period alone
            places = whole
            needs, ends, period = self._needs(places)
        depth = 0 if self.again else self._ordered(places, period)
        return Growth(self.start, max(needs) + depth, sorted(places.lists), places.counts, max(ends, default=None))

    def _needs(self, places: Places) -> tuple[list[int], list[int], int]:
        """Of chunks of all sizes: how many lengths more tell all, after how many frames tables end, the longest period."""
        unit, chunks = self.session.plan.unit, self.session.has("chunk")
        sizes = self.sizes or tuple(n * unit for n in (CHUNKS if chunks else CHUNKS[:1]))
        sizes = tuple(n for n in sizes if self.session.plan.allows((*self._cut(self.start), n)))
        needs, ends, periods = list[int](), list[int](), [1]
        for size in sizes:
            period, programs = self._programs(places, size)
            for phase, program in enumerate(programs):
                self._watch(places, program, size, phase, period)
                if program.steps_left is not None:
                    ends.append(self.start + size * (1 + phase + program.steps_left))
            most = max(program.need for program in programs)
            needs.append(
                period * (most + 1) if period > 1 else most * unit // size
            )  # each frame of a chunk has sums of its own
            periods.append(period * size // unit)
        return needs, ends, max(periods)

    # -- streams that have run -----------------------------------------------------------------------------------------

    def _drawn(self) -> frozenset[int]:
        """Identities of parameters that are variables over the field."""
        modules = None if self.session.facts.unread else self.session.subject.modules
        named = tensors(modules).items() if modules is not None else ()
        return frozenset(id(p) for name, p in named if isinstance(p, torch.nn.Parameter) and is_weight(name, p))

    def _seeds(self) -> tuple[int, ...]:
        leaves = leaves_of(self.session.subject.example).values()
        if all(leaf.is_floating_point() for leaf in leaves):
            return SEEDS[: 2 if self.again else None]
        return SEEDS[:1] if self.again else (*SEEDS, *MORE)

    def _cut(self, length: int) -> list[int]:
        unit = self.session.plan.unit
        return [unit] * (length // unit)

    def _frames(self, length: int, seed: int) -> Tree:
        rows = self.session.batch if self.rows is None else self.rows
        return self.session.random(length, rows, self.session.seed + 701 + 37 * seed)

    def _fed(self, seed: int, more: int, steps: int = 0) -> tuple[Player, Iterator[Tree]]:
        """A stream after the first frames, and what it is fed next, `more` at a time: so many steps, and some besides."""
        x, player = self._frames(self.start + (8 + steps) * more + WINDOW, seed), self.session.player()
        player.views = self.views
        part = self.session.layout.part
        self._feed(player, part(x, 0, self.start))
        places = range(self.start, self.session.layout.length(x) - more, more)
        return player, (part(x, place, more) for place in places)

    def _feed(self, player: Player, frames: Tree, chunks: tuple[int, ...] | None = None) -> None:
        with self.around():
            player.feed(frames, chunks or self.session.plan_chunks(frames))

    def _memory(self, player: Player) -> Memory:
        self.walked = memory_of(
            player.stream,
            self.session.subject.memory,
            graphs=True,
            before=self.walked,
            running=self.session.facts.running,
        )
        return self.walked

    def _kept(self, player: Player) -> list[Cell]:
        """All places as they are now."""
        return [cell.copied() for cell in self._memory(player).places]

    # -- what is remembered --------------------------------------------------------------------------------------------

    def _places(self, steps: int) -> Places:
        looks = []
        for seed in SEEDS[:2]:
            player, frames = self._fed(seed, self.session.plan.unit, steps)
            look = [self._kept(player)]
            for _ in range(steps):
                self._feed(player, next(frames))
                look.append(self._kept(player))
            looks.append(look)
        return Places.of(looks)

    # -- one program ---------------------------------------------------------------------------------------------------

    def _programs(self, places: Places, size: int) -> tuple[int, list[Uniform]]:
        """The steps after which remainders come back, and the program of each."""
        slopes = {axis[1] * size // self.session.plan.unit for axis in places.lists.values()}
        if len(slopes) > 1:
            raise Fails("caches grow at different rates")
        slope, period = slopes.pop() if slopes else size, self._first_period(places, size)
        while True:
            runs = [self._run(places, size, seed, period) for seed in self._seeds()]
            try:
                return period, uniform(runs, slope * period, self._drawn(), coarse=self.coarse)
            except Modulo as found:
                longer = math.lcm(period, _steps(found.modulus, size))
                if not period < longer <= LONGEST_PERIOD:
                    raise
                period = longer

    def _first_period(self, places: Places, size: int) -> int:
        """Steps after which the remainders of counts come back that Python asks for."""
        player, frames = self._fed(SEEDS[0], size)
        uses, periods = Uses(), [1]
        for cell in self._memory(player).cells:
            if cell.path in places.counts and type(cell.content) is int and cell.put is not None:
                growth = places.counts[cell.path] * size // self.session.plan.unit
                cell.put(watched_size(cell.content, uses, growth))
                periods.append(growth)
        with contextlib.suppress(StreamRaised):
            self._feed(player, next(frames), (size,))
        steps = [_steps(modulus, growth) for modulus in uses.moduli for growth in periods[1:]]
        if (period := math.lcm(1, *steps)) > LONGEST_PERIOD:
            moduli = listed(sorted(map(str, uses.moduli)))
            raise Fails(
                f"the stream takes a count modulo {moduli}, which comes back after {period} steps: that is not followed"
            )
        return period

    def _run(self, places: Places, size: int, seed: int, period: int) -> list[Step]:
        player, frames = self._fed(seed, size, 3 * period)
        recorder, steps = Recorder(), []
        for _ in range(3 * period):
            x = next(frames)
            with recorder.step(self._named(player, places, x)) as step:
                self._feed(player, x, (size,))
            steps.append(step)
        return steps

    def _named(self, player: Player, places: Places, x: Tree) -> dict[Source, Tensor]:
        """Frames, and the tensors of the memory that are no weights."""
        named = {Source(FRAME, name): leaf for name, leaf in leaves_of(x).items()}
        for cell in self._memory(player).places:
            if isinstance(cell.content, Tensor) and cell.path in places.moving:
                named[Source(COUNT if cell.path in places.counts else MEMORY, cell.path)] = cell.content
        return named

    def _watch(self, places: Places, program: Uniform, size: int, phase: int, period: int) -> None:
        """One step more, with sizes and counts watched where Python sees them."""
        player, frames = self._fed(SEEDS[0], size, period)
        for _ in range(phase):
            self._feed(player, next(frames), (size,))
        watch = Watch(program.steps[0], program.steps[1])
        memory = self._memory(player)
        if memory.counts_types or memory.tells_integers:
            raise Fails("the stream asks for the types of objects: sizes cannot be watched")
        counts = {c.path: c for c in memory.cells if c.path in places.counts and type(c.content) is int}
        for path, cell in counts.items():
            if cell.put is None:
                raise Fails(f"{path} counts frames, and cannot be watched")
            cell.put(watched_size(cell.content, watch.uses, period * places.counts[path] * size // self.session.plan.unit))

        x = next(frames)
        try:
            with Recorder().step(self._named(player, places, x), watch) as step:
                self._feed(player, x, (size,))
        except StreamRaised as error:
            raise Fails(f"with its sizes watched the stream raises: {error}") from None
        if told := {*watch.uses.escapes, *step.strange}:
            raise Fails(f"the stream uses the size of a cache itself: as {', '.join(sorted(told))}")
        passed(watch.uses)
        if step.calls != watch.first.calls:
            raise Fails(OTHER)
        for cell in self._memory(player).cells:
            if cell.path in counts and not is_watched(cell.content):
                raise Fails(f"{cell.path} counts frames, and a watched number does not stay there")

    # -- what depends on what ------------------------------------------------------------------------------------------

    def _ordered(self, places: Places, period: int) -> int:
        """Other numbers in one place of the memory at a time: which others change by them in any step of a period.

        So many steps later all windows, one after the other, have forgotten what they held.
        """
        plain = [self._step_from(None, phase) for phase in range(period)]
        needs, depth = {}, 0
        for path in sorted(places.data):
            changed = [self._step_from(path, phase) for phase in range(period)]
            reached = {p for p in places.data for a, b in zip(plain, changed, strict=True) if places.added(p, a, b)}
            needs[path] = {p for p in reached if p != path or p in places.lists}
            if path in places.windows:
                depth += self._forgets(path)
        while needs:
            free = [path for path, reached in needs.items() if not reached & needs.keys()]
            if not free:
                raise Fails(f"what is remembered in {min(needs)} depends on what was remembered there: not on frames alone")
            for path in free:
                del needs[path]
        return depth

    def _step_from(self, path: str | None, phase: int) -> dict[str, Any]:
        player, frames = self._fed(SEEDS[0], self.session.plan.unit, phase)
        for _ in range(phase):
            self._feed(player, next(frames))
        if path is not None:
            self._overwrite(player, path)
        self._feed(player, next(frames))
        return {cell.path: cell.content for cell in self._kept(player)}

    def _forgets(self, path: str) -> int:
        """Whatever a window held is gone after some steps, if all else is as it was: how many."""
        looks: Iterable[tuple[Tree, dict[str, Any]]] = self._looks(WINDOW // self.session.plan.unit)
        if self.session.alone:
            looks = list(looks)
        other, _ = self._fed(SEEDS[0], self.session.plan.unit)
        self._overwrite(other, path)
        for steps, (x, kept) in enumerate(looks, 1):
            self._feed(other, x)
            cells = self._memory(other).places
            held = [cell.content for cell in cells if cell.path == path]
            if all(_alike(kept[path], content) for content in held):
                return steps
            own = {content.untyped_storage()._cdata for content in held}  # another place may hold the same tensor
            floats = [c for c in cells if isinstance(c.content, Tensor) and c.content.is_floating_point()]
            for cell in floats:
                if cell.content.untyped_storage()._cdata not in own:
                    _write(cell.content, kept[cell.path])
        raise Fails(f"{path} depends on all frames, and does not grow: it is no window of the last ones")

    def _looks(self, steps: int) -> Iterator[tuple[Tree, dict[str, Any]]]:
        """Frames that are fed, and all places after each of them."""
        player, frames = self._fed(SEEDS[0], self.session.plan.unit)
        for x in itertools.islice(frames, steps):
            self._feed(player, x)
            yield x, {cell.path: cell.content for cell in self._kept(player)}

    def _overwrite(self, player: Player, path: str) -> None:
        """Other numbers in one place."""
        for cell in self._memory(player).places:
            if cell.path == path:
                _write(cell.content, torch.randn(cell.content.shape, generator=torch.Generator().manual_seed(5)))


@dataclass
class Places:
    """What the places of a memory are; lists with the axis along which they grow, and by how much."""

    lists: dict[str, tuple[int, int]] = field(default_factory=dict)
    windows: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, looks: list[list[list[Cell]]]) -> Places:
        """From several looks, one after the other, at two streams."""
        found = cls()
        paths = [[cell.path for cell in look] for look in (*looks[0], *looks[1])]
        if any(p != paths[0] for p in paths):
            extra = sorted(set(paths[0]) ^ set(next(p for p in paths if p != paths[0])))
            raise Fails(f"what is remembered changes its shape: {extra[0] if extra else 'order of parts'}")
        for cells in zip(*looks[0], *looks[1], strict=True):
            contents = [cell.content for cell in cells]
            found._add(cells[0].path, contents[: len(looks[0])], contents[len(looks[0]) :])
        if not found.lists and not (found.windows and found.counts):
            raise Fails("the stream remembers everything: no finite memory to follow, and no cache that grows")
        return found

    def _add(self, path: str, one: list[Any], other: list[Any]) -> None:
        if all(_alike(one[0], x) for x in (*one, *other)):
            return
        if all(type(x) is int for x in (*one, *other)):
            self._add_count(path, one, other)
        elif not all(isinstance(x, Tensor) for x in (*one, *other)):
            raise Fails(f"{path} changes while frames are fed, and is not understood")
        elif not one[0].is_floating_point():
            if any(not x.numel() or x.is_complex() or x.dtype == torch.bool for x in (*one, *other)):
                raise Fails(f"{path} changes while frames are fed, and is no tensor of floats")
            if any(x.shape != one[0].shape or bool((x - one[0] != (x - one[0]).flatten()[0]).any()) for x in (*one, *other)):
                raise Fails(f"{path} changes while frames are fed, and is no tensor of floats")
            self._add_count(path, *([int(x.flatten()[0]) for x in looks] for looks in (one, other)))
        elif len({x.shape for x in one}) > 1:
            self._add_list(path, one, other)
        elif all(_alike(one[0], x) for x in one):
            self.held.add(path)
        elif all(_alike(x, y) for x, y in zip(one, other, strict=True)):
            raise Fails(f"{path} changes with time, whatever the frames are")
        else:
            self.windows.add(path)

    def _add_count(self, path: str, one: list[int], other: list[int]) -> None:
        steps = {b - a for a, b in itertools.pairwise(one)}
        if one != other or len(steps) != 1 or min(steps) <= 0:
            raise Fails(f"{path} is a whole number that does not grow evenly")
        self.counts[path] = steps.pop()

    def _add_list(self, path: str, one: list[Tensor], other: list[Tensor]) -> None:
        shapes = [x.shape for x in one]
        moving = [i for i in range(one[0].dim()) if len({s[i] for s in shapes if len(s) == len(shapes[0])}) > 1]
        if len({len(s) for s in shapes}) > 1 or len(moving) != 1 or [x.shape for x in other] != shapes:
            raise Fails(f"{path} changes its shape, and is no list that grows")
        axis = moving[0]
        steps = {b[axis] - a[axis] for a, b in itertools.pairwise(shapes)}
        if len(steps) != 1 or min(steps) <= 0:
            raise Fails(f"{path} does not grow evenly")
        for a, b in itertools.pairwise(one):
            if not _alike(a, b.narrow(axis, 0, a.shape[axis])):
                raise Fails(f"{path} grows, and what it held changes, or moves")
        self.lists[path] = axis, steps.pop()

    @property
    def data(self) -> set[str]:
        """Places whose content moves on with frames."""
        return {*self.lists, *self.windows}

    @property
    def moving(self) -> set[str]:
        """Places that are no weights."""
        return self.data | self.held | set(self.counts)

    def added(self, path: str, plain: dict[str, Any], changed: dict[str, Any]) -> bool:
        """Whether what a step added here has changed."""
        a, b = plain[path], changed.get(path)
        if path in self.lists and isinstance(b, Tensor) and a.shape == b.shape:
            axis, growth = self.lists[path]
            a, b = (x.narrow(axis, x.shape[axis] - growth, growth) for x in (a, b))
        return not _alike(a, b)


def _steps(modulus: int, growth: int) -> int:
    """After which a number that grows so is the same modulo this."""
    return modulus // math.gcd(modulus, growth)


def _write(tensor: Tensor, values: Tensor) -> None:
    with torch.no_grad(), torch.inference_mode(tensor.is_inference()):
        tensor.copy_(values)


def _alike(a: Any, b: Any) -> bool:
    """Bit by bit."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))
    return type(a) is type(b) and (a is b or bool(a == b))
