"""The cost of somebody's torch code: executed at the dispatcher, claimed by its library, minimal by algebra.

Runs in the child process of `coequal.process.parent`. Clip mode is counted on fake tensors, and so are streams of ours;
those of others really run. The minimum of a step is

- the formula of the same operator in the reference, for continual-inference's attention (`_described`);
- otherwise what one frame more costs in clip mode, `(clip(T + P) - clip(T)) / P`, P a multiple of every stride in time: a
  stream-equal stream must emit what the longer clip emits, and the layers know no cheaper way to compute it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy
import torch

from coequal.proofs.cost import LETTERS, step_cost
from coequal.proofs.cost.algebra.counts import CostError, latex, plain, simplified
from coequal.proofs.cost.executed.counter import Executed, count
from coequal.proofs.cost.executed.fake_tensors import clip_executed, faked
from coequal.proofs.cost.executed.stream import Stepped, numbers_in, steps_executed
from coequal.proofs.cost.savings.ratios import per_frame
from coequal.proofs.cost.targets.callables import Side, side_of
from coequal.proofs.cost.targets.named import number
from coequal.reference.attention import MultiheadAttention

STRIDES = 48  # a multiple of the strides in time that networks have: 1, 2, 3, 4, 6, 8, 12, 16
AXES = {(2, 5): "BCTHW", (2, 4): "BCTW", (2, 3): "BCT", (1, 3): "BTE", (1, 4): "BTCE"}


def of_value(target: str, value: Any, clip: torch.Tensor | None, options: dict[str, Any]) -> dict[str, Any]:
    """What `coequal cost` says of a Subject or a module, as in its JSON. BadSubject or CostError: one line."""
    side = side_of(target, value, clip, options["window"])
    fed, side = side.of_rows(side.rows), replace(side, example=side.of_rows(1))
    mode = options["mode"]
    return {
        "clip": None if mode == "step" else _clip(side, options),
        "step": None if mode == "clip" or side.step is None else _step(side, fed, options),
        "notes": side.notes,
    }


# -- counting ----------------------------------------------------------------------------------------------------------


def _clip(side: Side, options: Mapping[str, Any]) -> dict[str, Any]:
    executed, convention = _clip_executed(side), options["convention"]
    parameters = () if side.module is None else side.module.parameters()
    return {
        "macs": executed.cost.flops(convention),
        "params": sum(p.numel() for p in parameters),
        "expression": _expression(side, options) if options["symbolic"] else None,
        "bytes": executed.bytes,
        "peak_activation": executed.peak * side.example.element_size(),
        "shape": list(side.example.shape),
        "modules": {name: cost.flops(convention) for name, cost in executed.modules.items()},
        "operators": {name: cost.flops(convention) for name, cost in executed.operators.items()},
    }


def _clip_executed(side: Side, example: torch.Tensor | None = None, letters: str = "") -> Executed:
    module, clip = _Function(side.clip, side.module), side.example if example is None else example
    try:
        return clip_executed(module, clip, letters)
    except CostError as error:
        if "data-dependent" not in str(error) or letters or not clip.is_floating_point():
            raise
        return _really(side, module, clip, error)
    except (RuntimeError, ValueError, AssertionError) as error:
        if ".numpy()" in str(error):
            raise CostError("the clip function leaves torch: what it computes elsewhere is not counted") from error
        raise CostError(f"a clip of shape {tuple(clip.shape)} does not fit: {' '.join(str(error).split())[:200]}") from error


def _really(side: Side, module: _Function, clip: torch.Tensor, error: CostError) -> Executed:
    """Run on three inputs: numbers that are read out of a tensor but come from no input change nothing."""
    runs = [count(lambda x=x: module(x), module) for x in (clip, -clip, torch.zeros_like(clip))]  # type: ignore[misc]
    if any(run.operators != runs[0].operators for run in runs):
        raise error
    note = "clip mode reads numbers out of tensors, so it was really run: on three inputs, with the same counts"
    if note not in side.notes:
        side.notes.append(note)
    return runs[0]


class _Function(torch.nn.Module):
    """A clip function as a module, with the names of the module inside."""

    def __init__(self, clip: Callable, module: torch.nn.Module | None) -> None:
        super().__init__()
        self.function, self.names = (clip,), (module,)  # in tuples: a module inside would be registered

    def named_modules(self, *args: Any, **kwargs: Any) -> Any:
        """Those of the module inside."""
        (module,) = self.names
        return () if module is None else module.named_modules(*args, **kwargs)

    def forward(self, x: torch.Tensor) -> Any:
        """The clip function."""
        return self.function[0](x)


def _letters(side: Side) -> str:
    letters = AXES.get((side.time, side.example.dim()))
    if letters is None:
        raise CostError(f"--symbolic: no letters for clips of {side.example.dim()} axes with time axis {side.time}")
    return letters.replace("B", "C")  # one clip: a batch stays a number


def _written(size: Any, options: Mapping[str, Any]) -> str:
    return (latex if options["latex"] else plain)(simplified(size))


def _expression(side: Side, options: Mapping[str, Any]) -> str | None:
    """In letters; None, and a note, where torch's symbolic sizes do not get through the module."""
    try:
        executed = _clip_executed(side, letters=_letters(side))
    except CostError as error:
        side.notes.append(f"no expression: {error}")
        return None
    fixed = {str(letter): value for letter, value in executed.fixed.items()}
    size = executed.cost.flops(options["convention"])
    if "T" in fixed and (line := _line_in_time(side, options["convention"])) is not None:
        size = line
        fixed.pop("T")
    side.notes.extend(f"{letter} is fixed by the module to {value}" for letter, value in fixed.items())
    return _written(size, options)


