"""Emissions against the clip function: by absolute index, counted, the first difference with its place.

Two relations. *stream*: the emissions are the clip's frames from `offset` on, in order, none missing, none extra; after
a flush they are all of them. *window*: the emission that appears at frame t, once N frames have been seen, is the clip
function of the last N frames; emissions come equally spaced, to the end. NaN where the clip has NaN agrees with it.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from coequal.equivalence.runner import Trace

if TYPE_CHECKING:
    from coequal.equivalence.bench import Bench

Tensor = torch.Tensor


@dataclass
class Mismatch(Exception):
    """The first difference: which output frame, which element of it, expected against got."""

    detail: str
    frame: int | None = None
    index: tuple[int, ...] = ()
    expected: Any = None
    got: Any = None
    region: str = ""

    def __str__(self) -> str:
        return self.detail


def compare_stream(bench: Bench, x: Tensor, trace: Trace) -> int:
    """Frame i of the stream is frame `offset + i` of the clip."""
    output = bench.clip(x)
    expected = [] if output is None else frames_of(bench, output)
    offset = bench.subject.offset
    pairs = list(zip(trace.frames, expected[offset:], strict=False))
    limit, length = bench.limit(x, output), x.shape[bench.subject.time]
    differences = []
    for i, (got, want) in enumerate(pairs):
        difference = limit.difference(got, want, offset + i)
        if difference is not None:
            difference.region = bench.regions.of(offset + i, length)
            differences.append(difference)
        if bench.worst is None:
            bench.regions.note(offset + i, length, difference is None)
    if output is not None:  # a clip that clip mode refuses says nothing
        differences += _count_difference(bench, length, trace, expected)
    if differences:
        raise differences[0]
    return len(pairs)


class Limit:
    """The rounding bound of one clip run: from the output's magnitude, and where that does not do, its amplification."""

    def __init__(self, bench: Bench, x: Tensor, output: Tensor | None) -> None:
        self.bench, self.x, self.output = bench, x, output

    @functools.cached_property
    def quick(self) -> float:
        """A bound that the full one never falls below."""
        return 0.0 if self.output is None else self.bench.bound_from_below(self.output)

    @functools.cached_property
    def full(self) -> float:
        """The greatest difference that is rounding."""
        return 0.0 if self.output is None else self.bench.bound(self.x, self.output)

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """How two frames differ beyond rounding; None: they do not."""
        return None if self.holds(got, want) else difference_of(got, want, self.full, frame)

    def holds(self, got: Tensor, want: Tensor) -> bool:
        """Whether two frames agree within the bound that costs nothing (while differences are only measured: whatever)."""
        if self.bench.worst is not None and got.shape == want.shape and want.is_floating_point():
            distance = float(_distances(got.double(), want.double()).max()) if want.numel() else 0.0
            self.bench.worst = distance if math.isnan(distance) else max(self.bench.worst, distance)
            return True
        return close(got, want, self.quick)


def _count_difference(bench: Bench, length: int, trace: Trace, expected: list[Tensor]) -> Iterator[Mismatch]:
    """None missing, none extra. A stream that saw no frame cannot know what padding alone would give."""
    offset = bench.subject.offset
    available, emitted = max(0, len(expected) - offset), len(trace.frames)
    if emitted > available:
        yield Mismatch(
            f"{emitted - available} frame(s) too many: the stream emitted {emitted} for {length} input frames,"
            f" the clip has {len(expected)}",
            offset + available, (), None, bench.shown(trace.frames[available]), "tail",
        )  # fmt: skip
    if emitted < available and length > 0 and (trace.ended or available - emitted > bench.owed):
        when = "after its flush" if trace.ended else f"and it owes at most {bench.owed} without a flush"
        region = bench.regions.of(offset + emitted, length)
        if bench.worst is None:
            bench.regions.note(offset + emitted, length, same=False)
        yield Mismatch(
            f"{available - emitted} frame(s) missing: the stream emitted {emitted} of {available}"
            f" for {length} input frames, {when}",
            offset + emitted, (), bench.shown(expected[offset + emitted]), None, region,
        )  # fmt: skip


