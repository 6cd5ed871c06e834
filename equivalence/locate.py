"""Location: the first submodule whose frames differ between clip and stream, by its dotted name."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from coequal.equivalence import quality
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.compare import close
from coequal.equivalence.inside import modules_inside
from coequal.equivalence.runner import StreamRaised

Tensor = torch.Tensor
METHODS = ("forward", "forward_step", "step")  # how modules are called on a clip, and on a frame
LOCATABLE = ("values", "long", "special-values", "batch", "grad-mode")  # one clip, one stream, fed frame by frame
Calls = dict[str, list[Tensor]]


@contextlib.contextmanager
def listening(root: nn.Module, calls: Calls) -> Iterator[None]:
    """Inside, the output of every call of every submodule is noted under its name, in order of completion."""
    patched: list[tuple[nn.Module, str]] = []
    try:
        for name, module in root.named_modules():
            busy: list[bool] = []  # a step that calls forward is one call
            for method in METHODS:
                if callable(getattr(type(module), method, None)) and method not in vars(module):
                    object.__setattr__(module, method, _noting(getattr(module, method), calls, name, busy))
                    patched.append((module, method))
        yield
    finally:
        for module, method in patched:
            object.__delattr__(module, method)


def _noting(call: Callable, calls: Calls, name: str, busy: list[bool]) -> Callable:
    @functools.wraps(call)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if busy:
            return call(*args, **kwargs)
        busy.append(True)
        try:
            output = call(*args, **kwargs)
        finally:
            busy.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor):
            calls.setdefault(name, []).append(first.detach().clone())
        return output

    return noting


def first_differing_module(bench: Bench, check: str, example: Example, frame: int | None) -> str | None:
    """The first submodule, in the order in which the clip completes them, whose frames differ; None: none can be told.

    `frame` is where the outputs part; in window mode the clip is the window that ends there, and what every submodule gave
    last is compared.
    """
    root, subject = bench.subject.modules, bench.subject
    if root is None or check not in LOCATABLE or (subject.window is not None and frame is None):
        return None
    with bench.weights(example):
        x = clip = bench.inputs(example.length, example.batch, example.seed)
        if subject.window is not None and frame is not None:
            x = x.narrow(subject.time, 0, frame + 1)
            clip = x.narrow(subject.time, frame + 1 - subject.offset - subject.window, subject.window)
        clip_calls, stream_calls = Calls(), Calls()
        with listening(root, clip_calls):
            bench.clip(clip)
        try:
            _listen(bench, x, root, stream_calls)
        except StreamRaised:
            return None
    differs = _differs if subject.window is None else _differs_at_last
    for name, outputs in clip_calls.items():
        if len(outputs) == 1 and name in stream_calls and differs(bench, outputs[0], stream_calls[name]):
            return name or type(root).__name__
    return None


def _listen(bench: Bench, x: Tensor, root: nn.Module, calls: Calls) -> None:
    """Play x and note what the modules of the stream give."""
    player = bench.player()
    with contextlib.ExitStack() as stack:
        for module in modules_inside(player.stream) or [root]:
            stack.enter_context(listening(module, calls))
        player.feed(x, bench.plan_chunks(x))
        if bench.subject.window is None:
            player.flush()


def _differs_at_last(bench: Bench, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether what a submodule gave last is neither its result for the window nor the last frame of it."""
    got = steps[-1]
    limit = quality.bound(bench.coarsest, 0.0, float(clip.abs().max()) if clip.numel() else 0.0)
    options = [clip] if got.shape == clip.shape else _frames(bench, clip, got)[-1:]
    return bool(options) and not close(got, options[0], limit)


def _differs(bench: Bench, clip: Tensor, steps: list[Tensor]) -> bool:
    """Whether the frames that a submodule emitted differ from those of its clip, in order."""
    frames = _frames(bench, clip, steps[0])
    limit = quality.bound(bench.coarsest, 0.0, float(clip.abs().max()) if clip.numel() else 0.0)
    return any(not close(got, want, limit) for got, want in zip(steps, frames, strict=False))


def _frames(bench: Bench, clip: Tensor, step: Tensor) -> list[Tensor]:
    """The clip's frames along whichever axis gives frames of the step's shape; none if there is no such axis."""
    for axis in dict.fromkeys((bench.output_time, bench.subject.time, 2, 1)):
        if clip.dim() > axis and (*clip.shape[:axis], *clip.shape[axis + 1 :]) == tuple(step.shape):
            return list(clip.unbind(axis))
    return []
