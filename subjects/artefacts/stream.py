"""A step with explicit states as a stream: the states are all that it remembers; each step gets what the last one gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from coequal.subjects.artefacts.program import Formats, Port, Program, own_format
from coequal.subjects.artefacts.states import Pairs
from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor


@dataclass(frozen=True)
class Wiring:
    """How a step is fed: pairs of states, the axis of time in frames that keep it (None: they do not), beginnings."""

    program: Program
    pairs: Pairs
    initial: Mapping[str, Tensor]
    kept: int | None = None  # the axis of time of a frame that the step takes
    kept_out: tuple[int | None, ...] = ()  # the same of what it emits, for each
    rows: int | None = 0  # the axis of the batch in frames

    def begun(self, frames: tuple[Tensor, ...]) -> list[Tensor]:
        """The states before the first frame: given ones, or zeros of the shape that the step declares."""
        lead = self.program.inputs[self.pairs.data[0]]
        floats = next((x for x in frames if x.is_floating_point()), None)
        own = own_format(self.program.inputs)
        formats = Formats(own, own if floats is None else floats.dtype)
        sizes = _bound(lead, frames[0])
        return [self._state(self.program.inputs[i], sizes, formats, frames[0].device) for i in self.pairs.ins]

    def _state(self, port: Port, sizes: Mapping[str, int], formats: Formats, device: torch.device) -> Tensor:
        given = self.initial.get(port.name)
        if given is not None:
            state = given.to(device, formats.of(given.dtype) if given.is_floating_point() else given.dtype)
            if port.shape is not None and len(port.shape) == state.dim():  # one row is meant for all
                wanted = [sizes.get(n, m) if isinstance(n, str) else m for n, m in zip(port.shape, state.shape, strict=True)]
                state = state.expand([w if m == 1 else m for w, m in zip(wanted, state.shape, strict=True)])
            return state.clone()
        if port.shape is None:
            raise BadSubject(
                f"the step does not say what shape the state {port} has: give what it begins with by --initial FILE.pt"
            )
        return torch.zeros([_known(port, n, sizes) for n in port.shape], dtype=formats.of(port.dtype), device=device)


def _bound(port: Port, frame: Tensor) -> dict[str, int]:
    """What the named sizes of an input are."""
    return (
        {}
        if port.shape is None
        else {size: n for size, n in zip(port.shape, frame.shape, strict=False) if isinstance(size, str)}
    )


def _known(port: Port, size: Any, sizes: Mapping[str, int]) -> int:
    found = sizes.get(size) if isinstance(size, str) else size
    if found is None:
        raise BadSubject(
            f"the state {port} has no size to begin with: {size or 'one'} is not known from the frame. Give what it begins"
            " with by --initial FILE.pt"
        )
    return found


class StepStream:
    """`step(frame)` calls the program with frame and states, and keeps the states that it returns."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.states: list[Tensor] | None = None

    def step(self, *frames: Tensor) -> Any:
        """What the program emits for one frame: a tensor, or several in a tuple."""
        wiring = self.wiring
        if wiring.kept is not None:
            frames = tuple(frame.unsqueeze(wiring.kept) for frame in frames)
        emitted = self._called(frames)
        kept = wiring.kept_out or (None,) * len(emitted)
        frames_out = [x if axis is None else x.squeeze(axis) for x, axis in zip(emitted, kept, strict=True)]
        return frames_out[0] if len(frames_out) == 1 else tuple(frames_out)

    def once(self, frames: tuple[Tensor, ...]) -> list[Tensor]:
        """What the program emits for frames as it takes them."""
        return self._called(frames)

    def _called(self, frames: tuple[Tensor, ...]) -> list[Tensor]:
        pairs = self.wiring.pairs
        states = self.wiring.begun(frames) if self.states is None else self.states
        given = dict(zip(pairs.data, frames, strict=True)) | dict(zip(pairs.ins, states, strict=True))
        results = self.wiring.program(*(given[i] for i in range(len(given))))
        self.states = [results[i].clone() for i in pairs.outs]
        return [results[i].clone() for i in pairs.emitted]

    @property
    def state(self) -> list[Tensor] | None:
        """What it remembers: a list of tensors; None before the first frame."""
        return self.states

    @state.setter
    def state(self, states: list[Tensor] | None) -> None:
        self.states = states

    def __deepcopy__(self, memo: dict) -> StepStream:
        twin = type(self)(self.wiring)
        twin.states = None if self.states is None else [state.clone() for state in self.states]
        return twin


class ChunkStream(StepStream):
    """A step that takes several frames at once."""

    def chunk(self, *frames: Tensor) -> Any:
        """The same for frames that keep the axis of time."""
        emitted = self._called(frames)
        return emitted[0] if len(emitted) == 1 else tuple(emitted)


def the_states_of_the_step(stream: StepStream) -> list[Tensor]:
    """All that a step with explicit states remembers: its graph is made of operations that remember nothing."""
    return [] if stream.states is None else list(stream.states)
