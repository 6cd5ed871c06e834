"""Shrinking: the smallest example that still differs, length first, then rows, weights and chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.run.budget import Budget
from coequal.equivalence.run.examples import Example
from coequal.subjects.chunks import Plan

SECONDS = 10.0  # for all attempts together
SOON = 4  # frames after the first that differs
FEW = (1, 2, 3)  # chunks that are tried alone
Compare = Callable[[Example], Any]


def shrink(
    example: Example, compare: Compare, plan: Plan, mismatch: Mismatch | None, batches: Sequence[int] | None = None
) -> tuple[Example, Mismatch]:
    """The smallest example found that differs, and how it differs; deterministic but for the time limit.

    `batches`: the numbers of rows that are legal; None: any.
    """
    assert mismatch is not None
    best, budget, tried = (example, mismatch), Budget.of(SECONDS), {example}
    progress = True
    while progress:
        progress = False
        for candidate in candidates(best[0], plan, batches, best[1].frame):
            if budget.spent:
                return best
            if candidate in tried:
                continue
            tried.add(candidate)
            outcome = compare(candidate)
            if isinstance(outcome, Mismatch):
                best, progress = (candidate, outcome), True
                break
    return best


def candidates(
    example: Example, plan: Plan, batches: Sequence[int] | None = None, frame: int | None = None
) -> Iterator[Example]:
    """Smaller examples, the smallest first; `frame` is where the example differs first: clips that end soon after it may."""
    if example.chunks is None:
        soon = () if frame is None else range(frame + 1, frame + SOON + 1)
        lengths = sorted(
            {*range(min(example.length, 12)), *(example.length * k // 8 for k in range(1, 8)), *soon, example.length - 1}
        )
        for length in dict.fromkeys(plan.legal(n) for n in lengths if 0 <= n < example.length):
            yield replace(example, length=length)
    else:
        yield from _fewer_chunks(example, plan)
    for rows in dict.fromkeys((1, example.batch - 1)):
        if 0 < rows < example.batch and (batches is None or rows in batches):
            yield replace(example, batch=rows)
    if example.scale is not None:
        yield replace(example, scale=None)


def _fewer_chunks(example: Example, plan: Plan) -> Iterator[Example]:
    """A few chunks that follow one another, then any number of the first ones, of the last ones; then smaller ones."""
    chunks = example.chunks or ()
    few = [chunks[n : n + count] for count in FEW for n in range(len(chunks) - count + 1) if count < len(chunks)]
    shorter = list(dict.fromkeys(few))
    shorter += [chunks[:n] for n in range(1, len(chunks))] + [chunks[n:] for n in range(1, len(chunks))]
    for i, size in enumerate(chunks):
        sizes = {1, plan.unit, size // 2, size - plan.unit, size - 1, *(plan.sizes or ())}
        shorter += [(*chunks[:i], less, *chunks[i + 1 :]) for less in sorted(sizes) if 0 < less < size]
    for fewer in shorter:
        if plan.allows(fewer):
            yield replace(example, length=sum(fewer), chunks=fewer)
