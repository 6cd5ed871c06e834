"""Padding as a layer of its own: torch.nn.ConstantPad / ZeroPad / ReplicationPad / ReflectionPad 1d, 2d, 3d; time is their
first axis.

Before the first frame the start padding is passed on at once, so that a causal convolution after it has no delay. Zeros
before a convolution are passed on as "nothing" (`absent`): the convolution multiplies no padding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from coequal.continual.conversion import plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes, ranked
from coequal.reference import pad as layers
from coequal.reference.timing import Timing

Tensor = torch.Tensor
MODES = {"ZeroPad": "constant", "ConstantPad": "constant", "ReplicationPad": "replicate", "ReflectionPad": "reflect"}


class _Pad(Streaming):
    """What all of them share; `padding` counts from the last axis backwards, as in torch."""

    padding: Any
    absent = False  # the next layer takes None for a frame of zeros

    @property
    def mode(self) -> str:
        """constant, replicate or reflect."""
        return next(mode for name, mode in MODES.items() if type(self).__name__.startswith(name))

    @property
    def value(self) -> float:
        """Of constant padding."""
        return float(self.__dict__.get("value", 0.0))

    @value.setter
    def value(self, value: float) -> None:
        self.__dict__["value"] = value

    @property
    def _ends(self) -> tuple[int, int]:
        return self.padding[-2], self.padding[-1]

    @property
    def timing(self) -> Timing:
        """One frame in, one out, later by the start padding."""
        return Timing(1, 1, *self._ends)

    def begin(self, frame: Tensor) -> State:
        """Nothing fed."""
        return {"seen": 0, "recent": []}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """The frame padded in space; at the start the padding in time before it."""
        (start, end), mode = self._ends, self.mode
        kept, state["seen"] = self._in_space(frame), state["seen"] + 1
        recent = state["recent"]
        recent.append(kept)
        waits = start if mode == "reflect" else 0
        if state["seen"] <= waits:
            return [], state
        if state["seen"] > waits + 1:
            due = [kept]
        elif mode == "constant":
            due = [*[self._constant(kept)] * start, kept]
        elif mode == "replicate":
            due = [*[kept] * start, kept]
        else:
            due = [*recent[:0:-1], *recent] if start else [kept]
        del recent[: max(0, len(recent) - end - 1)]
        return due, state

    def finish(self, state: State) -> list[Tensor]:
        """The end padding; nothing for a clip that clip mode refuses."""
        (start, end), recent, mode = self._ends, state["recent"], self.mode
        if state["seen"] == 0 or (mode == "reflect" and state["seen"] <= max(start, end)):
            return []
        if mode == "constant":
            return [self._constant(recent[-1])] * end
        if mode == "replicate":
            return [recent[-1]] * end
        return [recent[-2 - i] for i in range(end)]

    def _constant(self, like: Tensor) -> Any:
        return None if self.absent and self.value == 0 else torch.full_like(like, self.value)

    def _in_space(self, frame: Tensor) -> Tensor:
        """A copy of the frame, padded over its other axes."""
        space = tuple(self.padding[:-2])
        if not any(space):
            return frame.clone()
        return F.pad(frame, space, self.mode, self.value) if self.mode == "constant" else F.pad(frame, space, self.mode)


def _classes() -> dict[str, type]:
    """One class for each of torch.nn's, of the same name."""
    found: dict[str, type] = {}
    for kind in MODES:
        for rank in (1, 2, 3):
            parent = getattr(nn, f"{kind}{rank}d")
            found[parent.__name__] = type(
                parent.__name__, (_Pad, parent), {"__doc__": f"torch.nn.{parent.__name__}.", "__module__": __name__}
            )
    return found


PADS = _classes()
globals().update(PADS)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({getattr(nn, name): kind for name, kind in PADS.items()})


@makes
def _(layer: layers.Pad) -> nn.Module:
    flat = [side for pair in reversed(layer.padding) for side in pair]  # torch counts axes from the last
    rank = len(layer.padding)
    if layer.mode == "constant":
        return ranked("ConstantPad", rank)(flat, layer.value)
    return ranked({"replicate": "ReplicationPad", "reflect": "ReflectionPad", "circular": "CircularPad"}[layer.mode], rank)(
        flat
    )
