"""Executed operations of a stream: its first step, then one period of steady steps, mean and worst.

The period is found, not believed: after the first emission, the smallest p for which the work of the last steps repeats with
p, seen over at least 2 p and `OBSERVED` steps. A stream whose work grows for ever (causal attention) has none: None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from coequal.proofs.cost.algebra.counts import Cost, CostError
from coequal.proofs.cost.executed.counter import Executed, count, uncounted

OBSERVED = 16  # steps that must repeat before we believe it
PATIENCE = 64  # steps after the first emission in which a period must have shown


@dataclass(frozen=True)
class Stepped:
    """What the steps of a stream executed; `steady` is one period, or the last step alone where there is no period."""

    first: Executed
    steady: tuple[Executed, ...]
    period: int | None
    warm_up: int  # steps before the first emission
    shown: int = 0  # without a period: the frame, from 1, whose step is shown

    def mean(self, convention: str = "macs") -> Fraction:
        """Operations of a step, averaged over the period; exact."""
        return Fraction(sum(step.cost.flops(convention) for step in self.steady), len(self.steady))

    def worst(self, convention: str = "macs") -> int:
        """Operations of the most expensive step of the period."""
        return max(step.cost.flops(convention) for step in self.steady)

    @property
    def modules(self) -> dict[str, Cost]:
        """Of the period, by submodule."""
        names = dict.fromkeys(name for step in self.steady for name in step.modules)
        return {name: Cost.total(step.modules.get(name, Cost({})) for step in self.steady) for name in names}


def steps_executed(
    step: Callable[[torch.Tensor], Any],
    frames: Iterator[torch.Tensor],
    module: torch.nn.Module | None = None,
    *,
    limit: int = 1024,
    at: int | None = None,
) -> Stepped:
    """Feed frames to a fresh stream until its work repeats. CostError: nothing was emitted within `limit` steps.

    Where the work never repeats, the step of frame `at` (from 1; the last one counted, unless given) is what is shown.
    Between the first step and the first emission nothing is counted: that is the warm-up.
    """
    first: Executed | None = None
    seen: list[Executed] = []
    emitted: int | None = None
    fed = 0
    for t, frame in zip(range(limit), frames, strict=False):
        fed += 1
        if t and emitted is None:
            result = uncounted(lambda frame=frame: step(frame))  # type: ignore[misc]
        else:
            executed = count(lambda frame=frame: step(frame), module)  # type: ignore[misc]
            result, executed.result, first = executed.result, None, first or executed
            seen += [executed] if t or _something(result) else []
        if emitted is None:
            emitted = t if _something(result) else None
            continue
        period = period_of([one.cost.macs() for one in seen])
        if first is not None and period is not None:
            return Stepped(first, tuple(seen[-period:]), period, emitted)
        if first is not None and t - emitted >= PATIENCE:
            shown = min(t + 1, t + 1 if at is None else max(at, t + 2 - len(seen)))
            return Stepped(first, (seen[shown - t - 2],), None, emitted, shown)
    if first is None or not seen or emitted is None:
        raise CostError(f"the stream has emitted nothing after {fed} frames: there is no steady state to count")
    return Stepped(first, tuple(seen[-1:]), None, emitted, fed)


def period_of(work: list[int]) -> int | None:
    """The smallest p with `work[t] = work[t - p]` over the last max(2 p, OBSERVED) steps; None: not seen yet."""
    for p in range(1, len(work) // 2 + 1):
        length = max(2 * p, OBSERVED)
        recent = work[-length:]
        if len(recent) == length and recent[p:] == recent[:-p]:
            return p
    return None


def _something(result: Any) -> bool:
    """Whether a step has emitted: a tensor that is not empty, somewhere in what it returned."""
    return any(isinstance(x, torch.Tensor) and 0 not in x.shape for x in tree_leaves(result))


def numbers_in(state: Any) -> int:
    """Floating-point numbers that a tree of tensors holds; memory that is shared counts once."""
    kept = {
        x.untyped_storage()._cdata: int(x.untyped_storage().nbytes()) // x.element_size()
        for x in tree_leaves(state)
        if isinstance(x, torch.Tensor) and x.is_floating_point()
    }
    return sum(kept.values())
