"""Location: the first submodule whose frames differ between clip and stream, and the input frames that either depends on.

Over a field both are exact: residues are compared at the modules' boundaries, and an output depends on an input frame if it
changes when that frame becomes another variable. Where exact arithmetic cannot follow, floats have to do.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch
from torch import nn

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.field import Draw, FieldSession, over_field, redrawing
from coequal.equivalence.compare.relation import window_result
from coequal.equivalence.prove.decide import Exactly
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.hooks import STEPS, Calls, listening
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import ClipRaised, Session
from coequal.equivalence.run.state import modules_inside
from coequal.proofs.field.errors import Redraw, Undisturbed
from coequal.subjects.chunks import Chunks
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree
from coequal.subjects.wording import numbers

Tensor = torch.Tensor
LOCATABLE = (
    "values",
    "long",
    "chunking",
    "special-values",
    "batch",
    "grad-mode",
)  # one clip, one stream, fed frame by frame


@dataclass(frozen=True)
class Location:
    """The dotted name of a module, or None; what the differing frame depends on, in words, or nothing."""

    module: str | None = None
    uses: str = ""


def locate(session: Session, check: str, example: Example, frame: int | None, exactly: Exactly) -> Location:
    """Where clip and stream part, in one example of a check; `frame` is the first output frame that differs."""
    if check not in (*LOCATABLE, "exact") or example.variant:
        return Location(first_differing_module(session, check, example, frame))
    for draw, again in redrawing(Draw(seed=session.seed + 1, literal=exactly.literal)):
        try:
            with over_field(session, draw) as exact:
                module = first_differing_module(exact, check, example, frame) if check == "exact" else None
                uses = "" if frame is None else dependences(exact, example, frame)
            return Location(module or first_differing_module(session, check, example, frame), uses)
        except Redraw as redraw:
            again.append(redraw)
        except (Undisturbed, StreamRaised, ClipRaised, Mismatch, BadSubject):
            break
    return Location(first_differing_module(session, check, example, frame))


def dependences(exact: FieldSession, example: Example, frame: int) -> str:
    """`the clip's frame depends on the input frames 3 to 6, the stream's on 2 and 4 to 6`; "" if they are too many."""
    subject, length = exact.subject, example.length
    if length * length > STEPS or (example.chunks is not None and subject.window is not None):
        return ""
    x = exact.inputs(length, example.batch, example.seed)
    before = _both(exact, x, frame, example.chunks)
    moved: tuple[list[int], list[int]] = ([], [])
    for i in range(length):
        changed = exact.layout.replaced(x, i, exact.inputs(1, example.batch, example.seed + 1))
        for frames, was, now in zip(moved, before, _both(exact, changed, frame, example.chunks), strict=True):
            if was is not None and now is not None and not bool(exact.numbers.over.same(was, now).all()):
                frames.append(i)
    clip, stream = moved
    if clip == stream or before[1] is None:
        return f"clip and stream use the same input frames: {numbers(clip)}" if clip == stream and clip else ""
    return f"the clip's frame depends on the input frames {numbers(clip)}, the stream's on {numbers(stream) or 'none'}"


def _both(exact: FieldSession, x: Tree, frame: int, chunks: Chunks | None = None) -> tuple[Tensor | None, Tensor | None]:
    """Frame `frame` as clip and as stream give it."""
    subject = exact.subject
    trace = exact.play(x, chunks)
    if subject.window is not None:
        end = frame + 1 - subject.offset
        output = exact.clip(exact.layout.part(x, end - subject.window, subject.window))
        got = next((f for f, fed in zip(trace.frames, trace.seen, strict=True) if fed == frame + 1), None)
        return (None if output is None or got is None else window_result(exact, output, got)), got
    output, index = exact.clip(x), frame - subject.offset
    clip = None if output is None or frame >= output.shape[exact.output_time] else output.select(exact.output_time, frame)
    return clip, trace.frames[index] if 0 <= index < len(trace.frames) else None


def first_differing_module(session: Session, check: str, example: Example, frame: int | None) -> str | None:
    """The first submodule, in the order in which the clip completes them, whose frames differ; None: none can be told.

    `frame` is where the outputs part; in window mode the clip is the window that ends there, and what every submodule gave
    last is compared.
    """
    root, subject = session.subject.modules, session.subject
    if root is None or check not in (*LOCATABLE, "exact") or (subject.window is not None and frame is None):
        return None
    with session.weights(example):
        x = clip = session.inputs(example.length, example.batch, example.seed)
        if subject.window is not None and frame is not None:
            x = session.layout.part(x, 0, frame + 1)
            clip = session.layout.part(x, frame + 1 - subject.offset - subject.window, subject.window)
        clip_calls, stream_calls = Calls(), Calls()
        with listening(root, clip_calls):
            session.clip(clip)
        try:
            _listen(session, x, root, stream_calls)
        except StreamRaised:
            return None
    differs = _differs if subject.window is None else _differs_at_last
    for name, outputs in clip_calls.items():
        if len(outputs) == 1 and name in stream_calls and differs(session, outputs[0], stream_calls[name]):
            return name or type(root).__name__
    return None


def _listen(session: Session, x: Tree, root: nn.Module, calls: Calls) -> None:
    """Play x and note what the modules of the stream give."""
    player = session.player()
    with contextlib.ExitStack() as stack:
        for module in modules_inside(player.stream) or [root]:
            stack.enter_context(listening(module, calls))
        player.feed(x, session.plan_chunks(x))
        if session.subject.window is None:
            player.flush()


def _differs_at_last(session: Session, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether what a submodule gave last is neither its result for the window nor the last frame of it."""
    got = steps[-1]
    options = [clip] if got.shape == clip.shape else _frames(session, clip, got)[-1:]
    return bool(options) and not session.numbers.agrees(session, got, options[0], clip)


def _differs(session: Session, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether the frames that a submodule emitted differ from those of its clip, in order."""
    frames = _frames(session, clip, steps[0])
    return any(not session.numbers.agrees(session, got, want, clip) for got, want in zip(steps, frames, strict=False))


def _frames(session: Session, clip: Tensor, step: Tensor) -> list[Tensor]:
    """The clip's frames along whichever axis gives frames of the step's shape; none if there is no such axis."""
    for axis in dict.fromkeys((session.output_time, session.layout.time_axis, 2, 1)):
        if clip.dim() > axis and (*clip.shape[:axis], *clip.shape[axis + 1 :]) == tuple(step.shape):
            return list(clip.unbind(axis))
    return []
