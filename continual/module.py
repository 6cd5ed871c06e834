"""The protocol of a continual module: explicit state, one frame in, at most one frame out.

A continual module is the torch.nn module it replaces (a subclass: same constructor, parameters, state_dict, and `forward` on
whole clips) plus four members. State never lives in the module, so one module serves many streams; a state is a tree of
tensors, lists, tuples, dictionaries, numbers and None, so that `copy.deepcopy(state)` forks a stream. `step` consumes the
state it is given: it may update it in place.

A step returns at most one frame. A layer that would owe several at once (long start padding) holds them and emits one a
step; `flush` returns what is still owed, end padding included, after which the state is spent.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol, runtime_checkable

import torch

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

    >>> import torch
    >>> from coequal.continual.conv import Conv1d
    >>> stream = Stream(Conv1d(1, 1, kernel_size=3, padding=1))
    >>> [frame is None for frame in (stream.push(torch.zeros(1, 1)), stream.push(torch.zeros(1, 1)))]
    [True, False]
    >>> len(stream.flush())
    1
    """

    def __init__(self, module: Continual) -> None:
        self.module = module
        self.state: State = None
        self._started = False

    def push(self, frame: Tensor) -> Tensor | None:
        """Feed one frame `(B, ...)`, time axis removed; the output frame, or None while none is due."""
        if not self._started:
            self.state, self._started = self.module.start(frame), True
        output, self.state = self.module.step(frame, self.state)
        return output

    step = push

    def flush(self) -> list[Tensor]:
        """End the stream: what end padding still owes; the next push starts a new stream."""
        owed = self.module.flush(self.state) if self._started else []
        self.reset()
        return owed

    def reset(self) -> None:
        """Forget everything: the next push starts a new stream."""
        self.state, self._started = None, False

    def fork(self) -> Stream:
        """An independent stream that has seen the same frames."""
        twin = Stream(self.module)
        twin.state, twin._started = copy.deepcopy(self.state), self._started
        return twin
