"""What inductions of streams that remember everything have in common: places that hold what frames left, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

import torch

from coequal.equivalence.memory.watched import Uses
from coequal.equivalence.prove.premises import Premises, same_structure
from coequal.equivalence.prove.remembered import Remembered, same
from coequal.proofs.theorems.recurrence import copied
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor


@dataclass
class Everything(Premises):
    """Premises on a memory of which no frame is forgotten."""

    def _seen(self, length: int, beginning: int) -> Tree:
        return self._frames(length, 31 + beginning)

    def _from_frames(self, first: Remembered, start: int) -> list[int]:
        """Places whose content depends on frames."""
        other = self._after(start, 1)
        same_structure(first, other)
        cells = enumerate(zip(first.cells, other.cells, strict=True))
        return [i for i, (a, b) in cells if not same(self.exact, a.content, b.content)]

    def _uses(self, first: Remembered, start: int, period: int, data: list[int]) -> Uses:
        """What depends on no frame is the same a period later, or has grown: what is done with that is watched."""
        return self._watched(self._grown(first, self._after(start + period, 2), data), start, period)

    def _fresh(self, state: Any) -> Any:
        """The same state with a fresh variable for every number."""
        symbols = self.exact.numbers.over.store.symbols
        with self.exact.numbers.over.suspended():
            return copied(state, lambda t: symbols.fresh(torch.randn(t.shape, dtype=t.dtype, device=t.device)))


def is_data(thing: Any) -> TypeGuard[Tensor]:
    """Whether something is a tensor of floats."""
    return isinstance(thing, Tensor) and thing.is_floating_point()


def write(place: Tensor, values: Tensor) -> None:
    """Into a tensor of the memory; into those that were made in inference mode only there."""
    with torch.inference_mode(place.is_inference()):
        place.copy_(values)
