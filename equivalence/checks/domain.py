"""Is the stream defined wherever the clip is? Functions that are undefined for some numbers, and inputs that lead there.

`sqrt(x + 9) rsqrt(x + 9)` is 1 wherever it is anything, and NaN below -9, which no input of ordinary size reaches; exact
arithmetic knows what is equal where both are defined. So inputs are made larger, and smaller, and it is compared where clip
and stream are NaN. What overflows is none of this: nothing is said of numbers that large.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from coequal.equivalence.checks.base import Skip
from coequal.equivalence.compare import rounding
from coequal.equivalence.compare.difference import Mismatch, kind_difference
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.compare.relation import Comparison, compare
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.proofs.eager import EagerMode, eagerly, unusual
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor
FACTORS = (1.0, 2.0**2, 2.0**6, 2.0**12, 2.0**20, 2.0**-10)  # of the inputs; powers of two round nothing
MOVES = 4  # of inputs by `rounding.PROBE`, all of which a difference stays for: no rounding falls the same way each time
PARTIAL = {"sqrt", "rsqrt", "log", "log2", "log10", "log1p", "logit", "asin", "acos", "acosh", "atanh", "erfinv", "xlogy",
           "special_xlog1py", "special_ndtri", "lgamma", "digamma", "pow", "float_power", "linalg_cholesky_ex"}  # fmt: skip
MADE_OF_NOTHING = ("empty", "new_empty", "resize")  # whatever was in memory


def domain(session: Session, example: Example) -> int:
    """Where the one is a number the other is one, whatever the size of the inputs."""
    if not session.floating:
        raise Skip("integer inputs are fed as they are")
    if session.subject.inputs is not None:
        raise Skip("the subject draws its inputs itself: others may mean nothing to it")
    x, compared = session.inputs(example.length, example.batch, example.seed), 0
    for factor in FACTORS:
        larger = session.layout.on_data(functools.partial(torch.mul, other=factor), x)
        found = _where_defined(session, larger)
        if not found.watch.partial:
            raise Skip("no function in it is undefined for some numbers")
        if found.watch.overflows:
            continue
        compared += found.comparison.frames
        if found.comparison.difference is not None and _stays(session, larger, found):
            raise replace(found.comparison.difference, detail=_in_words(found, factor))
    return compared


@dataclass(frozen=True)
class Defined(Floats):
    """Two are the same where both are numbers, or neither is; where they are not is kept."""

    frames: list[Tensor] = field(default_factory=list)

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> DefinedLimit:
        """Numbers have no limit."""
        return DefinedLimit(self.frames)


class DefinedLimit:
    """Of one clip run."""

    largest = 0.0

    def __init__(self, frames: list[Tensor]) -> None:
        self.frames = frames

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """The first element that one of the two alone has no number for."""
        if (other := kind_difference(got, want, frame)) is not None:
            return other
        apart = got.isnan() != want.isnan()
        self.frames.append(apart)
        if not bool(apart.any()):
            return None
        index = tuple(int(i) for i in apart.nonzero()[0])
        expected, value = want[index].item(), got[index].item()
        detail = f"frame {frame}, element {list(index)}: expected {expected!r}, got {value!r}"
        return Mismatch(detail, frame, index, expected, value)


@dataclass(frozen=True)
class Found:
    """One comparison, which elements differed in it, and what was seen."""

    comparison: Comparison
    frames: list[Tensor]
    watch: Watch


def _where_defined(session: Session, x: Tree) -> Found:
    """Clip and stream compared at one input."""
    defined, watch = Defined(), Watch()
    with eagerly(), watch:
        trace = session.play(x)
        watch.of_clip = True
        comparison = compare(session.computing(defined), x, trace)
    return Found(comparison, defined.frames, watch)


def _stays(session: Session, x: Tree, found: Found) -> bool:
    """Whether every element that differs goes on to when inputs move a little: on an open set, that is, and no rounding."""
    for seed in range(MOVES):
        again = _where_defined(session, session.layout.on_data(functools.partial(rounding.perturbed, seed=seed), x))
        pairs = list(zip(found.frames, again.frames, strict=False))
        if again.watch.overflows or not all(bool((~before | now).all()) for before, now in pairs):
            return False
    return True


def _in_words(found: Found, factor: float) -> str:
    """`...: log is undefined in the stream, at inputs 64 times as large`."""
    difference, watch = found.comparison.difference, found.watch
    stream = difference is not None and difference.got != difference.got
    name = watch.undefined[not stream]
    why = f"{name or 'a function'} is undefined there in the {'stream' if stream else 'clip'}"
    return f"{difference}: {why}" + ("" if factor == 1 else f", at inputs {factor:g} times as large")


class Watch(EagerMode):
    """Functions that are undefined for some numbers: which gave the first NaN, and whether any overflows."""

    def __init__(self) -> None:
        super().__init__()
        self.of_clip = False
        self.partial = False
        self.overflows = False
        self.undefined = ["", ""]  # in the stream, in the clip

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        self.partial |= name in PARTIAL and not (name == "pow" and _whole(args[-1]))
        if not name.startswith(MADE_OF_NOTHING) and any(not bool(t.isfinite().all()) for t in _floats(result)):
            self._note(name, tree_leaves((args, kwargs or {})), _floats(result))
        return result

    def _note(self, name: str, given: list[Any], results: list[Tensor]) -> None:
        """What is not finite was made here, if all that it was made of is finite."""
        numbers = [a for a in given if isinstance(a, float)]
        inputs = _floats(given)
        if not inputs or any(abs(a) == float("inf") for a in numbers) or not all(bool(t.isfinite().all()) for t in inputs):
            return
        if any(bool(t.isnan().any()) for t in results):
            self.undefined[self.of_clip] = self.undefined[self.of_clip] or name
        self.overflows |= any(bool(t.isinf().any()) for t in results)


def _floats(tree: Any) -> list[Tensor]:
    tensors = [t for t in tree_leaves(tree) if isinstance(t, Tensor) and not unusual(t)]
    return [t for t in tensors if t.is_floating_point() and not t.is_meta]


def _whole(exponent: Any) -> bool:
    """Whether powers of all numbers are defined, but of zero."""
    return isinstance(exponent, (int, float)) and float(exponent).is_integer()
