"""What comes of a way: its Python is run on the example, beside the clip, on a copy of the module."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from coequal.subjects.drafts.code import RAW, Way, clip_source, stream_source
from coequal.subjects.drafts.layouts import Layout
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


class Raised(Exception):
    """The user's code did, after so many calls."""

    def __init__(self, error: BaseException, calls: int) -> None:
        lines = str(error).strip().splitlines()
        super().__init__(f"{type(error).__name__}: {lines[0][:100] if lines else '(no message)'}")
        self.calls = calls


def clip_of(module: nn.Module, way: Way) -> Tensor:
    """The output of the clip function on the example. Raised where it raises, or gives no tensor."""
    names, x = _names(module, way)
    return _clip(names, x)


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
        names, x = _names(module, way, dtype)
        clip = [] if way.clip is None else list(_clip(names, x).unbind(way.output_time))
        frames = _played(names, way, x, single=True)
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
        names, x = _names(module, way)
        stream = _guarded(names["Stream"], 1)
        for frame in _pieces(way, x, single=True)[:calls]:
            _guarded(getattr(stream, "chunk" if way.chunked else "step"), 1, frame)
    except Raised:
        return None
    return getattr(stream, way.entry.roles.states[0].name, None)


def plain_clip(module: nn.Module, kept: Outcome) -> str:
    """What the clip function gives if its arguments are left at their defaults; "" where that is the same."""
    x = kept.way.layout.example()
    names = {"torch": torch, "module": copy.deepcopy(module), **dict(kept.way.start.names)}
    exec(clip_source(module, kept.way, off=False), names)
    try:
        plain = list(_clip(names, x).double().unbind(kept.way.output_time))
    except Raised as error:
        return f"raised {error}"
    off = [each.double() for each in clip_of(module, kept.way).unbind(kept.way.output_time)]
    return "" if same([each.float() for each in plain], [each.float() for each in off]) else compared(plain, off)


def several_of(module: nn.Module, kept: Outcome) -> tuple[str, bool]:
    """What comes of several frames at once, "" where it is the same; and whether they raise."""
    dtype = kept.frames[0].dtype if kept.frames and kept.frames[0].is_floating_point() else None
    try:
        names, x = _names(module, kept.way, dtype)
        single = _played(names, kept.way, x, single=True)
        names, x = _names(module, kept.way, dtype)
        frames = _played(names, kept.way, x, single=False)
    except Raised as error:
        return f"raised {error}", True
    return "" if same(
        single, frames
    ) or not single else f"give other values: {compared(frames, single, 'the single frame')}", False


def compared(frames: list[Tensor], clip: list[Tensor], other: str = "the clip") -> str:
    """How far the frames of a stream are from the clip's, in words."""
    count = f"{len(frames)} frames for {other}'s {len(clip)}"
    if not frames:
        return count
    off = distance(frames, clip)
    return f"{count}, " + ("the same numbers" if off == 0 else f"off by {off:.1e} of {other}'s largest value")


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference of frames of the same index, over the largest value of the other."""
    pairs = [(a.double(), b.double()) for a, b in zip(one, other, strict=False) if a.shape == b.shape]
    off = max((float((a - b).abs().max()) for a, b in pairs if a.numel()), default=math.nan)
    largest = max((float(b.abs().max()) for _, b in pairs if b.numel()), default=1.0)
    return math.inf if math.isnan(off) else off / (largest or 1.0)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two runs agree in half of the digits of their format. Words of a comment hang on it: no verdict, no choice."""
    if len(one) != len(other) or not one:
        return False
    return distance(one, other) <= torch.finfo(one[0].dtype if one[0].is_floating_point() else torch.float32).eps ** 0.5


# -- running Python of a way -------------------------------------------------------------------------------------------


def _names(module: nn.Module, way: Way, dtype: torch.dtype | None = None) -> tuple[dict[str, Any], Tensor]:
    """The names that the Python of a way makes, on a copy of the module; and the example."""
    try:
        twin = copy.deepcopy(module)
    except Exception:  # what cannot be copied is used as it is
        twin = module
    x = way.layout.example()
    if dtype is not None and twin is not module:
        twin, x = twin.to(dtype), x.to(dtype) if x.is_floating_point() else x
    names = {"torch": torch, "copy": copy, "module": twin, **dict(way.start.names)}
    exec(f"{clip_source(module, way)}\n{stream_source(way)}", names)
    return names, x


def _guarded(call: Callable[..., Any], calls: int, *arguments: Any) -> Any:
    try:
        with torch.no_grad():
            return call(*arguments)
    except (Exception, SystemExit) as error:
        raise Raised(error, calls) from error


def _quietly(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Raised:
        return None


def _called(module: nn.Module, way: Way) -> Any:
    names, x = _names(module, way)
    return _guarded(names["clip"], 1, x)


def _clip(names: dict[str, Any], x: Tensor) -> Tensor:
    output = _guarded(names["clip"], 1, x.clone())
    if not isinstance(output, Tensor):
        raise Raised(TypeError(f"the clip gives {type(output).__name__}"), 1)
    return output


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
    names, x = _names(module, way)
    stream, value = _guarded(names["Stream"], 1), None
    for index, frame in enumerate(_pieces(way, x, single=True)):
        value = _guarded(getattr(stream, "chunk" if way.chunked else "step"), index + 1, frame)
        if value is not None:
            break
    return value, tuple(getattr(stream, one.name, None) for one in way.entry.roles.states)


def _pieces(way: Way, x: Tensor, single: bool) -> list[Tensor]:
    time = way.layout.time
    if not way.chunked:
        return list(x.unbind(time))
    return list(x.split(1 if single else max(x.shape[time] // 2 - 1, 2), time))


def _played(names: dict[str, Any], way: Way, x: Tensor, *, single: bool) -> list[Tensor]:
    stream, frames = _guarded(names["Stream"], 1), list[Tensor]()
    for index, piece in enumerate(_pieces(way, x, single)):
        output = _guarded(getattr(stream, "chunk" if way.chunked else "step"), index + 1, piece.clone())
        if output is not None and not isinstance(output, Tensor):
            raise Raised(TypeError(f"the stream gives {type(output).__name__}"), 1)
        if output is not None and output.numel():
            frames += list(output.clone().unbind(way.output_time)) if way.chunked else [output.clone()]
    names["last"] = [getattr(stream, one.name, None) for one in way.entry.roles.states]
    return frames


def _again(names: dict[str, Any], way: Way, x: Tensor, frames: list[Tensor]) -> list[str]:
    """What a second stream in the same module gives, if anything else."""
    try:
        again = _played(names, way, x, single=True)
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
