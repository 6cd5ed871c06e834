"""Whether the error of a stream grows with time: in the subject's own format, against the clip in double precision.

A stream that forgets needs no long run: if what it emits far from its start has the very bits of a stream that began a few
frames before, then no error of an earlier frame, and none of the number of frames, has come that far.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.compare.relation import emitted
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.player import Emission, StreamRaised, Trace
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import Tree, mapped

Tensor = torch.Tensor
STRETCHES = 16  # of time, over which the error is followed
LONG = 1040  # frames that the error of a stream is followed over that may not forget
APART = 240  # frames between the starts of two streams that are to emit the same bits; many rings are a divisor of it
SEED = 903


@dataclass
class Followed:
    """Root mean square errors over stretches of time, relative to the clip's own error; what a finding says of them."""

    quality: dict[str, Any]
    grows: str = ""  # a sentence, where they do


def follow(session: Session, timing: MeasuredTiming) -> Followed | None:
    """Errors of stream and clip over time; None where there is nothing to follow."""
    if session.dtype != torch.float64:
        return None
    own = session.native if session.native != torch.float64 else torch.float32
    x = in_format(session.inputs(session.legal(LONG), session.batch, session.seed + SEED), own, torch.float64)
    single = session.in_dtype(own, Floats())
    with single.ready():
        if single.dtype != own:
            return None
        short = _forgets(single, in_format(x, own), timing)
        if short is None and session.subject.window is None and single.clip(in_format(x, own)) is None:
            return None  # neither takes so many frames, it may be
        if short is None:
            trace = single.play(in_format(x, own))
        else:
            x, trace = session.layout.part(x, 0, short[0]), short[1]
        pairs = list(_with_clip(single, in_format(x, own), trace))
    truths = dict(_expected(session, x, [emission for emission, _ in pairs]))
    stream, clip = [], []
    for (number, _, got), want in pairs:
        truth = truths.get(number)
        if truth is None or truth.shape != got.shape or not truth.is_floating_point():
            return None
        stream.append(_off(got.double(), truth))
        clip.append(_off(want.double(), truth))
    return _ratios(stream, clip, str(own).removeprefix("torch."), forgets=short is not None)


def in_format(x: Tree, *formats: torch.dtype) -> Tree:
    """Floats in one format after the other."""

    def cast(leaf: Tensor) -> Tensor:
        for dtype in formats:
            leaf = leaf.to(dtype) if leaf.is_floating_point() else leaf
        return leaf

    return mapped(cast, x)


def _forgets(session: Session, x: Tree, timing: MeasuredTiming) -> tuple[int, Trace] | None:
    """How many frames the earlier of two streams was fed, and what it emitted, if the later one has the same last bits."""
    bounded = session.subject.window is not None or timing.receptive_field not in (None, math.inf)
    step = timing.stride.numerator if timing.stride is not None else 1
    far = session.legal(APART * step + 3 * session.facts.reach + session.facts.owed + 8 * step)
    near = session.legal(far - APART * step)
    if not bounded or far >= session.layout.length(x) or far - near != APART * step:
        return None
    part = session.layout.part
    try:
        early, late = session.play(part(x, 0, far)), session.play(part(x, far - near, near))
    except StreamRaised:
        return None
    count = sum(seen > 2 * session.facts.reach + session.facts.owed for seen in late.seen)
    pairs = list(zip(early.frames[::-1], late.frames[::-1], strict=False))[:count]
    same = len(pairs) == count and all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)
    return (far, early) if same and count >= 4 else None


def _with_clip(session: Session, x: Tree, trace: Trace) -> Iterator[tuple[Emission, Tensor]]:
    """Emissions, each with the clip's; of windows some of each stretch of time only."""
    step = 1 if session.subject.window is None else max(1, len(trace.frames) // (6 * STRETCHES))
    emissions = trace.emissions()[::step]
    expected = dict(_expected(session, x, emissions))
    yield from ((emission, expected[emission[0]]) for emission in emissions if emission[0] in expected)


def _expected(session: Session, x: Tree, emissions: list[Emission]) -> Iterator[tuple[int, Tensor]]:
    """The numbers of emissions, with what the clip function says of them."""
    yield from ((pair.number, pair.want) for pair in emitted(session, x, emissions))


def _ratios(stream: list[float], clip: list[float], own: str, *, forgets: bool) -> Followed | None:
    """The ratio of root mean square errors over stretches of time; a ratio that grows is drift."""
    size = len(stream) // STRETCHES
    if size < 2 or not any(clip):
        return None
    floor = _root_mean_square(clip)  # the clip's own error, over all of the stream
    stretches = [slice(i, i + size) for i in range(0, size * STRETCHES, size)]
    ratios = [_root_mean_square(stream[part]) / (_root_mean_square(clip[part]) or floor) for part in stretches]
    found = {
        "stream_error_over_clip_error": ratios,
        "clip_error": floor,
        "precision": own,
        "frames": len(stream),
        "worst_ratio": max(ratios),
        "errors": "forgotten" if forgets else "followed",
    }
    if forgets or not rounding.drifts(ratios):
        return Followed(found)
    grows = f"grows from {ratios[0]:.2g} to {ratios[-1]:.2g} in {len(stream)} frames"
    return Followed(found, f"the error relative to the clip's own {grows} ({own})")


def _root_mean_square(errors: list[float]) -> float:
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def _off(got: Tensor, want: Tensor) -> float:
    return float((got.double() - want.double()).abs().max())
