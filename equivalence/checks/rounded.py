"""Whether a difference in double precision is what the rounding of constants to single precision leaves.

Two programs that would be the same with the numbers that were meant are apart by what the rounding of those numbers does.
So all constants of single precision are moved by less than another rounding, and the comparison is made again: a difference
that rounding left moves by about as much as it amounts to, in every element; one of functions stays where it is, however
small. Where the clip itself moves far (a chaotic series of constants), everything does, and nothing is explained.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.equivalence.checks.base import Finer, Skip
from coequal.equivalence.checks.catalogue import CHECKS
from coequal.equivalence.checks.run import Noted, Outcome, distance, run_once
from coequal.equivalence.compare.constants import MovedConstants
from coequal.equivalence.compare.difference import Mismatch, kind_difference
from coequal.equivalence.compare.floats import Floats, RoundingLimit, largest
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import is_weight, tensors
from coequal.proofs.eager import eagerly
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
TIMES = 18  # at most, that the constants are moved
SOME = 6  # times, after which a difference that moves little is one of functions
FEW = 16.0  # times what a difference moves by: several roundings of each number, and moves that happen to cancel
AGAIN = 4.0  # times as far apart as in double precision: what the own format's roundings of the same constants may add


def looked_at(session: Session[Any], name: str, example: Example, noted: Noted | None = None) -> Outcome:
    """One example of one check, as `run_once`; a difference that the rounding of constants explains is none that the own
    format shows, whatever it shows.
    """
    outcome = run_once(session, name, example, noted)
    if isinstance(outcome, Mismatch) and outcome.of_numbers and _of_constants(session, name, example):
        return Finer(outcome, constants=True)
    return outcome


def _of_constants(session: Session[Any], name: str, example: Example) -> bool:
    """Whether constants explain a difference in double precision, and the own format shows no more of it."""
    plain = replace(example, format=None)
    if not explained_by_constants(session, name, plain):
        return False
    apart = distance(session, name, plain, session.dtype)
    if apart is None or session.native == session.dtype:
        return apart is not None
    accepting = session.computing(replace(session.numbers, within=max(session.numbers.within, AGAIN * apart)))
    own = replace(plain, format=str(session.native).removeprefix("torch."))
    return not isinstance(run_once(accepting, name, own), Mismatch)


def explained_by_constants(session: Session[Any], name: str, example: Example) -> bool:
    """Whether the rounding of constants explains the difference that a check saw in an example, in double precision."""
    if session.dtype != torch.float64 or (still := _differences(session, name, example, None)) is None:
        return False
    moves = [torch.zeros_like(frame.apart) for frame in still]
    for seed in range(TIMES):
        now = _differences(session, name, example, seed)
        if now is None or not _noted(moves, still, now):
            return False
        if seed >= SOME - 1 and (_within(still, moves, FEW) or not _within(still, moves, 4 * FEW)):
            break
    return _within(still, moves, FEW)


def _noted(moves: list[Tensor], still: list[Apart], now: list[Apart]) -> bool:
    """The greatest move of each difference so far; False where nothing moves, or the clip itself moves far."""
    if [frame.apart.shape for frame in now] != [frame.apart.shape for frame in still]:
        return False
    far = max((largest(frame.clip) for frame in still), default=0.0) / FEW**2
    if any(bool(((after.clip - before.clip).abs() > far).any()) for before, after in zip(still, now, strict=True)):
        return False
    for most, before, after in zip(moves, still, now, strict=True):
        torch.maximum(most, (after.apart - before.apart).abs(), out=most)
    return any(bool(most.any()) for most in moves)


def _within(still: list[Apart], moved: list[Tensor], times: float) -> bool:
    """Whether no element is further apart than so many times what it moved by, and rounding."""
    pairs = zip(still, moved, strict=True)
    return all(bool((frame.apart.abs() <= times * most + frame.rounding).all()) for frame, most in pairs)


@dataclass(frozen=True)
class Apart:
    """Stream less clip in one frame, the clip's, and how much of the difference is ordinary rounding."""

    apart: Tensor
    clip: Tensor
    rounding: float


@dataclass(frozen=True)
class Kept(Floats):
    """No difference is found, each is kept; what is drawn is data to `mode`."""

    mode: MovedConstants = field(default_factory=lambda: MovedConstants(None))
    frames: list[Apart] = field(default_factory=list)

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tree:
        """As ever: what draws them holds no constants of the programs."""
        with self.mode.still():
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
        if (other := kind_difference(got, want, frame)) is not None:
            return other
        rounding = self.full if self.kept.mode.seed is None else 0.0
        apart = (got.detach() - want).masked_fill(got == want, 0.0)  # of the same infinity as well
        self.kept.frames.append(Apart(apart, want.detach().clone(), rounding))
        return None

    def none_differs(self, got: list[Tensor], want: list[Tensor]) -> bool:
        """Each is kept."""
        return False


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
        except Skip:  # perhaps after it compared
            return other.numbers.frames or None
        except (Mismatch, StreamRaised):
            return None
    return other.numbers.frames
