"""What is compared: a clip function and a stream that claims to compute it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import torch

from coequal.subjects.chunks import PlanLike
from coequal.subjects.inputs import AxesLike, Example, Inputs, axes_of
from coequal.subjects.outputs import Outputs, Select


@dataclass(frozen=True)
class Claim:
    """What a library says of its own stream, in frames; None where it says nothing. Compared with what is measured."""

    receptive_field: int | float | None = None
    delay: int | None = None
    stride: int | None = None


@dataclass(frozen=True)
class Suspect:
    """What may be wrong with a stream, and a stream without it: where that one agrees with the clip, the report says so.

    `stream` None: it was seen to be wrong, and is said of every difference.
    """

    says: str
    stream: Callable[[], Any] | None = None


@dataclass(kw_only=True)
class Subject:
    """A clip function `f` and a stream `s` that claims to compute it.

    `clip(x)` takes a whole clip with its time axis. `stream()` gives a fresh stream: an object with `step(frame)` (time axis
    removed) that returns None, a frame or a list of frames; optionally `flush()` (the same), `chunk(frames)` (time axis
    kept, in and out; None or an empty tensor when nothing is due), `state` (any tree of tensors), and the verbs
    `reset(rows)`, `reorder(index)`, `crop(frames)`. With several inputs `example` is a tuple or dictionary of tensors, and
    all of these take as many (`clip(*x)` or `clip(**x)`). Outputs may be trees. `docs/subject.md` is the whole protocol.
    """

    clip: Callable[..., Any]
    stream: Callable[[], Any]
    example: Example  # a tensor, or a tuple or dictionary of tensors
    time: AxesLike = 2  # time axis of clips; of several inputs one for all, or like the example: None for what does not move
    modules: torch.nn.Module | None = None  # parameters are re-drawn, names appear in reports
    window: int | None = None  # window=N: window-equal over the last N frames
    emits: Literal["frames", "window", "last"] = "frames"
    offset: int = 0  # index of the clip frame that the first emission stands for
    inputs: Callable[[int, int, int], Example] | None = None  # (length, batch, seed) -> clip
    plan: PlanLike = None  # legal chunk sizes; None: any
    memory: Callable[[Any], Any] | None = None  # stream -> tree of all it remembers, where that cannot be walked
    clip_state: Callable[[Any, Any], tuple[Any, Any]] | None = None  # how the clip goes on: see `docs/exact.md`
    allow: tuple[str, ...] = ()  # named checks or findings that this subject waives

    name: str = ""  # how reports call it
    claim: Claim | None = None  # what the library says of itself
    batch: AxesLike = 0  # batch axis of clips, None: there is none; of several inputs as `time`
    output_time: int | Mapping[str, int] | None = None  # of the clip's output, several by path; None: as `time`
    twin: Callable[[], torch.nn.Module] | None = None  # the original torch.nn module, for the `weights` check
    notes: tuple[str, ...] = field(default=())  # what an adapter wants the report to say

    select: Select = None  # what of an output is compared: a path, several, or a function of it
    positions: str | None = None  # name of the input that holds frame numbers
    valid: str | None = None  # name of the input that says which frames are no padding: a mask, or lengths
    longest: int | None = None  # the greatest total length, in frames
    batches: tuple[int, ...] | None = None  # numbers of rows that are legal; None: any
    ignore: int = 0  # emissions at the start that do not count
    warm_up: int = 0  # frames whose emissions do not count
    latency: int | None = None  # frames that an emission comes after its own; compared with what is measured
    rate: Fraction | int | None = None  # frames out for each frame in; the same
    streams: Literal["any", "one at a time"] = "any"  # one at a time: the stream lives in its module
    clip_between: bool = True  # the clip function may run between two steps
    within: float | None = None  # a distance that is accepted, and never called equal
    suspects: Callable[[], Iterable[Suspect]] | None = None  # what to try where clip and stream differ

    in_file: bool = False  # an exported file holds the weights of the stream

    @property
    def undrawn(self) -> str:
        """Why weights are not drawn, where no modules are named."""
        return "the file holds its weights" if self.in_file else "the subject names no modules"

    @property
    def layout(self) -> Inputs:
        """The axes of all inputs."""
        fixed = frozenset(name for name in (self.positions, self.valid) if name is not None)
        return Inputs(
            axes_of(self.time, self.example, "Subject.time"), axes_of(self.batch, self.example, "Subject.batch"), fixed
        )

    def outputs(self) -> Outputs:
        """How outputs are read."""
        return Outputs(self.select, self.layout.time_axis if self.output_time is None else self.output_time)
