"""Playing a stream: frames in, emissions out, each with the number of frames it had seen. Everything is cloned before it
is fed.
"""

from __future__ import annotations

import bisect
import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.memory.running import Running
from coequal.proofs.field.errors import Undisturbed
from coequal.subjects.chunks import Chunks, Plan
from coequal.subjects.errors import BadSubject, ensure_memory
from coequal.subjects.inputs import Inputs, Tree, called, cloned, leaves_of
from coequal.subjects.outputs import Outputs

Tensor = torch.Tensor
Emission = tuple[int, int, Tensor]  # its number, the frames fed by then, and the emission


class StreamRaised(RuntimeError):
    """The stream raised (or tried to exit) while it was played."""


@dataclass
class Trace:
    """Emissions in order; `seen[i]` input frames were fed when emission i appeared, the last `flushed` came at the end."""

    frames: list[Tensor] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    flushed: int = 0
    ended: bool = False  # by a flush: nothing is owed any more

    def end(self, before: int) -> None:
        """A flush came after so many emissions: the others are its."""
        self.flushed, self.ended = len(self.frames) - before, True

    def of_the_first(self, count: int) -> Trace:
        """What the first `count` frames made appear: a stream that is not flushed cannot know that more will come."""
        emitted = bisect.bisect_right(self.seen, count)
        return Trace(self.frames[:emitted], self.seen[:emitted])

    def emissions(self) -> list[Emission]:
        """All of them, numbered."""
        return [(i, fed, frame) for i, (frame, fed) in enumerate(zip(self.frames, self.seen, strict=True))]

    def add(self, frames: list[Tensor], seen: int) -> None:
        """Append emissions."""
        self.frames += frames
        self.seen += [seen] * len(frames)


