"""Location: the first submodule whose frames differ between clip and stream, and the input frames that either depends on.

Over a field both are exact: residues are compared at the modules' boundaries, and an output depends on an input frame if it
changes when that frame becomes another variable. Where exact arithmetic cannot follow, floats have to do.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from coequal.equivalence.bench import Bench, ClipRaised, Example
from coequal.equivalence.compare import Mismatch, window_result
from coequal.equivalence.decide import Exactly
from coequal.equivalence.errors import BadSubject
from coequal.equivalence.exact import Draw, ExactBench, over_field, redrawing
from coequal.equivalence.inside import modules_inside
from coequal.equivalence.runner import StreamRaised
from coequal.equivalence.schedule import Chunks
from coequal.proofs.field.errors import Redraw, Undisturbed

Tensor = torch.Tensor
METHODS = ("forward", "forward_step", "step")  # how modules are called on a clip, and on a frame
LOCATABLE = (
    "values",
    "long",
    "chunking",
    "special-values",
    "batch",
    "grad-mode",
)  # one clip, one stream, fed frame by frame
STEPS = 2500  # frames fed to find out what a frame depends on, at most
Calls = dict[str, list[Tensor]]


@contextlib.contextmanager
def listening(root: nn.Module, calls: Calls) -> Iterator[None]:
    """Inside, the output of every call of every submodule is noted under its name, in order of completion."""
    patched: list[tuple[nn.Module, str]] = []
    try:
        for name, module in root.named_modules():
            busy: list[bool] = []  # a step that calls forward is one call
            for method in METHODS:
                if callable(getattr(type(module), method, None)) and method not in vars(module):
                    object.__setattr__(module, method, _noting(getattr(module, method), calls, name, busy))
                    patched.append((module, method))
        yield
    finally:
        for module, method in patched:
            object.__delattr__(module, method)


def _noting(call: Callable, calls: Calls, name: str, busy: list[bool]) -> Callable:
    @functools.wraps(call)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if busy:
            return call(*args, **kwargs)
        busy.append(True)
        try:
            output = call(*args, **kwargs)
        finally:
            busy.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor):
            calls.setdefault(name, []).append(first.detach().clone())
        return output

    return noting


@dataclass(frozen=True)
class Location:
    """The dotted name of a module, or None; what the differing frame depends on, in words, or nothing."""

    module: str | None = None
    uses: str = ""


def locate(bench: Bench, check: str, example: Example, frame: int | None, exactly: Exactly) -> Location:
    """Where clip and stream part, in one example of a check; `frame` is the first output frame that differs."""
    if check not in (*LOCATABLE, "exact") or example.variant:
        return Location(first_differing_module(bench, check, example, frame))
    for draw, again in redrawing(Draw(seed=bench.seed + 1, literal=exactly.literal)):
        try:
            with over_field(bench, draw) as exact:
                module = first_differing_module(exact, check, example, frame) if check == "exact" else None
                uses = "" if frame is None else dependences(exact, example, frame)
            return Location(module or first_differing_module(bench, check, example, frame), uses)
        except Redraw as redraw:
            again.append(redraw)
        except (Undisturbed, StreamRaised, ClipRaised, Mismatch, BadSubject):
            break
    return Location(first_differing_module(bench, check, example, frame))


def dependences(exact: ExactBench, example: Example, frame: int) -> str:
    """`the clip's frame depends on the input frames 3 to 6, the stream's on 2 and 4 to 6`; "" if they are too many."""
    subject, length = exact.subject, example.length
    if length * length > STEPS or (example.chunks is not None and subject.window is not None):
        return ""
    x = exact.inputs(length, example.batch, example.seed)
    before = _both(exact, x, frame, example.chunks)
    moved: tuple[list[int], list[int]] = ([], [])
    for i in range(length):
        changed = x.clone()
        changed.select(subject.time, i).copy_(exact.inputs(1, example.batch, example.seed + 1).select(subject.time, 0))
        for frames, was, now in zip(moved, before, _both(exact, changed, frame, example.chunks), strict=True):
            if was is not None and now is not None and not bool(exact.over.same(was, now).all()):
                frames.append(i)
    clip, stream = moved
    if clip == stream or before[1] is None:
        return f"clip and stream use the same input frames: {_listed(clip)}" if clip == stream and clip else ""
    return f"the clip's frame depends on the input frames {_listed(clip)}, the stream's on {_listed(stream)}"


def _both(exact: ExactBench, x: Tensor, frame: int, chunks: Chunks | None = None) -> tuple[Tensor | None, Tensor | None]:
    """Frame `frame` as clip and as stream give it."""
    subject = exact.subject
    trace = exact.play(x, chunks)
    if subject.window is not None:
        end = frame + 1 - subject.offset
        output = exact.clip(x.narrow(subject.time, end - subject.window, subject.window))
        got = next((f for f, fed in zip(trace.frames, trace.seen, strict=True) if fed == frame + 1), None)
        return (None if output is None or got is None else window_result(exact, output, got)), got
    output, index = exact.clip(x), frame - subject.offset
    clip = None if output is None or frame >= output.shape[exact.output_time] else output.select(exact.output_time, frame)
    return clip, trace.frames[index] if 0 <= index < len(trace.frames) else None


def _listed(frames: list[int]) -> str:
    """`3 to 6 and 8`."""
    runs: list[list[int]] = []
    for i in frames:
        if runs and i == runs[-1][-1] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    words = [f"{r[0]} to {r[-1]}" if len(r) > 2 else " and ".join(map(str, r)) for r in runs]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else (words[0] if words else "none")


def first_differing_module(bench: Bench, check: str, example: Example, frame: int | None) -> str | None:
    """The first submodule, in the order in which the clip completes them, whose frames differ; None: none can be told.

    `frame` is where the outputs part; in window mode the clip is the window that ends there, and what every submodule gave
    last is compared.
    """
    root, subject = bench.subject.modules, bench.subject
    if root is None or check not in (*LOCATABLE, "exact") or (subject.window is not None and frame is None):
        return None
    with bench.weights(example):
        x = clip = bench.inputs(example.length, example.batch, example.seed)
        if subject.window is not None and frame is not None:
            x = x.narrow(subject.time, 0, frame + 1)
            clip = x.narrow(subject.time, frame + 1 - subject.offset - subject.window, subject.window)
        clip_calls, stream_calls = Calls(), Calls()
        with listening(root, clip_calls):
            bench.clip(clip)
        try:
            _listen(bench, x, root, stream_calls)
        except StreamRaised:
            return None
    differs = _differs if subject.window is None else _differs_at_last
    for name, outputs in clip_calls.items():
        if len(outputs) == 1 and name in stream_calls and differs(bench, outputs[0], stream_calls[name]):
            return name or type(root).__name__
    return None


def _listen(bench: Bench, x: Tensor, root: nn.Module, calls: Calls) -> None:
    """Play x and note what the modules of the stream give."""
    player = bench.player()
    with contextlib.ExitStack() as stack:
        for module in modules_inside(player.stream) or [root]:
            stack.enter_context(listening(module, calls))
        player.feed(x, bench.plan_chunks(x))
        if bench.subject.window is None:
            player.flush()


def _differs_at_last(bench: Bench, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether what a submodule gave last is neither its result for the window nor the last frame of it."""
    got = steps[-1]
    options = [clip] if got.shape == clip.shape else _frames(bench, clip, got)[-1:]
    return bool(options) and not bench.agrees(got, options[0], clip)


def _differs(bench: Bench, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether the frames that a submodule emitted differ from those of its clip, in order."""
    frames = _frames(bench, clip, steps[0])
    return any(not bench.agrees(got, want, clip) for got, want in zip(steps, frames, strict=False))


def _frames(bench: Bench, clip: Tensor, step: Tensor) -> list[Tensor]:
    """The clip's frames along whichever axis gives frames of the step's shape; none if there is no such axis."""
    for axis in dict.fromkeys((bench.output_time, bench.subject.time, 2, 1)):
        if clip.dim() > axis and (*clip.shape[:axis], *clip.shape[axis + 1 :]) == tuple(step.shape):
            return list(clip.unbind(axis))
    return []
