"""The baseline: can this subject be compared at all, and could a comparison fail? Before anything is checked."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.equivalence.compare.difference import close
from coequal.equivalence.compare.floats import Floats, coarsest_of_clip
from coequal.equivalence.compare.relation import compare, frames_of, named
from coequal.equivalence.observe.looped import called_each_frame, counting, functions_of, steps_called
from coequal.equivalence.observe.timing import measure
from coequal.equivalence.report import Finding, MeasuredTiming
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.hooks import listening
from coequal.equivalence.run.player import StreamRaised, Trace
from coequal.equivalence.run.session import ClipRaised, Session
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree, shapes

Tensor = torch.Tensor
SHORT = 8  # frames of memory assumed where none could be measured
NEVER_EMITTED = "the stream has no flush, and frames that it still owes at the end never come"


@dataclass
class Baseline:
    """What was found out before any check; `undecided` holds the reasons why no comparison can decide."""

    session: Session[Floats]  # that knows it
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    first: bool = False  # the very first stream agreed with the clip function
    random: bool = False  # two runs of the clip function on one input differ: nothing can be compared

    def computing(self, floats: Floats) -> None:
        """The session goes on with these numbers."""
        self.session = self.session.computing(floats)

    def knowing(self, **facts: Any) -> None:
        """The session knows more."""
        self.session = self.session.knowing(**facts)

    def agrees(self) -> None:
        """The very first stream did."""
        self.first = True

    def is_random(self, detail: str) -> None:
        """No two runs of the clip function are alike."""
        self.random = True
        self.findings.append(Finding("randomness", "high", detail))
        self.undecided.append("the clip function is random: two runs on the same input differ")


def establish(session: Session[Floats]) -> Baseline:
    """Run clip and stream once on a clip like the example. BadSubject when one of them cannot; facts otherwise."""
    found = Baseline(session)
    length = session.legal(max(session.example_length, session.subject.window or 0))
    if length == 0:
        raise BadSubject(f"Subject.plan: the example's {session.example_length} frames cannot be fed in legal chunks")
    x = session.inputs(length, session.batch, session.seed)
    window = session.window_of(x)
    output = _clip(session, window)
    trace = _trace(session, x)
    if session.subject.window is None:
        _same_shape(session, frames_of(session, output), trace.frames)
        if output.numel() and torch.isnan(output).all():
            raise BadSubject(f"clip(x) returned NaN for a random clip of shape {shapes(x)}: nothing can be compared with it")
        if compare(session, x, trace).difference is None:
            found.agrees()
    if any(bool(torch.isnan(f).any()) for f in trace.frames if f.is_floating_point()) and not torch.isnan(output).any():
        found.notes.append("the stream returned NaN for a random clip, where the clip function does not")
    coarsest = coarsest_of_clip(session, window)
    found.computing(replace(session.numbers, coarsest=coarsest))
    if coarsest != session.dtype:
        name = str(coarsest).removeprefix("torch.")
        found.findings.append(
            Finding("island", "info", f"the clip function rounds its data to {name} inside a {session.dtype} run")
        )
    found.notes.append(f"compared in {str(session.dtype).removeprefix('torch.')}")
    found.notes.append(_which_clip(session))
    missing = len(frames_of(session, output)) - len(trace.frames) if session.subject.window is None else 0
    if missing > 0 and not session.has("flush"):
        found.notes.append(f"{NEVER_EMITTED}: {missing} at the end of a clip of {length} are compared with nothing")
    _random(found.session, window, found)
    _vacuous(found.session, window, found)
    _looped(found.session, window, found)
    _emits(found.session, found)
    return found


def _which_clip(session: Session) -> str:
    if session.subject.window is None:
        return "the clip is the whole stream so far, padded once at its start and end"
    return f"the clip is the last {session.subject.window} frames"


def _clip(session: Session, x: Tree) -> Tensor:
    try:
        return session.clip_or_raise(x)
    except ClipRaised as error:
        raise BadSubject(f"clip(x) raised on a clip of shape {shapes(x)}: {error}{_hint(session)}") from error


def _hint(session: Session) -> str:
    """Where the clip function takes the example and not what is drawn like it."""
    if session.subject.inputs is not None:
        return ""
    try:
        session.clip_or_raise(session.cast(session.subject.example))
    except ClipRaised:
        return ""
    return ". It takes the example: say by `inputs` what can be fed, where random numbers like the example's cannot"


def _trace(session: Session, x: Tree) -> Any:
    try:
        return session.play(x)
    except StreamRaised as error:
        raise BadSubject(f"{error}, on frames of a clip of shape {shapes(x)}") from error


def _same_shape(session: Session, expected: list[Tensor], got: list[Tensor]) -> None:
    """A frame that kept its time axis is a misunderstanding, not a difference."""
    if expected and got and got[0].dim() == expected[0].dim() + 1 and 1 in got[0].shape:
        raise BadSubject(
            f"the stream emits shape {tuple(got[0].shape)}{named(session)}, the clip's frames are"
            f" {tuple(expected[0].shape)}: remove the time axis of a frame (or return a list of frames)"
        )


def _random(session: Session, x: Tree, found: Baseline) -> None:
    """Dropout, or any other randomness, is found and named."""
    output, again = session.clip(x), session.clip(x)  # in a row: a stream in between may have changed the module
    if output is not None and again is not None and not torch.equal(again, output) and not torch.isnan(output).any():
        found.is_random(f"the clip function gives two results for one input{_culprit(session, x)}")
        return
    traces = [_trace(session, x) for _ in range(2)]
    same = all(torch.equal(a, b) for a, b in zip(traces[0].frames, traces[1].frames, strict=False))
    if not same and not any(torch.isnan(f).any() for f in traces[0].frames):
        found.findings.append(Finding("randomness", "high", "the stream gives two results for one input"))


def _culprit(session: Session, x: Tree) -> str:
    root = session.subject.modules
    if root is None:
        return ""
    runs: list[dict[str, list[Tensor]]] = [{}, {}]
    for calls in runs:
        with listening(root, calls):
            session.clip(x)
    for name, outputs in runs[0].items():
        others = runs[1].get(name, [])
        if any(not torch.equal(a, b) for a, b in zip(outputs, others, strict=False)):
            module = root.get_submodule(name)
            mode = "train" if module.training else "eval"
            return f", first in {name or 'the module itself'} ({type(module).__name__}, {mode} mode)"
    return ""


def _vacuous(session: Session, x: Tree, found: Baseline) -> None:
    """An output that does not depend on the input makes every comparison pass: draw weights, or say so."""
    if _depends(session, x):
        return
    if session.subject.modules is not None:
        with session.weights(Example(session.layout.length(x), session.batch, session.seed, 1.0)):
            if _depends(session, x):
                found.knowing(scale=1.0)
                found.notes.append("with the given weights the output does not depend on the input: weights are drawn")
                return
    others = [path for path in session.outputs.paths if path != session.outputs.path]
    if any(_depends(session.looking_at(path), x) for path in others):  # a counter, a mask: beside outputs that do
        found.notes.append("this output does not depend on the input; others do, and it is compared as they are")
        return
    found.findings.append(Finding("vacuous", "high", "the output does not depend on the input: no comparison could fail"))
    found.undecided.append("the output does not depend on the input: no comparison could fail")


def _depends(session: Session, x: Tree) -> bool:
    outputs = [session.clip(session.inputs(session.layout.length(x), session.batch, session.seed + i)) for i in (11, 12, 13)]
    first = outputs[0]
    return first is not None and any(
        o is not None and (o.shape != first.shape or not torch.equal(o, first)) for o in outputs[1:]
    )


def _looped(session: Session, x: Tree, found: Baseline) -> None:
    """A clip function that runs the stream itself is equal to it whatever it computes."""
    codes, length = functions_of(session.player().stream, session.subject.clip), session.layout.length(x)
    with counting(codes) as calls:
        session.clip(x)
    name = steps_called(codes, calls)
    if not name and (often := called_each_frame(codes, calls, length)):
        with counting(codes) as longer:
            other = session.clip(session.inputs(session.legal(2 * length + 1), session.batch, session.seed))
        name = min((codes[code] for code in often if other is None or longer[code] > calls[code]), default="")
    if name:
        detail = f"the clip function calls {name} itself: it is a loop over the stream"
        found.findings.append(Finding("loop-clip", "medium", detail))
        found.undecided.append("the clip function is itself a loop over the step: that both agree says nothing")


def _emits(session: Session, found: Baseline) -> None:
    """In window mode, at which frames emissions come; nothing at all decides nothing."""
    count = session.subject.window
    if count is None:
        return
    x = session.inputs(session.legal(3 * count + 4), session.batch, session.seed)
    trace = _trace(session, x)
    times = [t for t in trace.seen if t >= count]
    gaps = {b - a for a, b in itertools.pairwise(times)}
    if times and session.subject.emits == "frames":
        _align(session, x, trace, found)
    if not times:
        found.undecided.append(f"the stream emitted nothing in {3 * count + 4} frames")
    elif len(gaps) == 1 and gaps != {1}:
        found.knowing(due=(times[0], min(gaps)))
        found.notes.append(f"the stream emits at every {min(gaps)}th frame, first after {times[0]}")


def _align(session: Session, x: Tree, trace: Trace, found: Baseline) -> None:
    """Which frame of the clip's result the emissions are: the last unless declared or found otherwise."""
    count, axis, fits, length = session.subject.window or 1, session.output_time, set[int](), 0
    ends = ((frame, fed - session.subject.offset) for frame, fed in zip(trace.frames, trace.seen, strict=True))
    for i, (got, end) in enumerate((frame, end) for frame, end in ends if end >= count):
        window = session.layout.part(x, end - count, count)
        output = session.clip(window)
        if output is None or output.dim() != got.dim() + 1:
            return
        limit = session.numbers.bound(session, window, output)
        here = {k for k, frame in enumerate(output.unbind(axis)) if close(got, frame, limit)}
        fits, length = here if i == 0 else fits & here, output.shape[axis]
    if fits and length - 1 not in fits:
        found.knowing(frame_of_window=max(fits))
        late = length - 1 - max(fits)
        found.findings.append(
            Finding(
                "alignment",
                "low",
                f"each emission is frame {max(fits)} of the clip of the last {count} frames, not its last:"
                f" it stands for the frame {late} before the newest",
            )
        )