@dataclass
class Player:
    """One stream object being fed; its inputs' axes, and how its outputs are read."""

    stream: Any
    inputs: Inputs
    outputs: Outputs
    plan: Plan = field(default_factory=Plan)
    ignore: int = 0  # emissions that do not count
    warm_up: int = 0  # frames whose emissions do not count
    keep: bool = False  # the layout in memory of what is handed over
    refill: bool = False  # one tensor object, refilled for each frame
    views: bool = False  # frames are views of the clip
    running: Running | None = None  # sees what is called

    def __post_init__(self) -> None:
        self.trace, self.fed, self.emitted = Trace(), 0, 0
        self.handed: list[Tree] = []  # what the stream was given, and what it was at that time
        self.given: list[Tree] = []
        self.held: list[Tensor] = []  # the emitted tensors themselves: they must not change later
        self.before: list[Tree] = []  # all frames so far, where they are handed over again
        self.manager: Any = None
        self.over = False
        if hasattr(self.stream, "__enter__") and hasattr(self.stream, "__exit__"):
            self._enter()

    # -- context managers ------------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        """`with stream as entered:`, where what is entered is what steps (the stream itself, if it says nothing)."""
        self.manager = self.stream
        entered = self._call("__enter__")
        self.stream = self.manager if entered is None else entered

    def end(self) -> None:
        """Another stream begins, of those that live one at a time: this one is none any more."""
        self.leave()
        self.over = True

    def leave(self) -> None:
        """The end of the `with` block; nothing is fed any more."""
        manager, self.manager = self.manager, None
        if manager is not None:
            with contextlib.suppress(Exception):
                manager.__exit__(None, None, None)

    # -- feeding -----------------------------------------------------------------------------------------------------------

    def feed(self, frames: Tree, chunks: Chunks | None = None) -> Player:
        """Feed `frames` (time axes kept) in chunks of these sizes, one by one unless given."""
        for _ in self.feeding(frames, chunks):
            pass
        return self

    def feeding(self, frames: Tree, chunks: Chunks | None = None) -> Iterator[tuple[int, int]]:
        """The same, stopping after each chunk: which frame it began with, and how many there were."""
        start, length = 0, self.inputs.length(frames)
        for i, size in enumerate((1,) * length if chunks is None else chunks):
            if self.plan.whole or self.plan.ahead:
                self._feed_again(frames, start, size, length)
            else:
                self._feed_piece(frames, start, size, i, chunks)
            yield start, size
            start += size

    def _feed_piece(self, frames: Tree, start: int, size: int, position: int, chunks: Chunks | None) -> None:
        if size == 1 and self._steps(position, chunks):
            self._feed_step(self.inputs.frame(frames, start))
        elif hasattr(self.stream, "chunk") or not hasattr(self.stream, "step"):
            self._feed_chunk(self.inputs.part(frames, start, size), size)
        else:
            for i in range(start, start + size):
                self._feed_step(self.inputs.frame(frames, i))

    def _feed_again(self, frames: Tree, start: int, size: int, length: int) -> None:
        """All frames so far, or frames that will come again."""
        if self.plan.ahead:
            count = min(size + self.plan.ahead, length - start)
            seen = self.fed + count
            self._feed_chunk(self.inputs.part(frames, start, count), size, seen)
            return
        self.before.append(self.inputs.part(frames, start, size))
        self._feed_chunk(self.inputs.join(*self.before), size)

    def _steps(self, position: int, chunks: Chunks | None) -> bool:
        """Single frames go to `step`; those of a schedule to `step` and to `chunk` in turns, where there are both."""
        if not hasattr(self.stream, "step"):
            return False
        return chunks is None or not hasattr(self.stream, "chunk") or position % 2 == 1

    def _feed_step(self, frame: Tree) -> None:
        self.hand_over("step", self._hand(frame), 1)

    def _feed_chunk(self, frames: Tree, size: int, seen: int | None = None) -> None:
        if not hasattr(self.stream, "chunk"):
            raise BadSubject("the stream has neither step(frame) for single frames nor chunk(frames) for several")
        self.hand_over("chunk", self._hand(frames), size, seen)

    def hand_over(self, method: str, frames: Tree, size: int, seen: int | None = None) -> None:
        """Call `step` or `chunk` with these very tensors, of which so many frames are new; all that was seen by then."""
        if self.over:
            raise RuntimeError("a stream is fed after another one began, where one lives at a time")
        self.fed += size
        self._emit(self._call(method, frames), method, self.fed if seen is None else seen)

    def back_to(self, emissions: int, fed: int) -> None:
        """The stream was taken back to where it had emitted and been fed so much."""
        self.as_if(Trace(self.trace.frames[:emissions], self.trace.seen[:emissions]), fed)
        if fed == 0:
            self.emitted, self.before = 0, []

    def as_if(self, trace: Trace, fed: int) -> None:
        """The stream is where one is that emitted this, of so many frames."""
        self.trace, self.fed = copy.deepcopy(trace), fed

    def note(self, handed: Tree) -> Tree:
        """Remember what is handed over, and what it was."""
        self.handed.append(handed)
        self.given.append(cloned(handed))
        return handed

    def _hand(self, frame: Tree) -> Tree:
        if self.views:
            return self.note(frame)
        return self.note(self._refilled(frame) if self.refill else self._copied(frame))

    def _copied(self, frame: Tree) -> Tree:
        return cloned(frame, torch.preserve_format if self.keep else torch.contiguous_format)

    def _refilled(self, frame: Tree) -> Tree:
        """The tensor objects that were handed over last, where they have the right shapes."""
        if not self.handed:
            return self._copied(frame)
        last, now = leaves_of(self.handed[-1]), leaves_of(frame)
        if any(last[name].shape != leaf.shape for name, leaf in now.items()):
            return self._copied(frame)
        for name, leaf in now.items():
            last[name].copy_(leaf)
        return self.handed[-1]

    def flush(self) -> Player:
        """End the stream, if it can be ended."""
        if hasattr(self.stream, "flush"):
            before = len(self.trace.frames)
            self._emit(self._call("flush"), "flush", self.fed)
            self.trace.end(before)
        self.leave()
        return self

    def _call(self, method: str, *arguments: Tree) -> Any:
        try:
            function = getattr(self.stream, method)
            with contextlib.nullcontext() if self.running is None else self.running.watched():
                return called(function, arguments[0], f"stream.{method}") if arguments else function()
        except (BadSubject, Undisturbed):
            raise
        except (Exception, SystemExit) as error:
            self.leave()
            ensure_memory(error)
            what = (
                "tried to exit" if isinstance(error, SystemExit) else f"raised {type(error).__name__}: {first_line(error)}"
            )
            raise StreamRaised(f"stream.{method}() {what} (after {self.fed} frames fed)") from error

    def _emit(self, output: Any, method: str, seen: int) -> None:
        frames = self.outputs.of_stream(output, f"stream.{method}()", chunk=method == "chunk")
        if self.ignore or self.warm_up:
            skipped = len(frames) if seen <= self.warm_up else min(len(frames), max(0, self.ignore - self.emitted))
            self.emitted += len(frames)
            frames = frames[skipped:]
        self.held += frames
        self.trace.add([frame.detach().clone() for frame in frames], seen)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 160 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else "(no message)"
