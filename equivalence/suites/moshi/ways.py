"""The ways to run a module of the library: those that its documentation says are the same.

Every stream has the verb `reset(rows)`. A way that cannot be gone raises when the stream begins.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import torch
from hypothesis import strategies as st

from coequal.equivalence.suites.moshi.library import streaming
from coequal.subjects.chunks import Plan
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


class Called:
    """A module in streaming mode: what is handed over, and rows that begin anew."""

    def __init__(self, module: Any, rows: int) -> None:
        self.module, self.rows = module, rows

    def chunk(self, frames: Tensor, *more: Tensor) -> Any:
        """Several frames; a list of outputs is no list of frames."""
        said = self.module(frames, *more)
        return tuple(said) if isinstance(said, list) else said

    def reset(self, rows: Tensor) -> None:
        """By `reset_streaming` with a mask."""
        mask = torch.zeros(self.rows, dtype=torch.bool)
        mask[rows] = True
        self.module.reset_streaming(mask)


class Used(Called):
    """The module has seen other frames before `reset_streaming`."""

    def __init__(self, module: Any, rows: int) -> None:
        super().__init__(module, rows)
        self.fresh = True

    def chunk(self, frames: Tensor, *more: Tensor) -> Any:
        """Several frames."""
        if self.fresh:
            self.module(_others(frames), *more)
            self.module.reset_streaming()
            self.fresh = False
        return super().chunk(frames, *more)


class Masked(Called):
    """Before each call, one with other frames that `set_exec_mask` says are none."""

    def chunk(self, frames: Tensor, *more: Tensor) -> Any:
        """Several frames."""
        self.module.set_exec_mask(torch.zeros(self.rows, dtype=torch.bool))
        self.module(_others(frames), *more)
        self.module.set_exec_mask(torch.ones(self.rows, dtype=torch.bool))
        return super().chunk(frames, *more)


class InTurns(Called):
    """Two streams in one module, whose states are taken out and put back: the other one gets other frames."""

    def __init__(self, module: Any, rows: int) -> None:
        super().__init__(module, rows)
        self.other = copy.deepcopy(module.get_streaming_state())

    def chunk(self, frames: Tensor, *more: Tensor) -> Any:
        """Several frames."""
        own = self.module.get_streaming_state()
        self.module.set_streaming_state(self.other)
        self.module(_others(frames), *more)
        self.other = self.module.get_streaming_state()
        self.module.set_streaming_state(own)
        return super().chunk(frames, *more)


def _others(frames: Tensor) -> Tensor:
    """Frames that are not these."""
    return 1 - 2 * frames


STREAMS: dict[str, type[Called]] = {"reset": Used, "set_exec_mask": Masked, "get_streaming_state": InTurns}
COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
}
WAYS = ("streaming", *STREAMS, *COPIES)
ways = st.sampled_from(WAYS)


class Within(streaming.StreamingModule):  # type: ignore[misc]
    """A module without `streaming`, as a part of one that has it."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def _init_streaming_state(self, batch_size: int) -> Any:
        return streaming.State(batch_size, torch.device("cpu"))

    def forward(self, *inputs: Any) -> Any:
        """As the module."""
        return self.module(*inputs)


def _supported(module: Any, rows: int) -> None:
    """What has no streaming mode, as attention without a context, says so when that begins: it is refused.

    BadSubject: attention that is not causal, of which the library says nothing.
    """
    attending = [part for part in module.modules() if hasattr(part, "cross_attention") and hasattr(part, "causal")]
    if not all(part.causal or part.cross_attention for part in attending):
        raise BadSubject("with causal=False it looks ahead as far as its clip goes: it has no stream")
    with module.streaming(rows):
        pass


def subject(module: Any, example: Any, *, way: str = "streaming", unit: int = 1, **fields: Any) -> Subject:
    """A module's stream, run in one of the ways.

    Args:
        module: One with `streaming(rows)`.
        example: A clip, or several inputs, the first of which has as many rows as the stream.
        way: One of `WAYS`.
        unit: Chunks are multiples of so many frames.
        **fields: Of the subject.

    Returns:
        The subject of the module in eval mode.
    """
    module = module.eval()
    if way == "deepcopy" and any(hasattr(part, "weight_g") for part in module.modules()):
        raise NotImplementedError("torch.nn.utils.weight_norm may keep a weight with a history, which torch does not copy")
    first = example[0] if isinstance(example, tuple) else example
    _supported(module, int(first.shape[0]))
    rows, kind, made = int(first.shape[0]), STREAMS.get(way, Called), COPIES.get(way, lambda module: module)

    @contextlib.contextmanager
    def stream() -> Iterator[Called]:
        own = made(module)
        with own.streaming(rows):
            yield kind(own, rows)

    usual: dict[str, Any] = {"clip": module, "stream": stream, "modules": module, "plan": Plan(unit), "batches": (rows,)}
    usual |= {"streams": "one at a time", "clip_between": False}
    usual |= {"allow": ("reload",)} if way in COPIES else {}  # what is loaded later does not reach a copy
    return Subject(example=example, **(usual | fields))
