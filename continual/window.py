"""Layers with a window in time: a ring of the last input frames, and an output computed when it is due, once.

Padded position q is frame `q - P_start`. Output j sees the positions `j S + k D`, k = 0 .. K-1, and is due when the
last of them has been fed. Zero padding is never fed to anything: such a tap is None. Replicated padding is the first
(last) frame again; reflected padding waits for the frames that it mirrors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from coequal.continual.ring import listed, ring_of, written
from coequal.continual.streaming import State, Streaming
from coequal.reference.timing import Timing

Tensor = torch.Tensor
Taps = list[Any]  # input frames, or None where the window lies in zero padding


@dataclass(frozen=True)
class Geometry:
    """Window in time: kernel, stride, dilation, padding at the start and at the end, its mode; all in frames."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    start: int = 0
    end: int = 0
    mode: str = "zeros"

    @property
    def reach(self) -> int:
        """Receptive field."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def kept(self) -> int:
        """Frames that a ring must hold."""
        return max(self.reach, self.end + 1 if self.mode == "reflect" else 1)

    @property
    def timing(self) -> Timing:
        """As the reference's."""
        return Timing(self.reach, self.stride, self.start, self.end)


class Windowed(Streaming):
    """Mixin: `geometry`, `enter` (what is kept of a frame), `combine` (the output of a window)."""

    @property
    def geometry(self) -> Geometry:
        """The window in time."""
        raise NotImplementedError

    @property
    def timing(self) -> Timing:
        """In frames."""
        return self.geometry.timing

    def enter(self, frame: Tensor) -> Tensor:
        """What the ring keeps of a frame: a copy, since the caller may overwrite his."""
        return frame.clone()

    def copied(self, frame: Tensor) -> Tensor:
        """What a ring in one tensor copies of a frame."""
        return self.enter(frame)

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The output of one window; at least one tap is a frame."""
        raise NotImplementedError

    def of_ring(self, frames: Tensor, places: Tensor, state: State) -> Tensor:
        """The output of a window whose frames lie at these places of a ring `(B, C, K, ...)`, the oldest first."""
        return self.combine(list(frames.index_select(2, places).unbind(2)), state)

    def nothing(self, state: State) -> Tensor:
        """The output of a window that lies in the padding altogether."""
        raise NotImplementedError

    def begin(self, frame: Tensor) -> State:
        """Nothing fed; `like` remembers what frames look like."""
        return {"ring": [], "fed": 0, "seen": 0, "waiting": [], "like": frame.detach().new_zeros(()).expand(frame.shape)}

    def push(self, frame: Any, state: State) -> tuple[list[Tensor], State]:
        """One frame, or None for one of zeros."""
        if "turning" in state:
            if frame is not None:
                return self._turned(frame, state)
            state = unsettled(state)
        kept, geometry = None if frame is None else self.enter(frame), self.geometry
        state["seen"] += 1
        due: list[Tensor] = []
        for item in self._start_padding(kept, state, geometry):
            self._feed(item, state, geometry, due)
        return due, state

    def _start_padding(self, kept: Any, state: State, geometry: Geometry) -> list[Any]:
        """The frame, preceded by the start padding where it is the first (or the last that reflection waited for)."""
        count = geometry.start
        if count == 0 or state["seen"] > count + 1 or (state["seen"] > 1 and geometry.mode != "reflect"):
            return [kept]
        if geometry.mode == "zeros":
            return [*[None] * count, kept]
        if geometry.mode == "replicate":
            return [*[kept] * count, kept]
        state["waiting"].append(kept)
        if state["seen"] <= count:
            return []
        waited, state["waiting"] = state["waiting"], []
        return [*waited[:0:-1], *waited]

    def _feed(self, item: Any, state: State, geometry: Geometry, due: list[Tensor]) -> None:
        """One padded position; appends the output that is due with it."""
        ring = state["ring"]
        ring.append(item)
        if len(ring) > geometry.kept:
            del ring[0]
        state["fed"] += 1
        late = state["fed"] - geometry.reach
        if late >= 0 and late % geometry.stride == 0:
            due.append(self._output(ring[len(ring) - geometry.reach :: geometry.dilation], state))

    def _output(self, taps: Taps, state: State) -> Tensor:
        return self.nothing(state) if all(tap is None for tap in taps) else self.combine(taps, state)

    def settled(self, state: State) -> State:
        """A full ring in one tensor; none where no later output sees a frame."""
        ring, g = state["ring"], self.geometry
        if (g.kept, g.start, g.end) == (1, 0, 0):
            return {**state, "ring": [], "turning": None}
        if len(ring) < g.kept or state["waiting"] or any(item is None for item in ring):
            return state
        return {**state, "ring": [], "turning": ring_of(ring)}

    def _turned(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame into such a ring."""
        ring, geometry, item = state["turning"], self.geometry, self.copied(frame)
        ring = None if ring is None else written(ring, item)
        state = {**state, "turning": ring, "seen": state["seen"] + 1, "fed": state["fed"] + 1}
        if (state["fed"] - geometry.reach) % geometry.stride:
            return [], state
        if ring is None:
            return [self.combine([item], state)], state
        every = geometry.kept == geometry.kernel
        places = ring["slots"] if every else ring["slots"][geometry.kept - geometry.reach :: geometry.dilation]
        return [self.of_ring(ring["frames"], places, state)], state

    def finish(self, state: State) -> list[Tensor]:
        """End padding, as in clip mode; nothing for a clip that clip mode refuses."""
        state = unsettled(state)
        geometry, ring, due = self.geometry, state["ring"], list[Tensor]()
        if state["seen"] == 0 or (geometry.mode == "reflect" and state["seen"] <= max(geometry.start, geometry.end)):
            return due
        last = len(ring) - 1
        for count in range(geometry.end):
            if geometry.mode == "zeros":
                item = None
            elif geometry.mode == "replicate":
                item = ring[-1]
            else:
                item = state.setdefault("mirror", list(ring))[last - 1 - count]
            self._feed(item, state, geometry, due)
        return due


def unsettled(state: State) -> State:
    """A ring as a list of frames again."""
    if "turning" not in state:
        return state
    ring = state["turning"]
    return {key: x for key, x in state.items() if key != "turning"} | {"ring": [] if ring is None else listed(ring)}
