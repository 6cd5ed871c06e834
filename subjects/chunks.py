"""Schedules: how many frames are fed at once. What a stream may be fed is its plan; the result must not depend on it."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from coequal.subjects.errors import BadSubject

Chunks = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Legal chunk sizes: multiples of `unit`, `minimum` at least and `maximum` at most (1: single frames only), or just
    those of `sizes`. All numbers are frames.

    `first`: the size that the first chunk of a stream must have (1, then multiples of 4: `Plan(4, first=1)`).
    `prompt`: the first chunk may have any size (a prompt, then single frames: `Plan(maximum=1, prompt=True)`).
    `longest`: the greatest total length. `ahead`: each chunk comes with so many frames of the next one, fewer at the end of
    the stream, which are fed again. `whole`: each call is handed all frames so far.
    """

    unit: int = 1
    first: int | None = None
    maximum: int | None = None
    sizes: Chunks | None = None
    minimum: int | None = None
    prompt: bool = False
    longest: int | None = None
    ahead: int = 0
    whole: bool = False

    def __post_init__(self) -> None:
        for name in ("unit", "first", "maximum", "minimum", "longest"):
            value = getattr(self, name)
            if (value is not None or name == "unit") and not (isinstance(value, int) and value >= 1):
                raise BadSubject(f"Plan.{name}: a number of frames, at least 1; got {value!r}")
        if not isinstance(self.whole, bool) or not isinstance(self.prompt, bool):
            raise BadSubject("Plan: `whole` and `prompt` are True or False")
        if self.sizes is not None and not all(isinstance(size, int) and size >= 1 for size in self.sizes):
            raise BadSubject(f"Plan.sizes: numbers of frames, at least 1; got {self.sizes!r}")
        if not isinstance(self.ahead, int) or self.ahead < 0:
            raise BadSubject(f"Plan.ahead: a number of frames, 0 or more; got {self.ahead!r}")
        if self.prompt and self.first is not None:
            raise BadSubject("Plan: `prompt` says that the first chunk may have any size, `first` that it has one")
        if not (self.smallest(1) or self.prompt):
            raise BadSubject(f"Plan: no size of a chunk is legal: {self}")
        if self.whole and self.ahead:
            raise BadSubject("Plan: with `whole` each call is handed all frames so far, `ahead` hands over later ones")

    def allows(self, chunks: Sequence[int]) -> bool:
        """Whether a stream may be fed these sizes, in this order."""
        rest = list(chunks)
        if self.longest is not None and sum(rest) > self.longest:
            return False
        if self.first is not None and rest and rest.pop(0) != self.first:
            return False
        if self.prompt and rest and rest.pop(0) < 1:
            return False
        return all(self._fits(size) for size in rest)

    def later(self) -> Plan:
        """What is legal once the first chunk has been fed."""
        return replace(self, first=None, prompt=False, longest=None)

    def _fits(self, size: int) -> bool:
        if size < 1 or size % self.unit or not self._least <= size <= (size if self.maximum is None else self.maximum):
            return False
        return self.sizes is None or size in self.sizes

    @property
    def _least(self) -> int:
        """The smallest multiple of the unit that is legal."""
        return -(-(self.minimum or 1) // self.unit) * self.unit

    @property
    def _most(self) -> int | None:
        """The largest one."""
        return None if self.maximum is None else self.maximum - self.maximum % self.unit

    def legal(self, length: int) -> int:
        """The greatest length up to `length` that can be fed."""
        length = length if self.longest is None else min(length, self.longest)
        if length < 0:
            return 0
        if self.prompt:
            return length
        first = self.first or 0
        return 0 if length < first else first + self._later(length - first)

    def _later(self, length: int) -> int:
        """The greatest length up to `length` that legal chunks after the first add up to."""
        if self.sizes is not None:
            return sum(self._of_sizes(length, "smallest", random.Random(0)))
        whole, least, most = length - length % self.unit, self._least, self._most
        if whole < least or (most is not None and most < least):
            return 0
        return whole if most is None else min(whole, whole // least * most)

    def split(self, length: int, style: str = "smallest", seed: int = 0) -> Chunks:
        """Sizes that add up to the greatest legal length: "smallest", "largest" or "mixed" (random by seed) chunks."""
        rng, left = random.Random(seed), self.legal(length)
        if self.first is not None:
            return () if left < self.first else (self.first, *self._later_chunks(left - self.first, style, rng))
        if self.prompt and left:
            first = self._prompt(left, style, rng)
            return (first, *self._later_chunks(left - first, style, rng))
        return self._later_chunks(left, style, rng)

    def smallest(self, count: int) -> Chunks:
        """The smallest sizes of chunks that are legal after the first one, so many at most."""
        sizes: Iterable[int] = sorted(self.sizes) if self.sizes is not None else itertools.count(self._least, self.unit)
        most = self.maximum if self.maximum is not None else math.inf
        legal = (size for size in itertools.takewhile(lambda size: size <= most, sizes) if self._fits(size))
        return tuple(itertools.islice(legal, count))

    def repeated(self, size: int, length: int) -> Chunks:
        """Chunks of one size after the first one, twice at least, and up to about so many frames."""
        first = (self.first,) if self.first is not None else (1,) if self.prompt else ()
        return (*first, *(size,) * max(2, (length - sum(first)) // size))

    def prompted(self, size: int, length: int) -> Chunks:
        """A first chunk of this size, and the smallest chunks after it, up to about so many frames."""
        rest = max(4 * self._least, length - size)
        rest = rest if self.longest is None else min(rest, self.longest - size)
        return (size, *self._later_chunks(self._later(max(0, rest)), "smallest", random.Random(0)))

    def ordered(self, sizes: Sequence[int], count: int = 2) -> Chunks:
        """A schedule in which any so many of these sizes follow one another somewhere; none, where that is not legal."""
        first = (self.first,) if self.first is not None else (1,) if self.prompt else ()
        chunks = (*first, *every_order(sizes, count))
        return chunks if self.allows(chunks) else ()

    def _prompt(self, length: int, style: str, rng: random.Random) -> int:
        """The first chunk's size: what is left can be fed in chunks."""
        able = [n for n in range(1, length + 1) if self._divides(length - n)]
        return rng.choice(able) if style == "mixed" else able[0 if style == "smallest" else -1]

    def _divides(self, length: int) -> bool:
        """Whether legal chunks after the first add up to this."""
        return self._later(length) == length

    def _later_chunks(self, length: int, style: str, rng: random.Random) -> Chunks:
        if self.sizes is not None:
            return self._of_sizes(length, style, rng)
        chunks, left, least = list[int](), self._later(length), self._least
        while left:
            sizes: Sequence[int] = range(least, min(left, self._most or left) + 1, self.unit)
            if least > self.unit:
                sizes = [size for size in sizes if left == size or self._later(left - size) == left - size]
            chunks.append(rng.choice(sizes) if style == "mixed" else sizes[0 if style == "smallest" else -1])
            left -= chunks[-1]
        return tuple(chunks)

    def _of_sizes(self, length: int, style: str, rng: random.Random) -> Chunks:
        chunks, left = list[int](), length
        while sizes := [size for size in sorted(self.sizes or ()) if size <= left and self._fits(size)]:
            chunks.append(rng.choice(sizes) if style == "mixed" else sizes[0 if style == "smallest" else -1])
            left -= chunks[-1]
        return tuple(chunks)


def every_order(sizes: Sequence[int], count: int) -> Chunks:
    """The shortest sequence in which any so many of some sizes follow one another: that of de Bruijn, begun once more.

    By the Lyndon words of a length that divides `count`, in their order (Fredricksen & Maiorana, Necklaces of beads in k
    colors and k-ary de Bruijn sequences, 1978).
    """
    word, found = [-1] * bool(sizes), list[int]()
    while word:
        word[-1] += 1
        if count % len(word) == 0:
            found += word
        word = [word[i % len(word)] for i in range(count)]
        while word and word[-1] == len(sizes) - 1:
            word.pop()
    return tuple(sizes[found[i % len(found)]] for i in range(len(found) + count - 1)) if found else ()


PlanLike = Plan | int | str | Collection[int] | None  # what `Subject.plan` may hold


def plan_of(plan: object, longest: int | None = None) -> Plan:
    """A Plan from what `Subject.plan` may hold: None (any), a Plan, a unit, "single", or a collection of sizes.

    `longest`: a greatest total length besides the plan's own.
    """
    found = _plan_of(plan)
    bounds = [n for n in (found.longest, longest) if n is not None]
    return replace(found, longest=min(bounds)) if bounds else found


def _plan_of(plan: object) -> Plan:
    if plan is None:
        return Plan()
    if isinstance(plan, Plan):
        return plan
    if plan == "single":
        return Plan(maximum=1)
    if isinstance(plan, int) and not isinstance(plan, bool) and plan >= 1:
        return Plan(unit=plan)
    if isinstance(plan, (tuple, list, set, frozenset, range)) and plan and all(isinstance(n, int) and n >= 1 for n in plan):
        return Plan(sizes=tuple(sorted(plan)))
    raise BadSubject(f"Subject.plan: expected None, a unit (4), 'single', sizes ((1, 4)) or a coequal Plan, got {plan!r}")
