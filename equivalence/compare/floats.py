"""Floats: equal but for rounding (`Floats`), exactly (`Whole`), or only measured (`Distances`)."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.difference import Mismatch, close, difference_of, distances, first_value
from coequal.equivalence.compare.relation import Comparable, Limit, larger
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import borrowed, by_parts, put
from coequal.proofs.eager import eagerly
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor


@dataclass(frozen=True)
class Floats(Comparable):
    """Two are the same when they differ by no more than rounding explains.

    `coarsest`: the coarsest format that the clip function casts its data to; None: the session's. `full`: inputs use all
    digits of the format, where they are otherwise those of single precision. `within`: a distance that is accepted.
    """

    coarsest: torch.dtype | None = None
    full: bool = False
    within: float = 0.0

    def draw(self, session: Session[Any], length: int, batch: int, seed: int) -> Tree:
        """A random clip like the example."""
        x = session.random(length, batch, seed)
        drawn = session.floating and session.subject.inputs is None
        return session.layout.on_data(lambda leaf: rounding.perturbed(leaf, seed), x) if self.full and drawn else x

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> Limit:
        """From the output's magnitude, and where that does not do, its amplification."""
        return RoundingLimit(self, session, x, output)

    def agrees(self, session: Session[Any], got: Tensor, want: Tensor, like: Tensor) -> bool:
        """Within the rounding of values as large as those of `like`."""
        return close(got, want, max(self.within, rounding.bound(self.coarsest or session.dtype, 0.0, largest(like))))

    def shown(self, frame: Tensor) -> object:
        """The first element of a frame, for a report."""
        return first_value(frame)

    def least(self, session: Session[Any], output: Tensor) -> float:
        """What `bound` never falls below, at no cost."""
        if not output.is_floating_point():
            return 0.0
        return max(self.within, rounding.bound(self.coarsest or session.dtype, 0.0, largest(output)))

    def bound(self, session: Session[Any], x: Tree, output: Tensor) -> float:
        """The greatest difference that is rounding, from how far the output moves with inputs and weights."""
        if not output.is_floating_point():
            return 0.0
        return max(self.within, rounding.bound(self.coarsest or session.dtype, _moved(session, x, output), largest(output)))


@dataclass(frozen=True)
class Whole(Floats):
    """Small integers in floats: no sum can round, so two are the same when they are equal."""

    def least(self, session: Session[Any], output: Tensor) -> float:
        """Nothing."""
        return 0.0

    def bound(self, session: Session[Any], x: Tree, output: Tensor) -> float:
        """Nothing."""
        return 0.0


@dataclass(frozen=True)
class Distances(Floats):
    """Differences are measured, and none is found, but of shapes and counts."""

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> Limit:
        """Whatever is far apart is noted."""
        return Measured()


class RoundingLimit:
    """The rounding bound of one clip run."""

    largest = 0.0

    def __init__(self, floats: Floats, session: Session[Any], x: Tree, output: Tensor | None) -> None:
        self.floats, self.session, self.x, self.output = floats, session, x, output

    @functools.cached_property
    def quick(self) -> float:
        """A bound that the full one never falls below."""
        return 0.0 if self.output is None else self.floats.least(self.session, self.output)

    @functools.cached_property
    def full(self) -> float:
        """The greatest difference that is rounding."""
        return 0.0 if self.output is None else self.floats.bound(self.session, self.x, self.output)

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """How two frames differ beyond rounding; None: they do not."""
        return None if close(got, want, self.quick) else difference_of(got, want, self.full, frame)

    def holds(self, got: Tensor, want: Tensor) -> bool:
        """Whether two frames agree."""
        return close(got, want, self.quick) or close(got.to(want.dtype), want, self.full)


class Measured:
    """The largest distance so far; NaN, once there was one."""

    def __init__(self) -> None:
        self.largest = 0.0

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """Of what has no distance."""
        if got.shape != want.shape or got.device != want.device or not want.is_floating_point():
            return difference_of(got, want, 0.0, frame)
        distance = float(distances(got.double(), want.double()).max()) if want.numel() else 0.0
        self.largest = larger(self.largest, distance)
        return None


def largest(x: Tensor) -> float:
    """Magnitude of the largest finite element."""
    finite = x[torch.isfinite(x)]
    finite = finite.double() if finite.dtype == torch.bool else finite
    return float(finite.abs().max()) if finite.numel() else 0.0


def _moved(session: Session[Any], x: Tree, output: Tensor) -> float:
    """Amplification: the change of the output for a relative change of inputs and weights by `rounding.PROBE`."""
    module = session.subject.modules
    with borrowed(module, None):
        if module is not None:
            named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            numbers = {n: t for n, t in named.items() if t.dtype.is_floating_point or t.dtype.is_complex}
            finite = {name: t.detach() for name, t in numbers.items() if torch.isfinite(t).all()}
            put(module, {n: by_parts(functools.partial(_moved_by, i), t) for i, (n, t) in enumerate(finite.items())})
        other = session.clip(session.layout.on_data(lambda leaf: rounding.perturbed(leaf, session.seed + 1), x))
    if other is None or other.shape != output.shape:
        return 0.0
    return largest(other - output) / rounding.PROBE


def _moved_by(seed: int, numbers: Tensor) -> Tensor:
    return rounding.perturbed(numbers, seed)


# -- formats -------------------------------------------------------------------------------------------------------------


def coarsest_of_clip(session: Session[Any], x: Tree) -> torch.dtype:
    """The coarsest format that the clip function casts its data to."""
    with eagerly(), rounding.Formats(session.dtype) as formats:
        session.clip(x)
    return formats.coarsest


@contextlib.contextmanager
def in_format(session: Session[Floats], name: str | None) -> Iterator[Session[Floats]]:
    """The same subject in a floating-point format, by its name; as it is for None. No comparison was made in it yet."""
    if name is None:
        yield session.apart()
        return
    other = session.in_dtype(getattr(torch, name), replace(session.numbers, coarsest=None))
    with other.ready():
        window = other.window_of(other.inputs(session.example_length, session.batch, session.seed))
        yield other.computing(replace(other.numbers, coarsest=coarsest_of_clip(other, window)))


def rounds_more_coarsely(session: Session[Floats], example: Example) -> bool:
    """Whether the stream casts its data to a coarser format than the clip function does.

    In double precision, a format of 16 bits in which the subject came is none: nobody runs it in a finer one.
    """
    x = session.inputs(min(example.length, 3 * session.facts.reach + 3), example.batch, example.seed)
    with eagerly(), rounding.Formats(session.dtype) as formats, contextlib.suppress(StreamRaised):
        session.play(x)
    coarsest = session.numbers.coarsest or session.dtype
    own = session.native in (torch.float16, torch.bfloat16) and session.dtype != session.native
    allowed = rounding.coarser_of(coarsest, session.native) if own else coarsest
    return rounding.unit(formats.coarsest) > rounding.unit(allowed)
