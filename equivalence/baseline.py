"""The baseline: can this subject be compared at all, and could a comparison fail? Before anything is checked."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.equivalence.bench import Bench, ClipRaised, Example
from coequal.equivalence.compare import Mismatch, close, frames_of
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.locate import listening
from coequal.equivalence.looped import counting, functions_of, looped_over
from coequal.equivalence.measure import measure
from coequal.equivalence.report import Finding, MeasuredTiming
from coequal.equivalence.runner import StreamRaised, Trace
from coequal.equivalence.schedule import plan_of
from coequal.equivalence.subject import Subject

Tensor = torch.Tensor
SHORT = 8  # frames of memory assumed where none could be measured


@dataclass
class Facts:
    """What the baseline found out; `undecided` holds the reasons why no comparison can decide."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    first: bool = False  # the very first stream agreed with the clip function
    random: bool = False  # two runs of the clip function on one input differ: nothing can be compared


def check_subject(subject: Subject) -> None:
    """BadSubject unless the fields have the right kinds."""
    if not isinstance(subject, Subject):
        raise BadSubject(f"verify: expected a coequal.Subject, got {type(subject).__name__}")
    if not isinstance(subject.example, Tensor):
        raise BadSubject(f"Subject.example: expected a tensor, a whole clip, got {type(subject.example).__name__}")
    for name in ("clip", "stream"):
        if not callable(getattr(subject, name)):
            raise BadSubject(f"Subject.{name}: expected a callable, got {type(getattr(subject, name)).__name__}")
    axes = subject.example.dim()
    if not 0 <= subject.time < axes:
        raise BadSubject(
            f"Subject.time: the example has {axes} axes {tuple(subject.example.shape)},"
            f" so there is no time axis {subject.time}"
        )
    if subject.batch is not None and (not 0 <= subject.batch < axes or subject.batch == subject.time):
        raise BadSubject(
            f"Subject.batch: axis {subject.batch} is not one of the example's {axes}, or is time; None if there is none"
        )
    if subject.example.shape[subject.time] < 1:
        raise BadSubject(f"Subject.example: needs at least one frame, got shape {tuple(subject.example.shape)}")
    if 0 in subject.example.shape:
        raise BadSubject(
            f"Subject.example: a clip of shape {tuple(subject.example.shape)} is empty: every axis needs an element at least"
        )
    if subject.window is not None and (not isinstance(subject.window, int) or subject.window < 1):
        raise BadSubject(f"Subject.window: a number of frames, at least 1, or None; got {subject.window!r}")
    if not isinstance(subject.offset, int) or subject.offset < 0:
        raise BadSubject(
            f"Subject.offset: index of the clip frame that the first emission stands for, 0 or more; got {subject.offset!r}."
            " A stream whose first emissions stand for no frame has to leave them out (return None)"
        )
    if subject.emits not in ("frames", "window", "last"):
        raise BadSubject(f"Subject.emits: 'frames', 'window' or 'last', got {subject.emits!r}")
    plan_of(subject.plan)


def establish(bench: Bench) -> Facts:
    """Run clip and stream once on a clip like the example. BadSubject when one of them cannot; facts otherwise."""
    facts = Facts()
    length = bench.legal(max(bench.example_length, bench.subject.window or 0))
    if length == 0:
        raise BadSubject(f"Subject.plan: the example's {bench.example_length} frames cannot be fed in legal chunks")
    x = bench.inputs(length, bench.batch, bench.seed)
    window = x if bench.subject.window is None else x.narrow(bench.subject.time, 0, bench.subject.window)
    output = _clip(bench, window)
    trace = _trace(bench, x)
    if bench.subject.window is None:
        _same_shape(frames_of(bench, output), trace.frames)
        if output.numel() and torch.isnan(output).all():
            raise BadSubject(
                f"clip(x) returned NaN for a random clip of shape {tuple(x.shape)}: nothing can be compared with it"
            )
        facts.first = bool(_agrees(bench, x, trace))
    if any(bool(torch.isnan(f).any()) for f in trace.frames if f.is_floating_point()) and not torch.isnan(output).any():
        facts.notes.append("the stream returned NaN for a random clip, where the clip function does not")
    bench.coarsest = bench.watch_formats(window)
    if bench.coarsest != bench.dtype:
        name = str(bench.coarsest).removeprefix("torch.")
        facts.findings.append(
            Finding("island", "info", f"the clip function rounds its data to {name} inside a {bench.dtype} run")
        )
    facts.notes.append(f"compared in {str(bench.dtype).removeprefix('torch.')}")
    facts.notes.append(_which_clip(bench))
    _random(bench, window, facts)
    _vacuous(bench, window, facts)
    _looped(bench, window, facts)
    _emits(bench, facts)
    return facts


