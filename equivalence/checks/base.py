"""What a check is: a named property, the question it answers, the examples it tries, the comparison made for one of them.

A body plays streams and compares; it raises Mismatch at the first difference, Skip where the property cannot be asked, and
returns how many frames it compared. Checks belong to one of three questions: *function* (do fresh streams, fed legally, emit
what the clip gives?), *conduct* (isolation, ownership, copies) and *weights*. Only the first can make a verdict `different`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import Tree, leaves_of

Tensor = torch.Tensor
Body = Callable[[Session, Example], int]
Examples = Callable[[Session, str], Iterator[Example]]
Far = Callable[[Session, list[Example], int], Iterator[Example]]  # from those that are usual, and a number of frames
Kind = Literal["function", "conduct", "weights"]


class Skip(Exception):
    """The property cannot be asked of this subject; the text says why."""


@dataclass(frozen=True)
class CheckSpec:
    """A named property."""

    question: str
    examples: Examples
    body: Body
    kind: Kind = "function"
    sampled: bool = False  # of all situations there are: the report says in which it was asked
    far: Far | None = None  # what is asked again where a proof follows the memory further than the usual examples


@dataclass(frozen=True)
class Finer:
    """A difference that double precision shows and the subject's own format does not: exact arithmetic has to say which.

    `constants`: the own format may show it, too; the rounding of constants explains it in both.
    """

    mismatch: Mismatch
    constants: bool = False

    def __str__(self) -> str:
        return str(self.mismatch)


@contextlib.contextmanager
def saying(sentence: str | Callable[[], str]) -> Iterator[None]:
    """Inside, a difference is told in this sentence, which says what happened and what to do."""
    try:
        yield
    except Mismatch as mismatch:
        raise replace(mismatch, detail=sentence if isinstance(sentence, str) else sentence()) from None


def overwrite(handed: Tree, given: Tree) -> None:
    """What a caller may do with frames that have been fed: other numbers in the same tensors."""
    was = leaves_of(given)
    for name, leaf in leaves_of(handed).items():
        old = was[name]
        leaf.copy_(old.flip(0) * -3 + 7 if old.is_floating_point() else old.flatten()[0].expand_as(old))


CHUNKS, VIEWS, OTHER_ROWS = "in chunks", "views of a clip", "other rows"


def in_chunks(body: Body) -> Body:
    """A body that plays streams frame by frame, and in chunks of mixed sizes where the example's variant says so."""

    @functools.wraps(body)
    def asked(session: Session, example: Example) -> int:
        if example.variant != CHUNKS:
            return body(session, example)
        if len(session.plan.smallest(2)) < 2 or not session.has("chunk"):
            return 0
        return body(session.cutting(), replace(example, variant=""))

    return asked
