"""The worksession over a field: the same subject, the same streams, the same comparisons, in exact arithmetic.

Inputs and weights are symbols, so one comparison of one length stands for all inputs and weights of that length. What cannot
be told (an operation without a meaning) comes out as NotDecided.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from coequal.equivalence.compare.difference import Mismatch, kind_difference
from coequal.equivalence.compare.relation import Comparable
from coequal.equivalence.memory.caches import forgotten
from coequal.equivalence.run.session import ClipRaised, Session
from coequal.equivalence.run.weights import borrowed, by_parts, is_weight, put, tensors
from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.elementary import DEFINITIONS
from coequal.proofs.field.errors import NeedsCircle, NeedsRoot, NotDecided, Redraw, TooFew, TooLong
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.subjects.inputs import Tree, leaves_of, with_leaves

Tensor = torch.Tensor
REDRAWS = 30


SMALL = 1 << 16  # numbers in the example


@dataclass(frozen=True)
class Draw:
    """What a field is drawn for: number of primes, longest dot product, square roots that must exist, levels of chains."""

    seed: int = 0
    count: int = 4
    longest: int = 1
    roots: tuple[int, ...] = ()
    circle: int = 1  # order of a root of unity that must exist
    levels: int = 1
    literal: bool = False
    near: bool = False  # constants near one another are one
    shadow: bool = False  # constants are computed exactly beside their floats
    opaque: bool = False  # of these only cosines, sines and exponentials, and what is computed of them
    low_masks: bool = False  # finite constants at or below -1e4 are masks
    turns: bool = False  # the chains are of the unit circle, for cosine and sine
    sets: bool = False  # maxima are sets to sums and products, too
    definitions: bool = False  # elementary functions are made of exponentials

    def field(self) -> Field:
        """Its primes and keys; NotDecided where there are no such primes."""
        try:
            return Field.drawn(
                self.seed,
                count=self.count,
                longest=self.longest,
                roots=self.roots,
                circle=self.circle,
                levels=self.levels,
                literal=self.literal,
                near=self.near,
                shadow=self.shadow,
                opaque=self.opaque,
                low_masks=self.low_masks,
                turns=self.turns,
                sets=self.sets,
                definitions=DEFINITIONS if self.definitions else {},
            )
        except ValueError as error:
            raise NotDecided(str(error)) from None

    def after(self, redraw: Redraw) -> Draw:
        """Another one, which suits what this one did not."""
        if isinstance(redraw, TooLong):
            return replace(self, longest=max(self.longest, redraw.longest))
        if isinstance(redraw, NeedsRoot):
            return replace(self, roots=tuple(sorted({*self.roots, redraw.root})))
        if isinstance(redraw, NeedsCircle):
            return replace(self, circle=math.lcm(self.circle, redraw.order))
        if isinstance(redraw, TooFew):
            return replace(self, count=redraw.count)
        return replace(self, seed=self.seed + 1_000_003)


class FieldNumbers(Comparable):
    """Symbols, equal in all residues or not. To be used within `over_field`."""

    symbolic = True

    def __init__(self, over: Exact) -> None:
        self.over = over
        self.clip_functions: set[object] = set()  # free functions that the clip applies, and the stream
        self.stream_functions = over.field.account.used

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tree:
        """Symbols in the shape of the clip; integers, masks and positions as they would be."""
        with self.over.suspended():
            like = session.random(length, batch, seed)
            return with_leaves(like, {name: self._symbols(session, name, leaf) for name, leaf in leaves_of(like).items()})

    def _symbols(self, session: Session[Any], name: str, leaf: Tensor) -> Tensor:
        if name and name in session.layout.fixed:
            return leaf
        if not leaf.is_floating_point():
            return self.over.mark_integers(leaf)
        return self.over.store.symbols.fresh(leaf.contiguous())

    @contextlib.contextmanager
    def in_clip(self) -> Iterator[None]:
        """What is applied here is the clip function's."""
        self.over.field.account.used_by(self.clip_functions)
        try:
            yield
        finally:
            self.over.field.account.used_by(self.stream_functions)

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Inside, torch computes with floats."""
        return self.over.suspended()

    def raised(self, session: Session[Any], x: Tree, error: ClipRaised) -> None:
        """NotDecided where the clip function does not refuse this length on floats."""
        if not session.refuses(session.layout.length(x)):
            raise NotDecided(f"over a field the clip function raises: {error}") from None

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> FieldLimit:
        """No limit: equal or not."""
        return FieldLimit(self)

    def agrees(self, session: Session[Any], got: Tensor, want: Tensor, like: Tensor) -> bool:
        """In all residues."""
        return got.shape == want.shape and bool(self.over.same(got, want).all())

    def shown(self, frame: Tensor) -> object:
        """Residues are nothing to show."""
        return None


FieldSession = Session[FieldNumbers]


class FieldLimit:
    """Frames are equal in all residues, or different."""

    largest = 0.0

    def __init__(self, numbers: FieldNumbers) -> None:
        self.numbers = numbers

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """The first element that differs."""
        if (other := kind_difference(got, want, frame)) is not None:
            return other
        same = self.numbers.over.same(got, want)
        if bool(same.all()):
            return None
        apart = ~same
        index = tuple(int(i) for i in apart.nonzero()[0])
        many = f"{int(apart.sum())} of {apart.numel()} elements differ"
        return Mismatch(
            f"frame {frame}, element {list(index)}: not the same function of inputs and weights; {many}", frame, index
        )

    def none_differs(self, got: list[Tensor], want: list[Tensor]) -> bool:
        """Each is asked."""
        return False


@contextlib.contextmanager
def over_field(session: Session[Any], draw: Draw) -> Iterator[FieldSession]:
    """Within it, torch computes over a field, and the weights of the subject's modules are symbols."""
    with computing(session, Exact(draw.field())) as exact:
        yield exact