def _which_clip(bench: Bench) -> str:
    if bench.subject.window is None:
        return "the clip is the whole stream so far, padded once at its start and end"
    return f"the clip is the last {bench.subject.window} frames"


def _clip(bench: Bench, x: Tensor) -> Tensor:
    try:
        return bench.clip_or_raise(x)
    except ClipRaised as error:
        raise BadSubject(f"clip(x) raised on a clip of shape {tuple(x.shape)}: {error}") from error


def _trace(bench: Bench, x: Tensor) -> Any:
    try:
        return bench.play(x)
    except StreamRaised as error:
        raise BadSubject(f"{error}, on frames of a clip of shape {tuple(x.shape)}") from error


def _agrees(bench: Bench, x: Tensor, trace: Trace) -> bool:
    """Whether these emissions are the clip's, so far as they go."""
    try:
        bench.compare(x, trace)
    except Mismatch:
        return False
    return True


def _same_shape(expected: list[Tensor], got: list[Tensor]) -> None:
    """A frame that kept its time axis is a misunderstanding, not a difference."""
    if expected and got and got[0].dim() == expected[0].dim() + 1 and 1 in got[0].shape:
        raise BadSubject(
            f"the stream emits shape {tuple(got[0].shape)}, the clip's frames are {tuple(expected[0].shape)}:"
            " remove the time axis of a frame (or return a list of frames)"
        )


def _random(bench: Bench, x: Tensor, facts: Facts) -> None:
    """Dropout, or any other randomness, is found and named."""
    output, again = bench.clip(x), bench.clip(x)  # in a row: a stream in between may have changed the module
    if output is not None and again is not None and not torch.equal(again, output) and not torch.isnan(output).any():
        facts.findings.append(
            Finding("randomness", "high", f"the clip function gives two results for one input{_culprit(bench, x)}")
        )
        facts.undecided.append("the clip function is random: two runs on the same input differ")
        facts.random = True
        return
    traces = [_trace(bench, x) for _ in range(2)]
    same = all(torch.equal(a, b) for a, b in zip(traces[0].frames, traces[1].frames, strict=False))
    if not same and not any(torch.isnan(f).any() for f in traces[0].frames):
        facts.findings.append(Finding("randomness", "high", "the stream gives two results for one input"))


def _culprit(bench: Bench, x: Tensor) -> str:
    root = bench.subject.modules
    if root is None:
        return ""
    runs: list[dict[str, list[Tensor]]] = [{}, {}]
    for calls in runs:
        with listening(root, calls):
            bench.clip(x)
    for name, outputs in runs[0].items():
        others = runs[1].get(name, [])
        if any(not torch.equal(a, b) for a, b in zip(outputs, others, strict=False)):
            module = root.get_submodule(name)
            mode = "train" if module.training else "eval"
            return f", first in {name or 'the module itself'} ({type(module).__name__}, {mode} mode)"
    return ""


def _vacuous(bench: Bench, x: Tensor, facts: Facts) -> None:
    """An output that does not depend on the input makes every comparison pass: draw weights, or say so."""
    if _depends(bench, x):
        return
    if bench.subject.modules is not None:
        with bench.weights(Example(x.shape[bench.subject.time], bench.batch, bench.seed, 1.0)):
            if _depends(bench, x):
                bench.scale = 1.0
                facts.notes.append("with the given weights the output does not depend on the input: weights are drawn")
                return
    facts.findings.append(Finding("vacuous", "high", "the output does not depend on the input: no comparison could fail"))
    facts.undecided.append("the output does not depend on the input: no comparison could fail")


def _depends(bench: Bench, x: Tensor) -> bool:
    outputs = [bench.clip(bench.inputs(x.shape[bench.subject.time], bench.batch, bench.seed + i)) for i in (11, 12, 13)]
    first = outputs[0]
    return first is not None and any(
        o is not None and (o.shape != first.shape or not torch.equal(o, first)) for o in outputs[1:]
    )


def _looped(bench: Bench, x: Tensor, facts: Facts) -> None:
    """A clip function that runs the stream itself is equal to it whatever it computes."""
    codes = functions_of(bench.player().stream)
    with counting(codes) as calls:
        bench.clip(x)
    if name := looped_over(codes, calls, x.shape[bench.subject.time]):
        detail = f"the clip function calls {name} itself: it is a loop over the stream"
        facts.findings.append(Finding("loop-clip", "medium", detail))
        facts.undecided.append("the clip function is itself a loop over the step: that both agree says nothing")


