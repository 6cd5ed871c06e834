"""The lengths that are tried: every small one, past the receptive field, and some longer ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session


def in_own_format(session: Session, *examples: Example) -> Iterator[Example]:
    """The same in the format that the subject came in, where that is another than the one that is compared in."""
    if session.native != session.dtype:
        name = str(session.native).removeprefix("torch.")
        yield from (replace(example, format=name) for example in examples)


def _lengths(session: Session, effort: str) -> list[int]:
    """0, 1, 2, ... past the receptive field, then some longer ones; legal for the plan."""
    reach = session.facts.reach
    few = sorted({0, 1, 2, 3, reach - 1, reach, reach + 1, reach + 2, 2 * reach + 1, session.example_length})
    many = sorted({*range(min(2 * reach + 3, 14)), *few, 3 * reach + 2})
    wanted = many if effort == "normal" else few
    return sorted({session.plan.legal(n) for n in wanted if n >= 0})


def value_examples(session: Session, effort: str) -> Iterator[Example]:
    """Every length with the given weights, then the longer ones with weights drawn at several scales."""
    lengths = _lengths(session, effort)
    middle = session.plan.legal(2 * session.facts.reach + 3)
    for i, length in enumerate(lengths):
        yield Example(length, session.batch, session.seed + i)
    scales = (1.0, 0.25, 3.0, 1.0) if effort == "normal" else (1.0, 3.0)
    if session.subject.modules is not None:
        for i, scale in enumerate(scales):
            for length in (middle, lengths[min(3, len(lengths) - 1)]) if effort == "normal" else (middle,):
                yield Example(length, session.batch, session.seed + 100 + i, scale)
    own = [
        Example(n, session.batch, session.seed + 150 + i, session.facts.scale)
        for i, n in enumerate((session.example_length, middle))
    ]
    yield from in_own_format(session, *dict.fromkeys(replace(e, length=session.plan.legal(e.length)) for e in own))
