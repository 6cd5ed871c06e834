"""`check`: reference = torch.nn = continual on random architectures, operator by operator.

Three programs by three hands: the NumPy reference, the torch module with the same parameters, and that module converted and
fed a frame at a time. On small integers, operators that neither divide nor round must agree with `==`; everything else
within rounding (`compare/rounding.py`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st

from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.equivalence.campaigns import architectures, contents
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.compare import rounding
from coequal.reference import channels, compose, conv, frame_difference, linear, pad, pool, shift
from coequal.subjects.errors import BadSubject, nearest

Tensor = torch.Tensor
Progress = Callable[[str, int, int], None]


EXACT = (
    *(conv.Conv, linear.Linear, linear.Embedding, pad.Pad, pool.MaxPool, shift.TemporalShift),
    *(channels.ZeroChannels, channels.SelectChannels, frame_difference.FrameDifference, compose.Identity),
)


class Disagreement(AssertionError):
    """Two of the three programs differ."""


@dataclass(frozen=True)
class Outcome:
    """What became of one operator; `architecture` and `detail` describe the smallest disagreement."""

    operator: str
    outcome: str  # "passed" or "different"
    examples: int
    seconds: float
    architecture: str = ""
    detail: str = ""
    reproduce: str = ""


@dataclass
class CampaignResult:
    """All operators."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return all(outcome.outcome == "passed" for outcome in self.outcomes)


def check(
    names: Iterable[str] = (), *, max_examples: int = 100, seed: int = 0, progress: Progress | None = None
) -> CampaignResult:
    """Compare the three programs on `max_examples` random architectures of each operator (all of them unless named).

    `progress(operator, done, of)` is called after each example. BadSubject for an operator that does not exist.
    """
    return CampaignResult([_operator(name, max_examples, seed, progress) for name in operators(names)])


def operators(names: Iterable[str]) -> list[str]:
    """Those named, all of them for none; BadSubject for one that does not exist."""
    chosen = list(names) or sorted(architectures.operators())
    for name in chosen:
        if name not in architectures.operators():
            near = nearest(name, architectures.operators())
            hint = f"; did you mean {near!r}?" if near else ""
            raise BadSubject(
                f"check: there is no operator {name!r}{hint}; operators: {', '.join(sorted(architectures.operators()))}"
            )
    return chosen


def _operator(name: str, max_examples: int, seed: int, progress: Progress | None) -> Outcome:
    begin, last, count = time.monotonic(), list[Architecture](), 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=[*hypothesis.HealthCheck],  # pyright: ignore[reportArgumentType]
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(architectures.architectures(name), st.integers(0, 2**32 - 1), st.booleans())
    def compare(architecture: Architecture, contents: int, integer: bool) -> None:
        nonlocal count
        count += 1
        last[:] = [architecture]
        agree(architecture, contents, integer=integer)
        if progress is not None:
            progress(name, min(count, max_examples), max_examples)

    try:
        compare()
    except Exception as error:
        again = f"coequal check {name} --seed {seed} --max-examples {max_examples}"
        detail = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Outcome(name, "different", count, time.monotonic() - begin, repr(last[0]) if last else "", detail, again)
    return Outcome(name, "passed", count, time.monotonic() - begin)


def agree(architecture: Architecture, seed: int, *, integer: bool = False) -> None:
    """Disagreement unless reference, torch and continual compute the same on this architecture."""
    layer = architecture.layer
    clip = contents.clip(architecture, seed, integer=integer)
    parameters = contents.weights(layer, seed, integer=integer)
    regular = contents.twin(layer, parameters)
    names = {name: tuple(value.shape) for name, value in regular.state_dict().items()}
    if names != layer.parameters():
        raise Disagreement(f"parameters: torch has {names}, the reference {layer.parameters()}")
    x = torch.as_tensor(clip)
    with torch.no_grad():
        expected = torch.as_tensor(np.asarray(layer(parameters, clip)))
        limit = 0.0 if integer and exact(layer) else _limit(regular, x, expected)
        _same("torch", regular(x), expected, limit)
        if layer.timing is not None:
            _stream(architecture, regular, x, expected, limit)


def exact(layer: Any) -> bool:
    """Whether small integers stay integers, whatever the order of the sums: nothing divides, nothing is transcendental."""
    if isinstance(layer, (compose.Sequential, compose.Residual, compose.Parallel)):
        children = layer.layers if isinstance(layer, compose.Sequential) else layer.branches.values()
        return all(exact(child) for child in children)
    return isinstance(layer, EXACT)


def _limit(module: torch.nn.Module, x: Tensor, output: Tensor) -> float:
    """The greatest difference that is rounding."""
    largest = float(output.abs().max()) if output.numel() else 0.0
    shaken = copy.deepcopy(module)
    for i, tensor in enumerate([*shaken.parameters(), *shaken.buffers()]):
        tensor.copy_(rounding.perturbed(tensor, i))
    moved = float((shaken(rounding.perturbed(x, len(x))) - output).abs().max()) / rounding.PROBE
    return rounding.bound(torch.float64, moved, largest)


def _same(who: str, got: Tensor, expected: Tensor, limit: float) -> None:
    if got.shape != expected.shape:
        raise Disagreement(f"{who} gives shape {tuple(got.shape)}, the reference {tuple(expected.shape)}")
    apart = ((got - expected).abs() > limit) & (got != expected) | torch.isnan(got) | torch.isnan(expected)
    if bool(apart.any()):
        at = tuple(int(i) for i in apart.nonzero()[0])
        raise Disagreement(f"{who} differs at {at}: {got[at].item()!r}, the reference gives {expected[at].item()!r}")


def _stream(architecture: Architecture, regular: torch.nn.Module, x: Tensor, expected: Tensor, limit: float) -> None:
    """The converted module, a frame at a time, against the reference's frames."""
    layer = architecture.layer
    time_axis = 2 if layer.time is None else layer.time
    module = convert(regular, window=architecture.window)
    stream = Stream(module)
    steps = [stream.push(frame.clone()) for frame in x.unbind(time_axis)]
    if architecture.window is not None:
        _windows(regular, x, steps, architecture.window)
        return
    frames = [frame for frame in steps if frame is not None] + stream.flush()
    wanted = list(expected.unbind(time_axis))
    if len(frames) != len(wanted):
        raise Disagreement(f"the stream emits {len(frames)} frames, the reference {len(wanted)}")
    for j, (got, want) in enumerate(zip(frames, wanted, strict=True)):
        _same(f"the stream's frame {j}", got, want, limit)


def _windows(regular: torch.nn.Module, x: Tensor, steps: list[Tensor | None], window: int) -> None:
    """Each step against the regular module on the last N tokens."""
    for t, got in enumerate(steps):
        if t + 1 < window:
            if got is not None:
                raise Disagreement(f"the stream emits at frame {t}, before its window of {window} is full")
            continue
        if got is None:
            raise Disagreement(f"the stream emits nothing at frame {t}, although its window of {window} is full")
        clip = x[:, t - window + 1 : t + 1]
        want = regular(clip)
        _same(f"the stream's window at frame {t}", got, want, _limit(regular, clip, want))
