"""The protocol of a continual module: explicit state, one frame in, at most one frame out.

A continual module is the torch.nn module it replaces (a subclass: same constructor, parameters, state_dict, and `forward` on
whole clips) plus four members. State never lives in the module, so one module serves many streams; a state is a tree of
tensors, lists, tuples, dictionaries, numbers and None, so that `copy.deepcopy(state)` forks a stream. `step` consumes the
state it is given: it may update it in place.

A step returns at most one frame. A layer that would owe several at once (long start padding) holds them and emits one a
step; `flush` returns what is still owed, end padding included, after which the state is spent.
"""

from __future__ import annotations

import contextlib
import copy
import math
from typing import Any, Protocol, runtime_checkable

import torch

from coequal.continual.captured import Captured
from coequal.reference.timing import Timing

__all__ = ["Continual", "Stream"]

Tensor = torch.Tensor
State = Any


@runtime_checkable
class Continual(Protocol):
    """What `torch.nn.Module` subclasses of this package add to their parent."""

    @property
    def time(self) -> int | None:
        """Time axis of the clips that `forward` takes (2 for `(B, C, T, ...)`, 1 for `(B, T, E)`), None: any."""

    @property
    def timing(self) -> Timing:
        """Receptive field, stride, start and end padding in frames."""
        ...

    def start(self, frame: Tensor) -> State:
        """State of a stream that has seen nothing; `frame` gives batch size, space, dtype and device only."""

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Feed one frame (a clip without its time axis); the output frame, or None while none is due."""
        ...

    def flush(self, state: State) -> list[Tensor]:
        """End of the stream: the frames that end padding still owes, in order."""
        ...


class Stream:
    """A continual module with its state: push frames, flush, reset, fork.

    With `graph` the memory stays at fixed addresses once its rings are full, and each step is the same operations on it: on
    a GPU a CUDA graph that is replayed (`continual/captured.py`). It records no gradients, takes frames of one shape, reads
    weights where they were, and is for modules that emit for every frame; ValueError says what about one is not so.

    >>> import torch
    >>> from coequal.continual.conv import Conv1d
    >>> stream = Stream(Conv1d(1, 1, kernel_size=3, padding=1))
    >>> [frame is None for frame in (stream.push(torch.zeros(1, 1)), stream.push(torch.zeros(1, 1)))]
    [True, False]
    >>> len(stream.flush())
    1
    """

    def __init__(self, module: Continual, *, graph: bool = False) -> None:
        self.module, self.graph = module, graph
        self.state: State = None
        self._started = False
        self._fed = 0  # frames, as long as the memory has no final form
        self._captured: Captured | None = None
        self._spare: Captured | None = None  # that of the stream before
        if graph and (module.timing.stride != 1 or getattr(module, "emits", "frames") == "window"):
            raise ValueError(f"Stream(graph=True): {type(module).__name__} does not emit one frame for every frame")

    def push(self, frame: Tensor) -> Tensor | None:
        """Feed one frame `(B, ...)`, time axis removed; the output frame, or None while none is due."""
        if self.graph:
            return self._pushed(frame)
        if not self._started:
            self.state, self._started = self.module.start(frame), True
        output, self.state = self.module.step(frame, self.state)
        return output

    step = push

    @torch.no_grad()
    def _pushed(self, frame: Tensor) -> Tensor | None:
        if self._captured is not None:
            return self._captured.step(frame)
        if not self._started:
            self.state, self._started = self.module.start(frame), True
        output, self.state = self.module.step(frame, self.state)
        self._fed += 1
        if output is not None and self._fed >= _filled(self.module.timing):
            spare, self._spare = self._spare, None
            if spare is None or not spare.begin(self.state):
                spare = Captured(self.module, self.state, frame, output)
            self._captured, self.state = spare, None
        return output

    def flush(self) -> list[Tensor]:
        """End the stream: what end padding still owes; the next push starts a new stream."""
        with torch.no_grad() if self.graph else contextlib.nullcontext():
            owed = self.module.flush(self._now()) if self._started else []
        self.reset()
        return owed

    def reset(self) -> None:
        """Forget everything: the next push starts a new stream."""
        self._spare, self._captured = self._captured or self._spare, None
        self.state, self._started, self._fed = None, False, 0

    def _now(self) -> State:
        return self.state if self._captured is None else self._captured.now()

    def fork(self) -> Stream:
        """An independent stream that has seen the same frames."""
        twin = Stream(self.module, graph=self.graph)
        twin.state, twin._started, twin._fed = copy.deepcopy(self._now()), self._started, self._fed
        return twin


def _filled(timing: Timing) -> int:
    """Frames after which rings are full."""
    return 1 if math.isinf(timing.receptive_field) else int(timing.receptive_field)
