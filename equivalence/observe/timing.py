"""Timing, measured: which output frames move when one input frame is replaced at random, and when the stream emits them.

Output j sees the input frames `j S - P ... j S - P + R - 1`, so frame m moves the outputs `ceil((m + P - R + 1) / S)
... floor((m + P) / S)`: S consecutive frames in the middle of a long clip move R outputs in all. Constant changes are
invisible to models that normalise, and small ones to rectifiers that are off: frames are replaced by random ones,
several times.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import torch

from coequal.equivalence.compare import rounding
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.player import StreamRaised, Trace
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import leaves_of

LONGEST = 256  # frames; what is still moved at the end of such a clip has no bound that can be measured
FARTHEST, SMALL, WORK = 2048, 1 << 14, 1 << 26  # the same where the clip has few numbers, and few weights each frame
LEAST = 64  # frames in the clip that is looked at: taps that are far apart do not show in a short one
DRAWS = 3


@dataclass(frozen=True)
class Reach:
    """The output frames that one input frame moves; `outputs` is how many the clip has."""

    frame: int
    first: int | None
    last: int | None
    outputs: int
    fading: bool = False  # what is left at the end is next to nothing: the influence decays, it does not end

    @property
    def count(self) -> int:
        """How many outputs it moves, from the first to the last."""
        return 0 if self.first is None or self.last is None else self.last - self.first + 1


def reach(session: Session, length: int, frame: int, draws: int = DRAWS) -> Reach:
    """Which outputs of a clip of `length` frames move with input frame `frame`."""
    moved, outputs = dict[int, float](), 0
    for draw in range(draws):
        x = session.inputs(length, session.batch, session.seed + 17 * draw)
        fresh = session.inputs(length, session.batch, session.seed + 17 * draw + 5)
        other = session.layout.replaced(x, frame, fresh, frame)
        before, after = session.clip(x), session.clip(other)
        if before is None or after is None or before.dim() <= session.output_time or before.shape != after.shape:
            return Reach(frame, None, None, 0)
        outputs = before.shape[session.output_time]
        changes = (after.double() - before.double()).abs().movedim(session.output_time, 0).unsqueeze(-1).flatten(1).amax(1)
        moved |= {j: max(moved.get(j, 0.0), c) for j, c in enumerate(changes.tolist()) if c != 0}
    if not moved:
        return Reach(frame, None, None, outputs)
    fading = moved[max(moved)] < rounding.cut(session.dtype) * max(moved.values())
    return Reach(frame, min(moved), max(moved), outputs, fading)


def measure(session: Session) -> MeasuredTiming:
    """Receptive field, stride, delay, causality; None where a quantity cannot be measured."""
    with torch.no_grad():
        return _window(session) if session.subject.window is not None else _stream(session)


def _stream(session: Session) -> MeasuredTiming:
    stride, field, causal = _stride(session), None, None
    length = session.legal(max(LEAST, 2 * session.example_length))
    while length > 16 and session.clip(session.inputs(length, session.batch, session.seed)) is None:
        length = session.legal(length // 2)  # it may take no longer ones
    apart: int | None = None  # outputs that some frames move, where others move none
    while stride is not None and _worth(session, length):
        middle = [reach(session, length, length // 2 + i, DRAWS if stride <= 16 else 1) for i in range(stride)]
        if any(r.last is None for r in middle):
            if all(r.last is None for r in middle):
                break
            if all(r.last < r.outputs - 1 for r in middle if r.last is not None):
                apart = sum(r.count for r in middle)
        elif all(r.last < r.outputs - 1 for r in middle if r.last is not None):
            count, fading = sum(r.count for r in middle), any(r.fading for r in middle)
            field = math.inf if fading and not _claimed(session, count) else count
            causal = all(_in_time(r, stride) for r in middle)
            break
        if all(r.last is not None for r in middle):
            causal = all(_in_time(r, stride) for r in middle)
        length *= 2
    if field is None and apart is not None:
        field = apart
    if field is None and not _worth(session, length):
        field = math.inf
    return MeasuredTiming(field, stride, _delay(session, stride), causal)


def _worth(session: Session, length: int) -> bool:
    """Whether a clip of so many frames is looked at: beyond `LONGEST` where it is cheap, in numbers and in weights."""
    if length <= LONGEST:
        return True
    module = session.subject.modules
    weights = 0 if module is None else sum(parameter.numel() for parameter in module.parameters())
    example = session.subject.example
    numbers = sum(leaf.numel() for leaf in leaves_of(example).values()) * length / max(1, session.example_length)
    return length <= max(FARTHEST, 2 * session.example_length) and numbers <= SMALL and weights * length <= WORK


def _claimed(session: Session, count: int) -> bool:
    """Whether an influence that is next to nothing at its end ends exactly where the library says: deep networks have such
    edges, products of many small taps.
    """
    return session.subject.claim is not None and session.subject.claim.receptive_field == count


def _in_time(reach: Reach, stride: int) -> bool:
    """No output before its own frame moves: nothing ahead is looked at."""
    return reach.first is None or reach.first * stride >= reach.frame


def _stride(session: Session) -> int | None:
    """Input frames for each output frame, from how the clip's output grows; None for other than whole numbers."""
    short, long = session.legal(2 * session.example_length + 8), session.legal(4 * session.example_length + 20)
    counts = [_outputs(session, length) for length in (short, long)]
    if counts[0] is None or counts[1] is None or (grown := counts[1] - counts[0]) <= 0:
        return None
    stride = round((long - short) / grown)
    if stride > 2 and grown > 2 and session.plan.legal(short + 1) == short + 1:  # output frames come at single input frames
        firsts = [_first_length(session, short, long, counts[0] + more) for more in (1, 2)]
        stride = firsts[1] - firsts[0]
    return stride if stride >= 1 and abs((long - short) - stride * grown) < stride else None


