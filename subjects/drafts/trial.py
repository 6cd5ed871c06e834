"""What comes of a way: its stream beside its clip function, on the example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from coequal.subjects.drafts.code import RAW, Way
from coequal.subjects.drafts.compare import compared, same
from coequal.subjects.drafts.layouts import Layout
from coequal.subjects.drafts.play import Raised, clip_on, frames_of, guarded, made, pieces, played
from coequal.subjects.drafts.returned import Take, takes

Tensor = torch.Tensor
EARLY = 2  # calls: the first takes the state as it begins, the second takes what the first gave


@dataclass(frozen=True)
class Outcome:
    """What came of a way. `fits`: its first calls did not raise, and gave frames as the clip has them."""

    way: Way
    fits: bool
    words: str
    frames: list[Tensor] = field(default_factory=list, compare=False)
    clip: list[Tensor] = field(default_factory=list, compare=False)

    def agrees(self) -> bool | None:
        """Whether the frames are the clip's; None where there is nothing to compare. It is said, and decides nothing."""
        return None if not self.fits or not self.clip else same(self.frames, self.clip)


def readings(module: nn.Module, way: Way) -> Iterator[Way]:
    """The way with all that depends on what comes back: from the clip, and from the first call that gives anything."""
    value, handed = _first(module, replace(way, take=RAW, gives=True))
    whole = None if way.clip is None else _quietly(lambda: _called(module, replace(way, clip=RAW)))
    for take in takes(value, tuple(one.name for one in way.entry.roles.states), handed):
        output = take.of(value)
        clip = None if way.clip is None else _clip_take(whole, take)
        found = replace(way, take=take, clip=clip, gives=way.keeps)
        if whole is not None and clip is not None:
            expected, length = clip.of(whole), way.layout.sizes[way.layout.time]
            if isinstance(expected, Tensor) and isinstance(output, Tensor):
                found = replace(found, gives=output.dim() == expected.dim())
                found = replace(found, output_time=_output_time(expected, way.layout.time, length))
        yield found


def tried(module: nn.Module, way: Way) -> Outcome:
    """What comes of a way, in double precision where the module can, in its own where it cannot."""
    double = _tried(module, way, torch.float64)
    return double if double.fits else _tried(module, way, None)


def _tried(module: nn.Module, way: Way, dtype: torch.dtype | None) -> Outcome:
    try:
        names, x = made(module, way, dtype)
        clip = [] if way.clip is None else frames_of(clip_on(names, x), way)
        frames = played(names, way, x, single=True)
    except Raised as error:
        late = error.calls > EARLY
        return Outcome(way, late, f"raised {error}" + (f", after {error.calls - 1} calls" if late else ""))
    if frames and clip and frames[0].shape != clip[0].shape:
        return Outcome(way, False, f"gives frames of shape {tuple(frames[0].shape)}, the clip's are {tuple(clip[0].shape)}")
    if way.entry.roles.states and _forgot(names):
        return Outcome(way, False, "hands on no state: it is None, or as empty as it began")
    said = [compared(frames, clip) if clip else f"runs: {len(frames)} frames; there is no clip function to compare with"]
    if not way.fresh.copied:
        said += _again(names, way, x, frames)
    return Outcome(way, True, "; ".join(said), frames, clip)


def _forgot(names: dict[str, Any]) -> bool:
    """Whether the stream that was played last had None or nothing for its states in the end."""
    return all(value is None or (isinstance(value, (list, tuple, dict)) and not value) for value in names["last"])


def handed_on(module: nn.Module, way: Way, calls: int) -> Any:
    """The state after so many calls; None where there is none, or a call raises."""
    try:
        names, x = made(module, way)
        stream = guarded(names["Stream"], 1)
        for frame in pieces(way, x, single=True)[:calls]:
            guarded(getattr(stream, "chunk" if way.chunked else "step"), 1, frame)
    except Raised:
        return None
    return getattr(stream, way.entry.roles.states[0].name, None)


def plain_clip(module: nn.Module, kept: Outcome) -> str:
    """What the clip function gives if its arguments are left at their defaults; "" where that is the same."""
    dtype = kept.clip[0].dtype if kept.clip and kept.clip[0].is_floating_point() else None
    try:
        plain = frames_of(clip_on(*made(module, kept.way, dtype, off=False)), kept.way)
        clip = frames_of(clip_on(*made(module, kept.way, dtype)), kept.way)
    except Raised as error:
        return f"raised {error}"
    return "" if same(plain, clip) else compared(plain, clip)


def several_of(module: nn.Module, kept: Outcome) -> tuple[str, bool]:
    """What comes of several frames at once, "" where it is the same; and whether they raise."""
    dtype = kept.frames[0].dtype if kept.frames and kept.frames[0].is_floating_point() else None
    try:
        names, x = made(module, kept.way, dtype)
        single = played(names, kept.way, x, single=True)
        names, x = made(module, kept.way, dtype)
        frames = played(names, kept.way, x, single=False)
    except Raised as error:
        return f"raised {error}", True
    if same(single, frames) or not single:
        return "", False
    return f"give other values: {compared(frames, single, 'the single frame')}", False


def _quietly(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Raised:
        return None


def _called(module: nn.Module, way: Way) -> Any:
    names, x = made(module, way)
    return guarded(names["clip"], 1, x)


def _clip_take(whole: Any, take: Take) -> Take:
    if isinstance(whole, (tuple, list)) and take.output in ("[0]", "[1]"):
        return Take(take.output, (), "")
    return next(iter(takes(whole, ())), RAW)


def _output_time(output: Tensor, time: int, length: int) -> int:
    """The axis of the clip's output that is as long as the clip; its own time axis, where none or several are."""
    axes = [axis for axis, size in enumerate(output.shape) if size == length]
    return axes[0] if len(axes) == 1 else min(time, max(output.dim() - 1, 0))


def _first(module: nn.Module, way: Way) -> tuple[Any, tuple[Any, ...]]:
    """What the first call gives that gives anything, and the states that were handed over."""
    names, x = made(module, way)
    stream, value = guarded(names["Stream"], 1), None
    for index, frame in enumerate(pieces(way, x, single=True)):
        value = guarded(getattr(stream, "chunk" if way.chunked else "step"), index + 1, frame)
        if value is not None:
            break
    return value, tuple(getattr(stream, one.name, None) for one in way.entry.roles.states)


def _again(names: dict[str, Any], way: Way, x: Tensor, frames: list[Tensor]) -> list[str]:
    """What a second stream in the same module gives, if anything else."""
    try:
        again = played(names, way, x, single=True)
    except Raised as error:
        return [f"a second stream in the same module raised {error}"]
    return [] if same(frames, again) or not frames else ["A SECOND STREAM IN THE SAME MODULE GIVES OTHER VALUES"]


def runs(module: nn.Module, way: Way, layout: Layout) -> str:
    """What the clip function says of a layout: "" where it takes the example."""
    try:
        _called(module, replace(way, layout=layout, clip=RAW))
    except Raised as error:
        return str(error)
    return ""
