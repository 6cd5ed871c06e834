"""Schedules: how many frames are fed at once. What a stream may be fed is its plan; the result must not depend on it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from coequal.subjects.errors import BadSubject

Chunks = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Legal chunk sizes: multiples of `unit`, at most `maximum` (1: single frames only), or just those of `sizes`.

    `first`, if given, is the size that the first chunk of a stream must have (1, then multiples of 4: `Plan(4, first=1)`).
    """

    unit: int = 1
    first: int | None = None
    maximum: int | None = None
    sizes: Chunks | None = None

    def allows(self, chunks: Sequence[int]) -> bool:
        """Whether a stream may be fed these sizes, in this order."""
        rest = list(chunks)
        if self.first is not None and rest and rest.pop(0) != self.first:
            return False
        return all(self._fits(size) for size in rest)

    def _fits(self, size: int) -> bool:
        if size < 1 or size % self.unit or (self.maximum is not None and size > self.maximum):
            return False
        return self.sizes is None or size in self.sizes

    def legal(self, length: int) -> int:
        """The greatest length up to `length` that can be fed."""
        if self.sizes is not None:
            return sum(self.split(length, "smallest"))
        first = self.first or 0
        if length < first:
            return 0
        rest = 0 if self.maximum is not None and self.maximum < self.unit else length - first
        return first + rest - rest % self.unit if length >= 0 else 0

    def split(self, length: int, style: str = "smallest", seed: int = 0) -> Chunks:
        """Sizes that add up to the greatest legal length: "smallest", "largest" or "mixed" (random by seed) chunks."""
        rng, chunks, left = random.Random(seed), list[int](), length
        if self.first is not None and left >= self.first:
            chunks, left = [self.first], left - self.first
        elif self.first is not None:
            return ()
        while options := self._options(left):
            chunks.append(rng.choice(options) if style == "mixed" else options[0 if style == "smallest" else -1])
            left -= chunks[-1]
        return tuple(chunks)

    def _options(self, left: int) -> Sequence[int]:
        if self.sizes is None:
            return range(self.unit, (left if self.maximum is None else min(left, self.maximum)) + 1, self.unit)
        return [size for size in sorted(self.sizes) if size <= left and self._fits(size)]


def plan_of(plan: object) -> Plan:
    """A Plan from what `Subject.plan` may hold: None (any), a Plan, a unit, "single", or a collection of sizes."""
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
