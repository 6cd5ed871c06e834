"""Containers a frame at a time: one layer after the other, side by side, around a shortcut.

Branches have different delays: every branch has a queue, and a frame is combined when each has given it. No delay has to be
computed for that, so it cannot be computed wrong. Clip mode is that of the parent class.
"""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.clip_modules import REDUCTIONS
from coequal.continual.conv import _Conv
from coequal.continual.conversion import How, NotStreamable, converted, register, twin
from coequal.continual.pad import PADS
from coequal.continual.streaming import State, Streaming, begin, finish, push, settled
from coequal.continual.to_torch import makes, regular
from coequal.reference import compose as layers
from coequal.reference.timing import Timing

__all__ = ["Parallel", "Residual", "Sequential"]

Tensor = torch.Tensor


class _Container(Streaming):
    """What containers share: the time axis, and the window that a layer inside may have."""

    @property
    def _parts(self) -> list[Any]:
        raise NotImplementedError

    @property
    def time(self) -> int | None:  # type: ignore[override]
        """The time axis that the layers agree on; ValueError when they do not."""
        axes = {part.time for part in self._parts} - {None}
        if len(axes) > 1:
            raise ValueError(
                f"{type(self).__name__}: layers must agree on the time axis, got {sorted(axes)}"
                " (2 is (B, C, T, ...), 1 is (B, T, E)): transpose between them"
            )
        return next(iter(axes), None)

    @property
    def _windowed(self) -> Any:
        """The last layer whose emissions stand for a window, not for the stream."""
        return next((part for part in reversed(self._parts) if getattr(part, "emits", "frames") != "frames"), None)

    @property
    def window(self) -> int | None:
        """Frames of that layer's window."""
        return None if self._windowed is None else self._windowed.window

    @property
    def emits(self) -> str:
        """What that layer emits."""
        return "frames" if self._windowed is None else self._windowed.emits


class Sequential(_Container, nn.Sequential):
    """torch.nn.Sequential of continual modules."""

    @property
    def _parts(self) -> list[Any]:
        return list(self)

    @property
    def timing(self) -> Timing:
        """The layers' composed."""
        return functools.reduce(Timing.then, (part.timing for part in self._parts), Timing())

    def begin(self, frame: Tensor) -> State:
        """A layer's state starts with the first frame it is given."""
        return [None] * len(self)

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame through the layers, as far as it comes."""
        frames: list[Any] = [frame]
        for i, part in enumerate(self._modules.values()):
            frames = _through(part, frames, state, i)
            if not frames:
                break
        return frames, state

    def settled(self, state: State) -> State:
        """Each layer's."""
        return [held and [settled(part, held[0])] for part, held in zip(self, state, strict=True)]

    def finish(self, state: State) -> list[Tensor]:
        """Each layer's owed frames through the layers after it."""
        frames: list[Any] = []
        for i, part in enumerate(self._modules.values()):
            frames = _through(part, frames, state, i)
            if state[i] is not None:
                frames += finish(part, state[i][0])
        return frames


def _through(part: Any, frames: list[Any], state: list[Any], i: int) -> list[Tensor]:
    """Frames through one layer; its state, in a list of one, is made when the first real frame is there."""
    if not frames:
        return []
    if state[i] is None:
        state[i] = [begin(part, next(frame for frame in frames if frame is not None))]
    due: list[Tensor] = []
    for frame in frames:
        outputs, state[i][0] = push(part, frame, state[i][0])
        due += outputs
    return due