def _line_in_time(side: Side, convention: str) -> Any:
    """Operations as a line in T, from clips of three lengths (a recurrence is a loop, which has no letters); else None."""
    length = side.example.shape[side.time]
    clips = [torch.cat([side.example] * k, side.time) for k in (1, 2, 3)]
    one, two, three = (_clip_executed(side, clip).cost.flops(convention) for clip in clips)
    if two - one != three - two:
        return None
    return (two - one) / sympy.Integer(length) * LETTERS["T"] + (2 * one - two)


def _step(side: Side, fed: torch.Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
    stepped, state = _stepped(side, fed)
    convention, frames = options["convention"], side.calls.frames
    parts = side.rows * frames  # of a call: frames of one row
    executed, minimal = stepped.mean(convention) / parts, _minimal(side, stepped, convention)
    if minimal is not None and minimal > executed:
        side.notes.append("no minimum: the clip function computes more for a frame than the stream does, as under a mask")
        minimal = None
    if stepped.period is None:
        side.notes.append(
            f"the work of a step grows or never repeats: what is shown is the step of frame {frames * stepped.shown}, and"
            " the state after the last frame counted"
        )
    return {
        "macs": None if minimal is None else number(minimal),
        "expression": _step_expression(side, minimal, options),
        "executed": number(executed),
        "worst": number(Fraction(stepped.worst(convention), side.rows)),
        "period": None if stepped.period is None else stepped.period * frames,
        "warm_up": stepped.warm_up * frames,
        "state_bytes": state * side.example.element_size() // side.rows,
        "peak_activation": max(step.peak for step in stepped.steady) * side.example.element_size() // side.rows,
        "claimed": claimed(side.stream),
        "bytes": number(Fraction(sum(step.bytes for step in stepped.steady), len(stepped.steady) * parts)),
        "modules": {
            name: number(Fraction(cost.flops(convention), len(stepped.steady) * parts))
            for name, cost in stepped.modules.items()
        },
    }


def _stepped(side: Side, fed: torch.Tensor) -> tuple[Stepped, int]:
    """Ours on fake tensors; others really run: code that asks `type(x) is Tensor` goes astray on fake ones, silently.

    Besides, how many numbers the stream holds after that.
    """
    assert side.step is not None
    at = -(-fed.shape[side.time] // side.calls.frames)
    if not type(side.stream).__module__.startswith("coequal."):
        with side.step() as step:
            calls = side.calls.of(fed, side.time)
            return steps_executed(step, calls, side.stream, at=at), numbers_in(side.state())
    with faked() as mode, side.step() as step:
        calls = itertools.cycle([mode.from_tensor(frame) for frame in fed.unbind(side.time)])
        return steps_executed(step, calls, side.stream, at=at), numbers_in(side.state())


def _minimal(side: Side, stepped: Stepped, convention: str) -> Any:
    """The least that a step can do with this algorithm; None where nobody has derived it."""
    described = _described(side.stream)
    if described is not None:
        return step_cost(described, (1, described.window or 1, described.embed_dim)).mean.flops(convention)
    if side.window:
        side.notes.append("the minimum of a step over a window is derived for single attention layers alone")
    if side.window or stepped.period is None:
        return None
    more, example = math.lcm(stepped.period * side.calls.frames, STRIDES), side.example
    longer = torch.cat([example, *[example.narrow(side.time, 0, 1)] * more], side.time)
    short, long = (_clip_executed(side, clip).cost.flops(convention) for clip in (example, longer))
    return Fraction(long - short, more)


def _described(module: Any) -> MultiheadAttention | None:
    """continual-inference's attention as a layer of the reference."""
    kinds = {"SingleOutputMultiheadAttention": "single", "RetroactiveMultiheadAttention": "full"}
    mode = kinds.get(type(module).__name__)
    if mode is None or not hasattr(module, "sequence_len"):
        return None
    bias = module.in_proj_bias is not None
    return MultiheadAttention(module.embed_dim, module.num_heads, bias, mode=mode, window=module.sequence_len)


def _step_expression(side: Side, minimal: Any, options: Mapping[str, Any]) -> str | None:
    if side.window:  # all sizes are the module's own: a number
        return None if minimal is None else _written(minimal, options)
    try:
        executed = _clip_executed(side, letters=_letters(side))
        size = executed.cost.flops(options["convention"])
        if any(str(letter) == "T" for letter in executed.fixed):
            size = _line_in_time(side, options["convention"])
        each = None if size is None else per_frame(size, LETTERS["T"])
        return None if each is None or sympy.sympify(each).has(sympy.oo) else _written(each, options)
    except (CostError, RuntimeError):
        return None


def claimed(module: Any) -> int | None:
    """What a library says of its own step: continual-inference's attention has a method `flops`; nothing else does."""
    if not hasattr(module, "flops") or not hasattr(module, "call_mode"):
        return None
    before = module.call_mode
    module.call_mode = "forward_step"
    try:
        return int(module.flops())
    finally:
        module.call_mode = before
