"""Whether it is the clip function that cannot go on: what it accumulates over a long clip overflows, the stream's does not.

Parallel forms of recurrences divide by products of all gates so far, `a (b / a).cumsum()`: after some hundred frames those
vanish, and the clip is no number any more, where the stream, which multiplies one gate at a time, goes on. That is no
difference of functions. It is one where the clip is infinite for what stands in its frames, `1 / relu(x)`.
"""

from __future__ import annotations

import math
from typing import Any

from coequal.equivalence.compare.defined import Watch
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import in_format
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.proofs.eager import eagerly
from coequal.subjects.inputs import Tree

LATE = 16  # frames that must have agreed before


def overflows_in_clip(session: Session[Any], example: Example, mismatch: Mismatch) -> str:
    """Where the clip function overflows, if the first difference is of that making; empty where it is not.

    Something in it becomes infinite, of numbers that were finite; all frames before agreed; and a clip of the last half of
    the same frames is finite: so it was the length that did it, and no frame.
    """
    frame, expected = mismatch.frame, mismatch.expected
    if not mismatch.of_numbers or math.isfinite(expected) or not math.isfinite(mismatch.got) or session.subject.window:
        return ""
    if frame is None or frame < LATE:
        return ""
    with in_format(session, example.format) as here, here.weights(example):
        x = here.inputs(example.length, example.batch, example.seed)
        output = here.clip(x)
        if output is None:
            return ""
        fed = -(-(frame + 1) * example.length // output.shape[here.output_time])
        until, after = here.legal(fed), here.legal(fed - fed // 2)
        if until < fed or not _becomes_infinite(here, here.layout.part(x, 0, until)):
            return ""
        last = here.clip(here.layout.part(x, until - after, after))
        if last is None or not bool(last.isfinite().all()):
            return ""
        format = str(here.dtype).removeprefix("torch.")
    return f"from frame {frame} of {example.length} on, in {format}"


def _becomes_infinite(session: Session[Any], x: Tree) -> bool:
    """Whether something in the clip function overflows."""
    watch = Watch()
    with eagerly(), watch:
        session.clip(x)
    return watch.overflows
