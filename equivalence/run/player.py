"""Playing a stream: frames in, emissions out, each with the number of frames it had seen. Everything is cloned before it
is fed.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.proofs.field.errors import Undisturbed
from coequal.subjects.chunks import Chunks
from coequal.subjects.errors import BadSubject

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


class Player:
    """One stream object being fed; `time` and `output_time` are the time axes of clips in and out."""

    def __init__(self, stream: Any, time: int, output_time: int, *, keep: bool = False, refill: bool = False) -> None:
        self.stream, self.time, self.output_time = stream, time, output_time
        self.trace, self.fed, self.keep, self.refill = Trace(), 0, keep, refill
        self.handed: list[Tensor] = []  # what the stream was given, and what it was at that time
        self.given: list[Tensor] = []
        self.held: list[Tensor] = []  # the emitted tensors themselves: they must not change later

    def feed(self, frames: Tensor, chunks: Chunks | None = None) -> Player:
        """Feed `frames` (time axis kept) in chunks of these sizes, one by one unless given."""
        sizes = (1,) * frames.shape[self.time] if chunks is None else chunks
        start = 0
        for i, size in enumerate(sizes):
            piece = frames.narrow(self.time, start, size)
            if size == 1 and self._steps(i, chunks):
                self._feed_step(piece.select(self.time, 0))
            elif hasattr(self.stream, "chunk") or not hasattr(self.stream, "step"):
                self._feed_chunk(piece)
            else:
                for frame in piece.unbind(self.time):
                    self._feed_step(frame)
            start += size
        return self

    def _steps(self, position: int, chunks: Chunks | None) -> bool:
        """Single frames go to `step`; those of a schedule to `step` and to `chunk` in turns, where there are both."""
        if not hasattr(self.stream, "step"):
            return False
        return chunks is None or not hasattr(self.stream, "chunk") or position % 2 == 1

    def _feed_step(self, frame: Tensor) -> None:
        frame = self._hand(frame)
        self.fed += 1
        self._emit(self._call("step", frame), chunk=False)

    def _feed_chunk(self, frames: Tensor) -> None:
        if not hasattr(self.stream, "chunk"):
            raise BadSubject("the stream has neither step(frame) for single frames nor chunk(frames) for several")
        frames = self._hand(frames)
        self.fed += frames.shape[self.time]
        self._emit(self._call("chunk", frames), chunk=True)

    def _hand(self, frame: Tensor) -> Tensor:
        handed = self._refilled(frame) if self.refill else self._copied(frame)
        self.handed.append(handed)
        self.given.append(handed.clone())
        return handed

    def _copied(self, frame: Tensor) -> Tensor:
        return frame.clone(memory_format=torch.preserve_format if self.keep else torch.contiguous_format)

    def _refilled(self, frame: Tensor) -> Tensor:
        """The tensor object that was handed over last, where it has the right shape."""
        if self.handed and self.handed[-1].shape == frame.shape:
            return self.handed[-1].copy_(frame)
        return self._copied(frame)

    def flush(self) -> Player:
        """End the stream, if it can be ended."""
        if hasattr(self.stream, "flush"):
            before = len(self.trace.frames)
            self._emit(self._call("flush"), chunk=False)
            self.trace.flushed = len(self.trace.frames) - before
            self.trace.ended = True
        return self

    def _call(self, method: str, *arguments: Tensor) -> Any:
        try:
            return getattr(self.stream, method)(*arguments)
        except (BadSubject, Undisturbed):
            raise
        except (Exception, SystemExit) as error:
            what = (
                "tried to exit" if isinstance(error, SystemExit) else f"raised {type(error).__name__}: {first_line(error)}"
            )
            raise StreamRaised(f"stream.{method}() {what} (after {self.fed} frames fed)") from error

    def _emit(self, output: Any, *, chunk: bool) -> None:
        frames = emissions(output, self.output_time if chunk else None)
        self.held += frames
        self.trace.add([frame.detach().clone() for frame in frames], self.fed)


def emissions(output: Any, time: int | None) -> list[Tensor]:
    """What a stream returned as a list of frames: None and empty tensors are none; a chunk's time axis is taken apart."""
    if output is None:
        return []
    if isinstance(output, (list, tuple)):
        return [frame for item in output for frame in emissions(item, None)]
    if not isinstance(output, Tensor):
        raise BadSubject(f"the stream returned {type(output).__name__}: expected a tensor, None, or a list of tensors")
    if output.numel() == 0:
        return []
    if time is None:
        return [output]
    if output.dim() <= time:
        raise BadSubject(f"stream.chunk() returned shape {tuple(output.shape)}: its time axis {time} is missing (keep it)")
    return list(output.unbind(time))


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 160 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else "(no message)"


def play(stream: Any, clip: Tensor, time: int, output_time: int, chunks: Chunks | None = None) -> Trace:
    """A whole clip through a fresh stream, then the flush."""
    return Player(stream, time, output_time).feed(clip, chunks).flush().trace