class _SideBySide(_Container):
    """Queues of the branches, combined frame by frame."""

    reduce: str
    channel_axis: int
    branches: list[Any]

    @property
    def _parts(self) -> list[Any]:
        return self.branches

    @property
    def timing(self) -> Timing:
        """The union of the branches'."""
        return functools.reduce(Timing.beside, (part.timing for part in self.branches))

    def begin(self, frame: Tensor) -> State:
        """Every branch's state and an empty queue for each."""
        return {"branches": [begin(part, frame) for part in self.branches], "queues": [[] for _ in self.branches]}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame into every branch; what all of them have given comes out."""
        for i, part in enumerate(self.branches):
            outputs, state["branches"][i] = push(part, frame, state["branches"][i])
            state["queues"][i] += outputs
        return self._combined(state["queues"]), state

    def settled(self, state: State) -> State:
        """Every branch's."""
        return {**state, "branches": [settled(part, s) for part, s in zip(self.branches, state["branches"], strict=True)]}

    def finish(self, state: State) -> list[Tensor]:
        """Every branch's owed frames, combined."""
        for i, part in enumerate(self.branches):
            state["queues"][i] += finish(part, state["branches"][i])
        return self._combined(state["queues"])

    def _combined(self, queues: list[list[Tensor]]) -> list[Tensor]:
        due = []
        while all(queues):
            due.append(self._reduced([queue.pop(0) for queue in queues]))
        return due

    def _reduced(self, frames: list[Tensor]) -> Tensor:
        """The branches' frames as one; a sum is made in the memory of the first, which no branch holds any more."""
        first, *others = frames
        if (
            self.reduce != "sum"
            or torch.is_grad_enabled()
            or any(f.shape != first.shape or f.dtype != first.dtype for f in others)
        ):
            return REDUCTIONS[self.reduce](frames, self.channel_axis)
        return functools.reduce(Tensor.add_, others, first)


class Parallel(_SideBySide, clip_modules.Parallel):
    """`coequal.continual.clip_modules.Parallel` of continual modules."""


class Residual(_SideBySide, clip_modules.Residual):
    """`coequal.continual.clip_modules.Residual` of continual modules."""


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(nn.Sequential)
def _(module: nn.Sequential, how: How) -> Sequential:
    children = {name: converted(child, how.at(name)) for name, child in module.named_children()}
    parts = list(children.values())
    for before, after in itertools.pairwise(parts):
        if type(before).__name__ in PADS and before.mode == "constant" and isinstance(after, _Conv):
            before.absent = before.value == 0 and after.geometry.start == 0
    return _agreeing(twin(module, Sequential, _modules=children), how)


@register(clip_modules.Residual)
@register(clip_modules.Parallel)
def _(module: clip_modules.SideBySide, how: How) -> Any:
    children = {name: converted(child, how.at(name)) for name, child in module.named_children()}
    kind = Residual if isinstance(module, clip_modules.Residual) else Parallel
    made = _agreeing(twin(module, kind, _modules=children), how)
    strides = {name: child.timing.stride for name, child in children.items()}
    if len(set(strides.values())) > 1:
        raise NotStreamable(
            how.path, module, f"its branches have different strides in time, {strides}", "make them the same"
        )
    return made


def _agreeing(made: Any, how: How) -> Any:
    """The container, once its layers agree on the time axis."""
    try:
        made.time  # noqa: B018
    except ValueError as error:
        raise NotStreamable(how.path, made, str(error), "transpose between them") from None
    return made


@makes
def _(layer: layers.Identity) -> nn.Module:
    return nn.Identity()


@makes
def _(layer: layers.Sequential) -> nn.Module:
    return nn.Sequential(OrderedDict((str(i), regular(child)) for i, child in enumerate(layer.layers)))


@makes
def _(layer: layers.Parallel) -> nn.Module:
    return clip_modules.Parallel(*map(regular, layer.layers), reduce=layer.reduce, channel_axis=_channels(layer))


@makes
def _(layer: layers.Residual) -> nn.Module:
    shortcut = None if layer.shortcut is None else regular(layer.shortcut)
    return clip_modules.Residual(regular(layer.main), shortcut, layer.reduce, _channels(layer))


def _channels(layer: Any) -> int:
    return -1 if layer.time == 1 else 1