def _emits(bench: Bench, facts: Facts) -> None:
    """In window mode, at which frames emissions come; nothing at all decides nothing."""
    count = bench.subject.window
    if count is None:
        return
    x = bench.inputs(bench.legal(3 * count + 4), bench.batch, bench.seed)
    trace = _trace(bench, x)
    times = [t for t in trace.seen if t >= count]
    gaps = {b - a for a, b in itertools.pairwise(times)}
    if times and bench.subject.emits == "frames":
        _align(bench, x, trace, facts)
    if not times:
        facts.undecided.append(f"the stream emitted nothing in {3 * count + 4} frames")
    elif len(gaps) == 1 and gaps != {1}:
        bench.due = (times[0], min(gaps))
        facts.notes.append(f"the stream emits at every {min(gaps)}th frame, first after {times[0]}")


def _align(bench: Bench, x: Tensor, trace: Trace, facts: Facts) -> None:
    """Which frame of the clip's result the emissions are: the last unless declared or found otherwise."""
    count, axis, fits, length = bench.subject.window or 1, bench.output_time, set[int](), 0
    full = ((frame, fed) for frame, fed in zip(trace.frames, trace.seen, strict=True) if fed >= count)
    for i, (got, fed) in enumerate(full):
        window = x.narrow(bench.subject.time, fed - count, count)
        output = bench.clip(window)
        if output is None or output.dim() != got.dim() + 1:
            return
        limit = bench.bound(window, output)
        here = {k for k, frame in enumerate(output.unbind(axis)) if close(got, frame, limit)}
        fits, length = here if i == 0 else fits & here, output.shape[axis]
    if fits and length - 1 not in fits:
        bench.frame_of_window = max(fits)
        late = length - 1 - bench.frame_of_window
        facts.findings.append(
            Finding(
                "alignment",
                "low",
                f"each emission is frame {bench.frame_of_window} of the clip of the last {count} frames, not its last:"
                f" it stands for the frame {late} before the newest",
            )
        )


def timing_of(bench: Bench) -> MeasuredTiming:
    """Timing, measured with the weights as they came and, where some are all zero, with drawn ones: the longer memory."""
    timing = measure(bench)
    module = bench.subject.modules
    gates = () if module is None else [p for name, p in module.named_parameters() if not name.endswith("bias")]
    if all(bool((p != 0).any()) for p in gates):
        return timing
    with bench.weights(Example(bench.example_length, bench.batch, bench.seed, 1.0)):
        drawn = measure(bench)
    reaches = [t.receptive_field for t in (timing, drawn)]
    longer = drawn if None not in reaches and reaches[1] > reaches[0] else timing  # type: ignore[operator]
    return replace(longer, delay=timing.delay)


def reach_of(bench: Bench, timing: MeasuredTiming) -> int:
    """Frames after which nothing new can happen: receptive field, or window, or what is assumed for unbounded memory."""
    if bench.subject.window is not None:
        return bench.subject.window
    field_ = timing.receptive_field
    return int(field_) if field_ is not None and field_ != float("inf") else SHORT


def owes(bench: Bench, timing: MeasuredTiming) -> None:
    """Frames that a stream without a flush keeps for itself, at most: what a few lengths show, and no more than it is late.

    A stream that has stopped emitting would owe more and more.
    """
    if bench.subject.window is not None:
        return
    base, late = 3 * bench.reach + 4, 0
    for length in sorted({bench.legal(base + i) for i in range(9)}):
        x = bench.inputs(length, bench.batch, bench.seed)
        try:
            trace, output = bench.play(x), bench.clip(x)
        except StreamRaised:
            return
        late = max([late, *_lateness(bench, trace, timing.stride or 1)])
        if output is not None and not trace.ended:
            owed = output.shape[bench.output_time] - bench.subject.offset - len(trace.frames)
            bench.owed = max(bench.owed, owed)
    if timing.stride is not None and late < base:
        bench.owed = min(bench.owed, math.ceil(late / timing.stride) + 1)


def _lateness(bench: Bench, trace: Trace, stride: int) -> list[int]:
    """For each frame that was emitted before the end: how many steps after its own."""
    emitted = trace.seen[: len(trace.frames) - trace.flushed]
    return [seen - 1 - (bench.subject.offset + i) * stride for i, seen in enumerate(emitted)]