def rate_of(session: Session) -> Fraction | None:
    """Frames out for each frame in, from how the clip's output grows over many frames; None where it cannot be measured."""
    short, long = session.legal(2 * session.example_length + 8), session.legal(10 * session.example_length + 68)
    counts = [_outputs(session, length) for length in (short, long)]
    if counts[0] is None or counts[1] is None or long <= short:
        return None
    return Fraction(counts[1] - counts[0], long - short).limit_denominator(max(1, session.example_length))


def _outputs(session: Session, length: int) -> int | None:
    """How many output frames a clip of so many frames has."""
    output = session.clip(session.inputs(length, session.batch, session.seed))
    return None if output is None or output.dim() <= session.output_time else output.shape[session.output_time]


def _first_length(session: Session, short: int, long: int, count: int) -> int:
    """The shortest clip of so many output frames, between two lengths."""
    while short < long:
        middle = (short + long) // 2
        short, long = (short, middle) if (_outputs(session, middle) or 0) >= count else (middle + 1, long)
    return short


def _delay(session: Session, stride: int | None) -> int | None:
    """The step (from 0) at which output 0 appears, or would."""
    trace = _trace(session, session.legal(4 * session.example_length + 20))
    if trace is None or stride is None or len(trace.frames) <= trace.flushed:
        return None
    steady = (len(trace.frames) - trace.flushed) // 2  # past the burst that start padding may cause
    return trace.seen[steady] - 1 - (session.subject.offset + steady) * stride


def _trace(session: Session, length: int) -> Trace | None:
    try:
        return session.play(session.inputs(length, session.batch, session.seed))
    except StreamRaised:
        return None


def short_clip(session: Session, timing: MeasuredTiming) -> dict[str, float] | None:
    """A clip as long as the example, fed alone, against the same frames of a longer clip: how many of its output frames are
    not the same, and by how much, relative to the largest value. None where the two cannot be aligned.

    The stream computes the longer one. With padding in time the two agree only where the receptive field fits inside.
    """
    if session.subject.window is not None or timing.stride is None:
        return None
    stride, length = timing.stride, session.example_length
    start = stride * -(-session.facts.reach // stride)
    x = session.inputs(start + length + session.facts.reach, session.batch, session.seed + 29)
    long, short = session.clip(x), session.clip(session.layout.part(x, start, length))
    if long is None or short is None or not short.numel():
        return None
    frames = short.shape[session.output_time]
    same_place = long.narrow(session.output_time, start // stride, frames)
    largest = float(same_place.double().abs().max())
    off = (short.double() - same_place.double()).abs().movedim(session.output_time, 0).unsqueeze(-1).flatten(1).amax(1)
    affected = int((off > rounding.bound(session.numbers.coarsest or session.dtype, 0.0, largest)).sum())
    return {"length": length, "frames": frames, "affected": affected, "error": float(off.max()) / (largest or 1.0)}


def _window(session: Session) -> MeasuredTiming:
    """In window mode: how far back in the window a frame matters, and when the emissions come."""
    count = session.subject.window or 1
    x = session.inputs(count, session.batch, session.seed)
    before, first = session.clip(x), None
    for frame in range(count):
        fresh = session.inputs(count, session.batch, session.seed + 5)
        after = session.clip(session.layout.replaced(x, frame, fresh, frame))
        if before is not None and after is not None and before.shape == after.shape and bool((before != after).any()):
            first = frame
            break
    trace = _trace(session, 2 * count + 3)
    times = [] if trace is None else [t for t in trace.seen[: len(trace.frames) - trace.flushed] if t >= count]
    gaps = {b - a for a, b in itertools.pairwise(times)}
    return MeasuredTiming(
        receptive_field=None if first is None else count - first,
        stride=gaps.pop() if len(gaps) == 1 else None,
        delay=times[0] - 1 if times else None,
        causal=True if times else None,
    )
