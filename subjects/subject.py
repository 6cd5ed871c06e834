"""What is compared: a clip function and a stream that claims to compute it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch


@dataclass(frozen=True)
class Claim:
    """What a library says of its own stream, in frames; None where it says nothing. Compared with what is measured."""

    receptive_field: int | float | None = None
    delay: int | None = None
    stride: int | None = None


@dataclass(kw_only=True)
class Subject:
    """A clip function `f` and a stream `s` that claims to compute it.

    `clip(x)` takes a whole clip with its time axis. `stream()` gives a fresh stream: an object with `step(frame)` (time axis
    removed) that returns None, a frame or a list of frames; optionally `flush()` (the same), `chunk(frames)` (time axis
    kept, in and out; None or an empty tensor when nothing is due), `state` (any tree of tensors).
    """

    clip: Callable[[torch.Tensor], Any]
    stream: Callable[[], Any]
    example: torch.Tensor
    time: int = 2  # time axis of clips
    modules: torch.nn.Module | None = None  # parameters are re-drawn, names appear in reports
    window: int | None = None  # window=N: window-equal over the last N frames
    emits: Literal["frames", "window", "last"] = "frames"
    offset: int = 0  # index of the clip frame that the first emission stands for
    inputs: Callable[[int, int, int], torch.Tensor] | None = None  # (length, batch, seed) -> clip
    plan: Any = None  # legal chunk sizes; None: any
    memory: Callable[[Any], Any] | None = None  # stream -> tree of all it remembers, where that cannot be walked
    clip_state: Callable[[torch.Tensor, Any], tuple[torch.Tensor, Any]] | None = (
        None  # how the clip goes on: see `docs/exact.md`
    )
    allow: tuple[str, ...] = ()  # named checks or findings that this subject waives

    name: str = ""  # how reports call it
    claim: Claim | None = None  # what the library says of itself
    batch: int | None = 0  # batch axis of clips; None: there is none
    output_time: int | None = None  # time axis of the clip's output; None: the same as `time`
    twin: Callable[[], torch.nn.Module] | None = None  # the original torch.nn module, for the `weights` check
    notes: tuple[str, ...] = field(default=())  # what an adapter wants the report to say
