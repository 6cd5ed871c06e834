"""Emissions against the clip function: by absolute index, counted, the first difference with its place.

Two relations. *stream*: the emissions are the clip's frames from `offset` on, in order, none missing, none extra; after
a flush they are all of them. *window*: the emission that appears at frame t, once N frames have been seen, is the clip
function of the last N frames; emissions come equally spaced, to the end. NaN where the clip has NaN agrees with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.regions import Regions
from coequal.equivalence.run.drawing import validity
from coequal.equivalence.run.player import Emission, Trace
from coequal.equivalence.run.session import Numbers, Session
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor


class Pair(NamedTuple):
    """An emission by number, its frame, and what it should be; the clip that says so, and what is as large as its values."""

    number: int
    frame: int
    got: Tensor
    want: Tensor
    clip: Tree
    like: Tensor


class Limit(Protocol):
    """What tells a difference from rounding, for the output of one clip run."""

    largest: float  # distance that was seen, where distances are measured

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """How two frames differ; None: they do not."""

    def none_differs(self, got: list[Tensor], want: list[Tensor]) -> bool:
        """Whether one look at all frames tells that; False: each has to be asked."""
        raise NotImplementedError


class Comparable(Numbers):
    """Numbers that can be compared."""

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> Limit:
        """For frames of this output of the clip function, of this input."""
        raise NotImplementedError

    def agrees(self, session: Session[Any], got: Tensor, want: Tensor, like: Tensor) -> bool:
        """Whether what two modules gave is the same; `like` says how large such values are."""
        raise NotImplementedError

    def shown(self, frame: Tensor) -> object:
        """The first element of a frame, for a report."""
        raise NotImplementedError


@dataclass
class Comparison:
    """How many frames were compared, the first difference, and of how many in which region; the largest distance."""

    frames: int = 0
    difference: Mismatch | None = None
    regions: Regions = field(default_factory=Regions)
    largest: float = 0.0

    def agreed(self) -> int:
        """The frames compared; raises the difference where there is one."""
        if self.difference is not None:
            raise self.difference
        return self.frames


def larger(a: float, b: float) -> float:
    """The larger distance; NaN, once there was one."""
    return b if math.isnan(b) or b > a else a


def agree(
    session: Session[Any],
    x: Tree,
    trace: Trace,
    *,
    times: list[int] | None = None,
    wanted: Container[int] | None = None,
) -> int:
    """As `compare`, for checks: frames compared, or Mismatch at the first difference. The session keeps the comparison."""
    compared = compare(session, x, trace, times=times, wanted=wanted)
    session.note(compared)
    return compared.agreed()


def compare(
    session: Session[Any],
    x: Tree,
    trace: Trace,
    *,
    times: list[int] | None = None,
    wanted: Container[int] | None = None,
) -> Comparison:
    """The emissions of a stream that was fed x against the clip function.

    In window mode `times` are when the emissions are due, where that cannot be seen, and `wanted` the numbers of frames fed
    after which an emission is compared (all).
    """
    if session.subject.window is not None:
        return _compare_windows(session, x, trace, times, wanted)
    return _compare_stream(session, x, trace)


def _compare_stream(session: Session[Any], x: Tree, trace: Trace) -> Comparison:
    """Frame i of the stream is frame `offset + i` of the clip."""
    output = session.clip(x)
    expected = [] if output is None else frames_of(session, output)
    offset, length = session.subject.offset, session.layout.length(x)
    pairs = list(zip(trace.frames, expected[offset:], strict=False))
    limit, regions = session.numbers.limit(session, x, output), Regions(session.facts.timing)
    differences, valid, compared = [], Valid.of(session, x, len(expected)), 0
    same = bool(pairs) and valid.mask is None and limit.none_differs(*map(list, zip(*pairs, strict=True)))
    for i, (got, want) in enumerate(pairs):
        if (both := valid.of_both(got, want, offset + i)) is None:
            continue
        compared += 1
        difference = None if same else limit.difference(*both, offset + i)
        if difference is not None:
            differences.append(difference.in_region(regions.of(offset + i, length)))
        regions.note(offset + i, length, difference is None)
    if output is not None:  # a clip that clip mode refuses says nothing
        differences += _count_difference(session, length, trace, expected, regions)
    return Comparison(compared, next(iter(differences), None), regions, limit.largest)


def _count_difference(
    session: Session[Any], length: int, trace: Trace, expected: list[Tensor], regions: Regions
) -> Iterator[Mismatch]:
    """None missing, none extra. A stream that saw no frame cannot know what padding alone would give."""
    offset = session.subject.offset
    available, emitted = max(0, len(expected) - offset), len(trace.frames)
    if emitted > available:
        yield Mismatch(
            f"{emitted - available} frame(s) too many: the stream emitted {emitted} for {length} input frames,"
            f" the clip has {len(expected)}",
            offset + available, (), None, session.numbers.shown(trace.frames[available]), "tail",
        )  # fmt: skip
    if emitted < available and length > 0 and (trace.ended or available - emitted > session.facts.owed):
        when = "after its flush" if trace.ended else f"and it owes at most {session.facts.owed} without a flush"
        region = regions.of(offset + emitted, length)
        regions.note(offset + emitted, length, same=False)
        yield Mismatch(
            f"{available - emitted} frame(s) missing: the stream emitted {emitted} of {available}"
            f" for {length} input frames, {when}",
            offset + emitted, (), session.numbers.shown(expected[offset + emitted]), None, region,
        )  # fmt: skip


def _compare_windows(
    session: Session[Any], x: Tree, trace: Trace, times: list[int] | None, wanted: Container[int] | None
) -> Comparison:
    """The emission at frame t is the clip function of the N frames up to t (less the offset), whole or its last frame."""
    seen, count = trace.seen if times is None else times, session.subject.window or 1
    frames, largest, valid = 0, 0.0, Valid.of(session, x, session.layout.length(x))
    for got, fed in zip(trace.frames, seen, strict=False):
        end = fed - session.subject.offset
        if end < count or (wanted is not None and fed not in wanted):
            continue  # warm-up: the window is not full
        frames += 1
        window = session.layout.part(x, end - count, count)
        output = session.clip(window)
        if output is None:
            text = f"the clip function refuses the window of {count} frames that ends with frame {end - 1}"
            return Comparison(frames, Mismatch(text, fed - 1), largest=largest)
        limit = session.numbers.limit(session, window, output)
        both = valid.of_both(got, window_result(session, output, got), end - 1)
        difference = None if both is None else limit.difference(*both, fed - 1)
        largest = larger(largest, limit.largest)
        if difference is not None:
            return Comparison(frames, difference, largest=largest)
    if times is not None:
        return Comparison(frames, largest=largest)
    first, gap = session.facts.due or (count + session.subject.offset, 1)
    return Comparison(frames, _rhythm_difference(session.layout.length(x), first, gap, trace), largest=largest)


def _rhythm_difference(length: int, first: int, gap: int, trace: Trace) -> Mismatch | None:
    """One emission at each frame that one is due at once the window is full, and no more."""
    seen, rhythm = Counter(trace.seen), "each frame" if gap == 1 else f"every {gap}th frame"
    for t in range(first, length + 1):
        due = (t - first) % gap == 0
        if seen[t] != due:
            what = "one is due" if due else "none is due"
            return Mismatch(f"{seen[t]} emissions at frame {t - 1}: {what}, at {rhythm} once {first} were seen", t - 1)
    return None


def emitted(session: Session[Any], x: Tree, emissions: Iterable[Emission]) -> Iterator[Pair]:
    """Some emissions of a stream that was fed x, each with what the clip function says of it, if it says anything."""
    offset, count = session.subject.offset, session.subject.window
    if count is None:
        output = session.clip(x)
        expected = [] if output is None else frames_of(session, output)
        valid = Valid.of(session, x, len(expected))
        for i, _, got in emissions:
            if offset + i < len(expected) and (both := valid.of_both(got, expected[offset + i], offset + i)) is not None:
                yield Pair(i, offset + i, *both, x, expected[offset + i])
        return
    valid = Valid.of(session, x, session.layout.length(x))
    for i, fed, got in emissions:
        end = fed - offset
        if end < count:
            continue  # warm-up: the window is not full
        window = session.layout.part(x, end - count, count)
        output = session.clip(window)
        if output is not None and (both := valid.of_both(got, window_result(session, output, got), end - 1)) is not None:
            yield Pair(i, fed - 1, *both, window, output)


@dataclass(frozen=True)
class Valid:
    """Which rows of which frames of an output are compared: where frames are padding the clip function says nothing."""

    mask: Tensor | None  # (rows, frames in); None: all
    frames: int  # of the clip's output
    axis: int  # of the rows, in a frame

    @classmethod
    def of(cls, session: Session[Any], x: Tree, frames: int) -> Valid:
        """As the input says that is named in the subject's `valid`."""
        with session.numbers.suspended():
            mask = validity(session.subject, x)
        rows = session.layout.batch[session.layout.lead]
        return cls(mask, frames, 0 if rows is None else rows - (rows > session.output_time))

    def of_both(self, got: Tensor, want: Tensor, frame: int) -> tuple[Tensor, Tensor] | None:
        """The rows of both that count at an output frame; None where there are none."""
        if self.mask is None or not self.mask.shape[1]:
            return got, want
        here = self.mask[:, min(frame * self.mask.shape[1] // max(1, self.frames), self.mask.shape[1] - 1)]
        if not bool(here.any()):
            return None
        if bool(here.all()) or got.shape != want.shape or len(here) != want.shape[self.axis]:
            return got, want
        rows = here.nonzero().flatten()
        return got.index_select(self.axis, rows), want.index_select(self.axis, rows)


def window_result(session: Session[Any], output: Tensor, got: Tensor) -> Tensor:
    """What an emission is compared with: the clip's result for a window, whole, or its last frame, without the time axis."""
    axis = session.output_time
    if session.subject.emits == "window" or output.dim() <= axis or output.shape == got.shape:
        return output
    if session.subject.emits == "last" or output.dim() == got.dim() + 1:
        return output.select(axis, session.facts.frame_of_window)
    return output


def frames_of(session: Session[Any], output: Tensor) -> list[Tensor]:
    """A clip's output, frame by frame."""
    if output.dim() <= session.output_time:
        raise BadSubject(
            f"clip(x) returned shape {tuple(output.shape)}{named(session)}, which has no time axis {session.output_time}:"
            " expected one output frame a step (set output_time), or window=N if it is one result for N frames"
        )
    return list(output.unbind(session.output_time))


def named(session: Session[Any]) -> str:
    """` for `hidden[0]``, where there are several outputs."""
    return f" for `{session.outputs.path}`" if session.outputs.path else ""
