"""What the continual twin of a catalogue name really executes in a step, on tensors without contents."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

from coequal.proofs.cost.formulas.dispatch import parts, time_axis
from coequal.reference.layer import Layer, Shape

STEADY = 32  # steps, about, in which a period shows
WORK = 10_000  # operators times steps: some seconds


def executed(layer: Layer, clip: Shape, convention: str, always: bool) -> tuple[dict[str, Any], list[str]]:
    """`executed` for the JSON, and why there is none; the twin runs where that takes seconds, or `always`."""
    assert layer.timing is not None
    work = operators(layer, clip) * (int(layer.timing.delay) + STEADY)
    if work > WORK and not always:
        return {"executed": None}, ["executed: not counted, since running so many layers takes a while: --executed does"]
    try:
        counted = _run(layer, clip)
    except (TypeError, ValueError) as error:  # no torch twin, or not streamable as it stands: one line each
        return {"executed": None}, [f"executed: {error}"]
    mean = counted.mean(convention)
    return {"executed": int(mean) if mean.denominator == 1 else float(mean)}, []


def operators(layer: Layer, shape: Shape) -> int:
    """How many are inside."""
    inside = parts(layer, shape)
    return sum(operators(part.layer, part.shape) for part in inside) if inside else 1


def _run(layer: Layer, shape: Shape) -> Any:
    import torch

    from coequal.continual.conversion import convert
    from coequal.continual.module import Stream
    from coequal.continual.to_torch import regular
    from coequal.proofs.cost.executed.fake_tensors import faked
    from coequal.proofs.cost.executed.stream import steps_executed

    time = time_axis(layer)
    with faked():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch looks for memory when it copies a layer without contents
            module = convert(regular(layer).eval())
        frame = torch.empty((1, *shape[1:time], *shape[time + 1 :]))
        return steps_executed(Stream(module).push, itertools.repeat(frame), module)
