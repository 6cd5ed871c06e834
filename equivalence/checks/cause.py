"""Why a stream may differ although it computes its clip function: what ran before, or weights that it does not read."""

from __future__ import annotations

import torch

from coequal.equivalence.compare.difference import alike
from coequal.equivalence.run import weights as weighing
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised, Trace
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor
MANY = 60  # weights that are looked at one by one


def depends_on_history(session: Session, example: Example) -> bool:
    """Whether a fresh stream emits other frames for the same frames, after other streams have run."""
    x = session.inputs(example.length, example.batch, example.seed)
    try:
        after = []
        for i in (1, 2):
            session.player().feed(
                y := session.inputs(example.length + i, example.batch, example.seed + i), session.plan_chunks(y)
            )
            after.append(session.play(x, example.chunks))
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


def weights_not_read(session: Session, example: Example) -> tuple[str, ...]:
    """Weights of the modules that the clip function reads and a fresh stream does not, because it holds numbers of its own.

    It is known to hold them only where one of those weights matters as it came: a stream that leaves out a branch whose last
    layer is zero reads none of its weights either.
    """
    module = session.subject.modules
    if module is None:
        return ()
    try:
        with weighing.borrowed(module, None):
            copied = [name for name in _ignored(session, example) if _matters(session, example, name)]
            return tuple(_ignored(session, example, drawn_first=True)) if copied else ()
    except StreamRaised:
        return ()


def _ignored(session: Session, example: Example, *, drawn_first: bool = False) -> list[str]:
    """Names of the weights that move the clip's output and not the stream's emissions, each changed alone."""
    module = session.subject.modules
    assert module is not None
    new = weighing.drawn(module, example.seed + 5, 1.0)
    with weighing.borrowed(module, None):
        if drawn_first:
            weighing.put(module, weighing.drawn(module, example.seed + 6, 1.0))
        x = session.inputs(example.length, example.batch, example.seed)
        clip, stream = session.clip(x), session.play(x, example.chunks)
        ignored = []
        for name in list(new)[:MANY]:
            with weighing.borrowed(module, None):
                weighing.put(module, {name: new[name]})
                moved = session.clip(x)
                if clip is None or moved is None or torch.equal(clip, moved):
                    continue
                if same_emissions(stream, session.play(x, example.chunks)):
                    ignored.append(name)
    return ignored


def _matters(session: Session, example: Example, name: str) -> bool:
    """Whether a weight is more than zeros as it came."""
    assert session.subject.modules is not None
    return bool((weighing.tensors(session.subject.modules)[name] != 0).any())