def timing_of(session: Session) -> MeasuredTiming:
    """Timing, measured with the weights as they came and, where some are all zero, with drawn ones: the longer memory."""
    timing = measure(session)
    module = session.subject.modules
    gates = () if module is None else [p for name, p in module.named_parameters() if not name.endswith("bias")]
    if all(bool((p != 0).any()) for p in gates):
        return timing
    with session.weights(Example(session.example_length, session.batch, session.seed, 1.0)):
        drawn = measure(session)
    reaches = [t.receptive_field for t in (timing, drawn)]
    longer = drawn if None not in reaches and reaches[1] > reaches[0] else timing  # type: ignore[operator]
    return replace(longer, delay=timing.delay)


def reach_of(session: Session, timing: MeasuredTiming) -> int:
    """Frames after which nothing new can happen: receptive field, or window, or what is assumed for unbounded memory; after
    the emissions that do not count.
    """
    warm = session.subject.warm_up + session.subject.ignore * (timing.stride or 1)
    if session.subject.window is not None:
        return session.subject.window + warm
    field_ = timing.receptive_field
    return warm + (int(field_) if field_ is not None and field_ != float("inf") else SHORT)


def owed_of(session: Session, timing: MeasuredTiming) -> int:
    """Frames that a stream without a flush keeps for itself, at most: what a few lengths show, and no more than it is late.

    A stream that has stopped emitting would owe more and more.
    """
    if session.subject.window is not None or session.has("flush"):
        return 0
    base, late, owed = 3 * session.facts.reach + 4, 0, 0
    try:
        for length, trace in _played(session, sorted({session.legal(base + i) for i in range(9)})):
            late = max([late, *_lateness(session, trace, timing.stride or 1)])
            output = session.clip(session.inputs(length, session.batch, session.seed))
            if output is not None:
                owed = max(owed, output.shape[session.output_time] - session.subject.offset - len(trace.frames))
    except StreamRaised:
        return owed
    if timing.stride is not None and late < base:
        owed = min(owed, math.ceil(late / timing.stride) + 1)
    return owed


def _played(session: Session, lengths: list[int]) -> Iterator[tuple[int, Trace]]:
    """Streams without a flush: fed frame by frame, shorter ones are the beginnings of the longest."""
    x = session.inputs(lengths[-1], session.batch, session.seed)
    if session.plan_chunks(x) is None:
        with contextlib.suppress(StreamRaised):
            longest = session.play(x)
            yield from ((length, longest.of_the_first(length)) for length in lengths)
            return
    for length in lengths:
        yield length, session.play(session.inputs(length, session.batch, session.seed))


def _lateness(session: Session, trace: Trace, stride: int) -> list[int]:
    """For each frame that was emitted before the end: how many steps after its own."""
    emitted = trace.seen[: len(trace.frames) - trace.flushed]
    return [seen - 1 - (session.subject.offset + i) * stride for i, seen in enumerate(emitted)]
