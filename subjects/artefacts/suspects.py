"""What may be wrong with an exported step: its states, and what the file's own kind knows of usual mistakes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from coequal.subjects.artefacts.states import Pairs
from coequal.subjects.artefacts.stream import StepStream, Wiring
from coequal.subjects.subject import Suspect

Tensor = torch.Tensor
Make = Callable[[Wiring], StepStream]
BEGUN = 32  # steps after which no layer waits for its first frame any more, and counts are what they stay
LOST = (
    "the step has no states: each frame is computed by itself. Was a write to a buffer (copy_) or a buffer that is replaced"
    " lost in the export?"
)


def suspects(wiring: Wiring, make: Make, frames: tuple[Tensor, ...], clip: nn.Module | None) -> Iterator[Suspect]:
    """States first, then what the file's kind suspects; `frames` is one step's input."""
    yield from _seen(wiring, frames)
    yield from _swapped(wiring, make)
    variants, known = getattr(wiring.program, "variants", None), False
    if variants is not None:
        for says, program in variants(clip):
            known |= program is None
            yield Suspect(says, None if program is None else functools.partial(make, replace(wiring, program=program)))
    if not (wiring.pairs.ins or known):
        yield Suspect(LOST)


def _seen(wiring: Wiring, frames: tuple[Tensor, ...]) -> Iterator[Suspect]:
    """States that a step gives back as they were, or that do not depend on what came in."""
    pairs, program = wiring.pairs, wiring.program
    if not pairs.ins:
        return
    generator = torch.Generator().manual_seed(1)

    def drawn(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator, dtype=x.dtype) if x.is_floating_point() else x.clone()

    def called(given: tuple[Tensor, ...], states: list[Tensor]) -> tuple[Tensor, ...]:
        places = dict(zip(pairs.data, given, strict=True)) | dict(zip(pairs.ins, states, strict=True))
        return program(*(places[i] for i in range(len(places))))

    try:
        states = wiring.begun(frames)
        for _ in range(BEGUN):
            results = called(tuple(map(drawn, frames)), states)
            states = [results[o] for o in pairs.outs]
        states = [drawn(x) for x in states]
        first, second = called(frames, states), called(tuple(map(drawn, frames)), [drawn(x) for x in states])
    except Exception:
        return
    for place, (before, i, o) in enumerate(zip(states, pairs.ins, pairs.outs, strict=True)):
        if not before.is_floating_point() or not before.numel():
            continue
        names = f"the state {program.inputs[i].name} comes back as {program.outputs[o].name}"
        others = [drawn(x) if k == place else x for k, x in enumerate(states)]
        if torch.equal(first[o], before) and _counts(first, called(frames, others), o):
            yield Suspect(f"{names} unchanged: what the step makes of it is not returned")
        elif torch.equal(first[o], second[o]):
            yield Suspect(f"{names}, the same numbers whatever comes in: it is a constant of the file")


def _counts(results: tuple[Tensor, ...], others: tuple[Tensor, ...], but: int) -> bool:
    """Whether anything but one of the results is another."""
    return not all(i == but or torch.equal(x, y) for i, (x, y) in enumerate(zip(results, others, strict=True)))


def _swapped(wiring: Wiring, make: Make) -> Iterator[Suspect]:
    """Every two states of one shape and format, the other way round."""
    pairs, program = wiring.pairs, wiring.program
    for a, b in itertools.combinations(range(len(pairs.outs)), 2):
        one, other = (program.outputs[pairs.outs[i]] for i in (a, b))
        if one.dtype != other.dtype or (one.shape and other.shape and len(one.shape) != len(other.shape)):
            continue
        outs = list(pairs.outs)
        outs[a], outs[b] = outs[b], outs[a]
        changed = replace(wiring, pairs=_with(pairs, tuple(outs)))
        first, second = (program.inputs[pairs.ins[i]].name for i in (a, b))
        says = f"two states are swapped: with {first} -> {other.name} and {second} -> {one.name} the step is right"
        yield Suspect(says, functools.partial(make, changed))


def _with(pairs: Pairs, outs: tuple[int, ...]) -> Pairs:
    return replace(pairs, outs=outs)
