"""How far off a stream is from its clip function, in the subject's own format: always measured, whatever the verdict.

A distance says nothing of whether two functions are the same: it is for whoever has to decide if a difference matters.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from coequal.equivalence.compare.difference import distances
from coequal.equivalence.compare.floats import Floats, largest
from coequal.equivalence.compare.relation import emitted, larger
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.errors import BadSubject

STRETCHES = 8  # of time


@dataclass(frozen=True)
class Distance:
    """The greatest difference between an emission and the clip's frame; where; and the greatest of each stretch of time."""

    absolute: float
    relative: float  # to the largest value of the clip's output
    frame: int | None  # of the clip's output
    format: str
    frames: int  # that were compared
    over_time: list[float]

    def __str__(self) -> str:
        """`off by at most 1.2e-07 (3.4e-07 of the largest value), at frame 12 of 61, in float32`."""
        if self.absolute == 0:
            return f"no distance at {self.frames} frames, in {self.format}"
        relative = "" if math.isinf(self.relative) else f" ({self.relative:.1e} of the largest value)"
        return f"off by at most {self.absolute:.1e}{relative}, at frame {self.frame} of {self.frames}, in {self.format}"

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def distance_of(session: Session[Floats]) -> Distance | None:
    """Over a stream that is longer than the example and ten receptive fields; None where frames have no distance."""
    own = session.in_dtype(session.native, Floats()).unseen()  # it is measured, nothing is found to be equal
    length = session.legal(max(session.example_length, min(10 * session.facts.reach + 16, 256)))
    with own.ready(), torch.no_grad():
        x = own.inputs(length, own.batch, own.seed + 950)
        try:
            pairs = list(emitted(own, x, own.play(x).emissions()))
        except (StreamRaised, BadSubject):
            return None
    off, scale = list[tuple[float, int]](), 0.0
    for pair in pairs:
        if pair.got.shape != pair.want.shape or not pair.want.is_floating_point() or not pair.want.numel():
            return None
        off.append((float(distances(pair.got.double(), pair.want.double()).max()), pair.frame))
        scale = max(scale, largest(pair.want))
    if not off:
        return None
    worst, frame = max(off, key=lambda pair: math.inf if math.isnan(pair[0]) else pair[0])
    size = max(1, -(-len(off) // STRETCHES))
    over_time = [_largest_of([d for d, _ in off[i : i + size]]) for i in range(0, len(off), size)]
    relative = worst / scale if scale else (0.0 if worst == 0 else math.inf)
    return Distance(worst, relative, frame, str(own.dtype).removeprefix("torch."), len(off), over_time)


def _largest_of(values: list[float]) -> float:
    found = 0.0
    for value in values:
        found = larger(found, value)
    return found
