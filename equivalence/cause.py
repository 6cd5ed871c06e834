"""Why a stream may differ although it computes its clip function: what ran before, or weights that it does not read."""

from __future__ import annotations

import torch

from coequal.equivalence import weights as weighing
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.compare import alike
from coequal.equivalence.runner import StreamRaised, Trace

Tensor = torch.Tensor
MANY = 60  # weights that are looked at one by one


def depends_on_history(bench: Bench, example: Example) -> bool:
    """Whether a fresh stream emits other frames for the same frames, after other streams have run."""
    x = bench.inputs(example.length, example.batch, example.seed)
    try:
        after = []
        for i in (1, 2):
            bench.player().feed(y := bench.inputs(example.length + i, example.batch, example.seed + i), bench.plan_chunks(y))
            after.append(bench.play(x, example.chunks))
    except StreamRaised:
        return False
    return not same_emissions(*after)


def same_emissions(one: Trace, other: Trace) -> bool:
    """Bit by bit, NaN being NaN."""
    if len(one.frames) != len(other.frames) or any(
        a.shape != b.shape for a, b in zip(one.frames, other.frames, strict=True)
    ):
        return False
    return all(bool(alike(a, b).all()) for a, b in zip(one.frames, other.frames, strict=True))


def weights_not_read(bench: Bench, example: Example) -> tuple[str, ...]:
    """Weights of the modules that the clip function reads and a fresh stream does not, because it holds numbers of its own.

    It is known to hold them only where one of those weights matters as it came: a stream that leaves out a branch whose last
    layer is zero reads none of its weights either.
    """
    module = bench.subject.modules
    if module is None:
        return ()
    try:
        with weighing.borrowed(module, None):
            copied = [name for name in _ignored(bench, example) if _matters(bench, example, name)]
            return tuple(_ignored(bench, example, drawn_first=True)) if copied else ()
    except StreamRaised:
        return ()


def _ignored(bench: Bench, example: Example, *, drawn_first: bool = False) -> list[str]:
    """Names of the weights that move the clip's output and not the stream's emissions, each changed alone."""
    module = bench.subject.modules
    assert module is not None
    new = weighing.drawn(module, example.seed + 5, 1.0)
    with weighing.borrowed(module, None):
        if drawn_first:
            weighing.put(module, weighing.drawn(module, example.seed + 6, 1.0))
        x = bench.inputs(example.length, example.batch, example.seed)
        clip, stream = bench.clip(x), bench.play(x, example.chunks)
        ignored = []
        for name in list(new)[:MANY]:
            with weighing.borrowed(module, None):
                weighing.put(module, {name: new[name]})
                moved = bench.clip(x)
                if clip is None or moved is None or torch.equal(clip, moved):
                    continue
                if same_emissions(stream, bench.play(x, example.chunks)):
                    ignored.append(name)
    return ignored


def _matters(bench: Bench, example: Example, name: str) -> bool:
    """Whether a weight is more than zeros as it came."""
    assert bench.subject.modules is not None
    return bool((weighing.tensors(bench.subject.modules)[name] != 0).any())