@contextlib.contextmanager
def computing(session: Session[Any], exact: Exact) -> Iterator[FieldSession]:
    """The same over a field that is given."""
    module = None if session.facts.unread else session.subject.modules
    try:
        with borrowed(module, None), forgotten():
            if module is not None:
                weights = {name: t for name, t in tensors(module).items() if is_weight(name, t)}
                put(module, {name: by_parts(_variables(exact), t.detach()) for name, t in weights.items()})
            else:
                exact.field.account.assume(
                    "weights", f"{_why_as_they_came(session)}: weights are the numbers they came with"
                )
            with exact.running():
                yield session.computing(FieldNumbers(exact))
                exact.answerable()
    except ValueError as error:
        if "symbols" not in str(error):
            raise
        raise NotDecided(str(error)) from None


def _variables(exact: Exact) -> Callable[[Tensor], Tensor]:
    return lambda tensor: exact.store.symbols.fresh(tensor.contiguous())


def _why_as_they_came(session: Session[Any]) -> str:
    return "the stream does not read them from `modules`" if session.facts.unread else session.subject.undrawn


@contextlib.contextmanager
def one_thread(session: Session[Any]) -> Iterator[None]:
    """Small tensors gain nothing from a second thread, and lose much where the machine is busy."""
    threads = torch.get_num_threads()
    size = sum(leaf.numel() for leaf in leaves_of(session.subject.example).values())
    torch.set_num_threads(1 if size < SMALL else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def redrawing(draw: Draw) -> Iterator[tuple[Draw, list[Redraw]]]:
    """Draws until one suits: the caller appends the Redraw that came out, or stops."""
    for _ in range(REDRAWS):
        outcome: list[Redraw] = []
        yield draw, outcome
        if not outcome:
            return
        draw = draw.after(outcome[0])
    raise NotDecided(f"no primes suit after {REDRAWS} draws: something is divided by zero whatever they are")