def compare_windows(bench: Bench, x: Tensor, trace: Trace, times: list[int] | None, wanted: Container[int] | None) -> int:
    """The emission at frame t is the clip function of the N frames up to t (less the offset), whole or its last frame."""
    time, count = bench.subject.time, bench.subject.window or 1
    seen, compared = trace.seen if times is None else times, 0
    for got, fed in zip(trace.frames, seen, strict=False):
        end = fed - bench.subject.offset
        if end < count:
            continue  # warm-up: the window is not full
        if wanted is not None and fed not in wanted:
            continue
        window = x.narrow(time, end - count, count)
        output = bench.clip(window)
        if output is None:
            raise Mismatch(f"the clip function refuses the window of {count} frames that ends with frame {end - 1}", fed - 1)
        want = window_result(bench, output, got)
        compared += 1
        difference = bench.limit(window, output).difference(got, want, fed - 1)
        if difference is not None:
            raise difference
    if times is None:
        first, gap = bench.due or (count + bench.subject.offset, 1)
        _check_every_window(x.shape[time], first, gap, trace)
    return compared


def _check_every_window(length: int, first: int, gap: int, trace: Trace) -> None:
    """One emission at each frame that one is due at once the window is full, and no more."""
    seen, rhythm = Counter(trace.seen), "each frame" if gap == 1 else f"every {gap}th frame"
    for t in range(first, length + 1):
        due = (t - first) % gap == 0
        if seen[t] != due:
            what = "one is due" if due else "none is due"
            raise Mismatch(f"{seen[t]} emissions at frame {t - 1}: {what}, at {rhythm} once {first} were seen", t - 1)


def window_result(bench: Bench, output: Tensor, got: Tensor) -> Tensor:
    """What an emission is compared with: the clip's result for a window, whole, or its last frame, without the time axis."""
    axis = bench.output_time
    if bench.subject.emits == "window" or output.dim() <= axis or output.shape == got.shape:
        return output
    if bench.subject.emits == "last" or output.dim() == got.dim() + 1:
        return output.select(axis, bench.frame_of_window)
    return output


def frames_of(bench: Bench, output: Tensor) -> list[Tensor]:
    """A clip's output, frame by frame."""
    if output.dim() <= bench.output_time:
        from coequal.equivalence.errors import BadSubject

        raise BadSubject(
            f"clip(x) returned shape {tuple(output.shape)}, which has no time axis {bench.output_time}: expected one output"
            " frame a step (set output_time), or window=N if it is one result for N frames"
        )
    return list(output.unbind(bench.output_time))


def close(got: Tensor, want: Tensor, limit: float) -> bool:
    """Same shape and dtype, and no element further apart than `limit`; infinities must be equal, NaN at the same places."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    return bool(_apart(got, want, limit).logical_not().all())


def _apart(got: Tensor, want: Tensor, limit: float) -> Tensor:
    if not want.is_floating_point():
        return got != want
    return (_distances(got, want) <= limit).logical_not()


def _distances(got: Tensor, want: Tensor) -> Tensor:
    """How far apart, element by element: nothing where both are the same infinity, or both NaN."""
    return (got - want).abs().masked_fill(alike(got, want), 0.0)


def alike(a: Tensor, b: Tensor) -> Tensor:
    """Element by element, whether two tensors of one shape hold the same number, NaN being NaN."""
    return (a == b) | (a.isnan() & b.isnan())


def difference_of(got: Tensor, want: Tensor, limit: float, frame: int) -> Mismatch | None:
    """The first element that is further apart than rounding; None: there is none."""
    if (other := kind_difference(got, want, frame)) is not None:
        return other
    apart = _apart(got, want, limit)
    if not bool(apart.any()):
        return None
    index = tuple(int(i) for i in apart.nonzero()[0])
    expected, value = want[index].item(), got[index].item()
    many = int(apart.sum())
    detail = f"frame {frame}, element {list(index)}: expected {expected!r}, got {value!r}"
    if want.is_floating_point():
        detail += f" (rounding explains at most {limit:.1e}); {many} of {got.numel()} elements differ"
    return Mismatch(detail, frame, index, expected, value)


def kind_difference(got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
    """Two frames of different shapes or formats."""
    if got.shape != want.shape:
        return Mismatch(
            f"frame {frame} has shape {tuple(got.shape)}, the clip's frame (its time axis removed) {tuple(want.shape)}",
            frame, (), list(want.shape), list(got.shape),
        )  # fmt: skip
    if got.dtype != want.dtype:
        return Mismatch(f"frame {frame} is {got.dtype}, the clip's {want.dtype}", frame, (), str(want.dtype), str(got.dtype))
    return None


def first_value(frame: Tensor) -> Any:
    """The first element of a frame, for a report."""
    return frame.flatten()[0].item() if frame.numel() else None
