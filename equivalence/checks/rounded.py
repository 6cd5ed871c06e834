"""Whether a difference in double precision is what the rounding of constants to single precision leaves.

Two programs that would be the same with the numbers that were meant are apart by what the rounding of those numbers does.
So all constants of single precision are moved by less than another rounding, and the comparison is made again: a difference
that rounding left moves by about as much as it amounts to, in every element; one of functions stays where it is, however
small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.checks.base import Skip
from coequal.equivalence.checks.catalogue import CHECKS
from coequal.equivalence.compare.constants import MovedConstants
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Floats, RoundingLimit
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import is_weight, tensors
from coequal.proofs.eager import eagerly
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
TIMES = 6  # that the constants are moved
FEW = 16.0  # times what a difference moves by: several roundings of each number, and moves that happen to cancel


def explained_by_constants(session: Session[Any], name: str, example: Example) -> bool:
    """Whether the rounding of constants explains the difference that a check saw in an example, in double precision."""
    if session.dtype != torch.float64 or (still := _differences(session, name, example, None)) is None:
        return False
    largest = [torch.zeros_like(frame.apart) for frame in still]
    for seed in range(TIMES):
        now = _differences(session, name, example, seed)
        if now is None or [frame.apart.shape for frame in now] != [frame.apart.shape for frame in still]:
            return False
        for most, before, after in zip(largest, still, now, strict=True):
            torch.maximum(most, (after.apart - before.apart).abs(), out=most)
    return all(
        bool((frame.apart.abs() <= FEW * most + frame.rounding).all())
        for frame, most in zip(still, largest, strict=True)
    )  # fmt: skip


@dataclass(frozen=True)
class Apart:
    """Stream less clip in one frame, and how much of it is ordinary rounding."""

    apart: Tensor
    rounding: float


@dataclass(frozen=True)
class Kept(Floats):
    """No difference is found, each is kept; what is drawn is data to `mode`."""

    mode: MovedConstants = field(default_factory=lambda: MovedConstants(None))
    frames: list[Apart] = field(default_factory=list)

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tree:
        """As ever."""
        x = super().draw(session, length, batch, seed)
        self.mode.are_data(leaves_of(x).values())
        return x

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> KeptLimit:
        """Everything is kept."""
        return KeptLimit(self, session, x, output)


class KeptLimit(RoundingLimit):
    """Of one clip run."""

    def __init__(self, kept: Kept, session: Session[Any], x: Tree, output: Tensor | None) -> None:
        super().__init__(kept, session, x, output)
        self.kept = kept

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """None, but of what is no number."""
        other = super().difference(got, want, frame)
        if got.shape != want.shape or not want.is_floating_point() or not bool((got - want).isfinite().all()):
            return other
        self.kept.frames.append(Apart((got - want).detach(), self.full if self.kept.mode.seed is None else 0.0))
        return None


def _differences(session: Session[Any], name: str, example: Example, seed: int | None) -> list[Apart] | None:
    """Of every frame that a check compares, constants moved by a seed; None: they cannot be told."""
    mode, module = MovedConstants(seed), session.subject.modules
    other = session.in_dtype(session.dtype, Kept(mode=mode))
    with other.ready(), other.weights(example), eagerly():
        if module is not None and not session.facts.unread:
            mode.are_data(t for n, t in tensors(module).items() if is_weight(n, t))
        try:
            with mode:
                CHECKS[name].body(other, example)
        except (Mismatch, Skip, StreamRaised):
            return None
    return other.numbers.frames
