"""The receptive field over a field: weights are symbols, so that no weight that happens to be zero hides a part of it.

All frames before a cut are replaced by others: the outputs that move see behind the cut, those that do not see nothing of
it. The same with all frames from a cut on. One run each says how far back, and how far ahead, any output looks.

Where the first frames are looked at for ever (attention sinks, a background that is taken off), they are left as they are,
as few as will do, and what lies between them and the cut is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch

from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.run.examples import Example
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor
LEAST = 64  # frames in the clip that is looked at
KEPT = (0, 1, 2, 4, 8)  # first frames that are left as they are
MOST = 2048  # beyond which no clip is run to find a receptive field


@dataclass(frozen=True)
class FieldReach:
    """Frames back and ahead of an output's own that it depends on, beside the `first` ones; None: no end was seen."""

    back: int | None
    ahead: int | None
    length: int  # of the clip that was run
    first: int = 0

    @property
    def count(self) -> int | None:
        """The receptive field."""
        return None if self.back is None or self.ahead is None else max(1, self.back + self.ahead + 1)


def field_reach(exact: FieldSession, guess: int, stride: Fraction) -> FieldReach | None:
    """Of a clip at least as long as the example, four times the guess, and 64 frames; None: it takes no such clip."""
    length = exact.legal(min(MOST, max(LEAST, exact.example_length, 4 * guess)))
    example = Example(length, exact.rows, exact.seed + 67)
    x = exact.inputs(example.length, example.batch, example.seed)
    before = exact.clip(x)
    if before is None or before.dim() <= exact.output_time:
        return None
    cuts = sorted({length // 4, length // 4 + 1, max(1, length // 3)})
    ahead = _greatest([_ahead(exact, x, before, length - cut, stride) for cut in cuts[:2]])
    for first in (n for n in KEPT if n < cuts[0] and exact.plan.legal(n) == n):
        back = _greatest([_back(exact, x, before, cut, stride, first) for cut in cuts])
        if back is not None:
            return FieldReach(back, ahead, length, first)
    return FieldReach(None, ahead, length)


def _greatest(found: list[int | None]) -> int | None:
    return None if any(n is None for n in found) else max((n for n in found if n is not None), default=0)


def _moved(exact: FieldSession, x: Tree, before: Tensor, first: int, last: int) -> list[int]:
    """Outputs that move when the frames from first to last are replaced."""
    axis, count = exact.output_time, last - first
    fresh = exact.inputs(count, exact.layout.rows(x) or 1, exact.seed + 68)
    after = exact.clip(exact.layout.replaced(x, first, fresh, 0, count))
    if after is None or after.shape != before.shape:
        return list(range(before.shape[axis]))
    same = exact.numbers.over.same(before, after).movedim(axis, 0).unsqueeze(-1).flatten(1).all(1)
    return [j for j, unmoved in enumerate(same.tolist()) if not unmoved]


def _back(exact: FieldSession, x: Tree, before: Tensor, cut: int, stride: Fraction, first: int) -> int | None:
    """How far back the last output looks that moves with the frames before the cut, but for the first ones."""
    moved = _moved(exact, x, before, first, cut)
    if moved and moved[-1] == before.shape[exact.output_time] - 1:
        return None
    return max(0, int(max(moved, default=0) * stride) - (cut - 1))


def _ahead(exact: FieldSession, x: Tree, before: Tensor, cut: int, stride: Fraction) -> int | None:
    moved = _moved(exact, x, before, cut, exact.layout.length(x))
    if moved and moved[0] == 0:
        return None
    return max(0, cut - int(min(moved, default=cut) * stride)) if moved else 0
