"""Where clip and stream are numbers, and whether they are the same ones beside what is undefined.

`Watch` sees which functions are undefined for the numbers that they are given, and whether the program asks for it (`isnan`,
`nan_to_num`, `fmax`, which leaves NaN out, `sort`, which puts it last): then a stream may be another function of numbers
that are all finite. `Defined` compares, by what was seen.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from coequal.equivalence.compare.difference import Mismatch, distances, kind_difference
from coequal.equivalence.compare.floats import Floats, RoundingLimit
from coequal.equivalence.run.session import Session
from coequal.proofs.eager import EagerMode, unusual
from coequal.proofs.field.semantics.table import ASKING
from coequal.proofs.field.torch_frontend.dispatch import is_view
from coequal.proofs.field.torch_frontend.overrides import place
from coequal.subjects.inputs import Tree

Tensor = torch.Tensor
PARTIAL = {"sqrt", "rsqrt", "log", "log2", "log10", "log1p", "logit", "asin", "acos", "acosh", "atanh", "erfinv", "xlogy",
           "special_xlog1py", "special_ndtri", "lgamma", "digamma", "pow", "float_power", "linalg_cholesky_ex"}  # fmt: skip
POLES = {"rsqrt", "log", "log2", "log10", "log1p", "logit", "atanh", "erfinv", "special_ndtri"}  # infinite at a number
VANISHING = {"exp", "exp2", "_softmax", "_safe_softmax", "sigmoid", "erfc", "softplus"}  # zero where they are too small
SATURATING = {"sigmoid", "tanh", "erf", "_softmax", "_safe_softmax"}  # one where they are too large
MADE_OF_NOTHING = ("empty", "new_empty", "resize")  # whatever was in memory


@dataclass(frozen=True)
class Question:
    """Whether numbers are finite: asked of what comes of a function that is undefined for some; and of what is not."""

    doubtful: bool = False
    came_true: bool = False

    def also(self, other: Question) -> Question:
        """One or the other."""
        return Question(self.doubtful or other.doubtful, self.came_true or other.came_true)


class Watch(EagerMode):
    """Functions that are undefined for some numbers: which gave the first NaN, what is asked, and whether any overflows."""

    def __init__(self) -> None:
        super().__init__()
        self.of_clip = False
        self.partial = False
        self.overflows = False
        self.vanished = False  # something is zero, or one, only since it is rounded
        self.asked = False
        self.undefined = ["", ""]  # in the stream, in the clip
        self.questions: dict[str, Question] = {}  # by the line that asks

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if is_view(func) and func._overloadname != "dtype":
            return result  # of numbers that were there; what is doubtful of their storage stays so
        name, given = func.overloadpacket.__name__.rstrip("_"), tree_leaves((args, kwargs or {}))
        inputs, results = list(_floats(given)), list(_floats(tree_leaves(result)))
        partial = name in PARTIAL and not (name == "pow" and _whole(args[-1]))
        self.partial |= partial
        doubtful = partial or any(map(self._doubtful, inputs))
        if name in ASKING or (name in ("eq", "ne") and given[0] is given[-1]):  # which isfinite is made of
            self._question(place(), inputs, doubtful)
        if doubtful:
            for tensor in results:
                tensor.untyped_storage().doubtful = self  # type: ignore[attr-defined]
        if not name.startswith(MADE_OF_NOTHING) and not all(map(_is_finite, results)):
            self._note(name, given, inputs, results)
        self.vanished |= name in VANISHING and any(not bool(t.all()) for t in results)
        self.vanished |= name in SATURATING and any(bool((t.abs() == 1).any()) for t in results)
        return result

    @property
    def compares(self) -> bool:
        """Whether numbers may be others where all is finite: something is undefined, or is asked for."""
        return self.asked or any(self.undefined)

    def _doubtful(self, tensor: Tensor) -> bool:
        """Whether it comes of a function that is undefined for some numbers."""
        return getattr(tensor.untyped_storage(), "doubtful", None) is self

    def _question(self, where: str, inputs: list[Tensor], doubtful: bool) -> None:
        self.asked, before = True, self.questions.get(where, Question())
        came_true = not all(map(_is_finite, inputs))
        self.questions[where] = before.also(Question(doubtful, came_true))

    def _note(self, name: str, given: list[Any], inputs: list[Tensor], results: list[Tensor]) -> None:
        """What is not finite was made here, if all that it was made of is finite."""
        numbers = [a for a in given if isinstance(a, float)]
        if not inputs or any(abs(a) == float("inf") for a in numbers) or not all(map(_is_finite, inputs)):
            return
        infinite = any(bool(t.isinf().any()) for t in results)
        pole = infinite and name in POLES and not self.vanished
        if pole or any(bool(t.isnan().any()) for t in results):
            self.undefined[self.of_clip] = self.undefined[self.of_clip] or name
        self.overflows |= infinite and not pole


def _floats(leaves: list[Any]) -> Iterator[Tensor]:
    tensors = (t for t in leaves if isinstance(t, Tensor) and not unusual(t))
    return (t for t in tensors if t.is_floating_point() and not t.is_meta)


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are: their greatest magnitude tells, of which NaN is one (formats of 8 bits have none)."""
    if tensor.element_size() == 1:
        return bool(tensor.isfinite().all())
    return not tensor.numel() or math.isfinite(tensor.abs().max().item())


def _whole(exponent: Any) -> bool:
    """Whether powers of all numbers are defined, but of zero."""
    return isinstance(exponent, (int, float)) and float(exponent).is_integer()


@dataclass(frozen=True)
class Defined(Floats):
    """Two are the same where neither is a number, or both are, and are the same but for rounding.

    Where they are not is kept. Numbers are compared where `watch` says so: elsewhere other checks do it.
    """

    watch: Watch = field(default_factory=Watch)
    frames: list[Tensor] = field(default_factory=list)

    def in_clip(self) -> contextlib.AbstractContextManager[Any]:
        """What runs here is the clip function's."""
        self.watch.of_clip = True
        return self.watch

    def limit(self, session: Session[Any], x: Tree, output: Tensor | None) -> DefinedLimit:
        """Of one clip run, at one input."""
        return DefinedLimit(self, session.computing(Floats(self.coarsest, within=self.within)), x, output)


class DefinedLimit(RoundingLimit):
    """Of one clip run."""

    def __init__(self, numbers: Defined, session: Session[Floats], x: Tree, output: Tensor | None) -> None:
        super().__init__(session.numbers, session, x, output)
        self.numbers = numbers

    def difference(self, got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
        """The first element that one of the two alone has no number for, or that is another number."""
        if (other := kind_difference(got, want, frame)) is not None:
            return other
        apart = self._apart(got, want)
        self.numbers.frames.append(apart)
        if not bool(apart.any()):
            return None
        index = tuple(int(i) for i in apart.nonzero()[0])
        expected, value = want[index].item(), got[index].item()
        detail = f"frame {frame}, element {list(index)}: expected {expected!r}, got {value!r}"
        return Mismatch(detail, frame, index, expected, value)

    def none_differs(self, got: list[Tensor], want: list[Tensor]) -> bool:
        """Where each is apart is kept."""
        return False

    def _apart(self, got: Tensor, want: Tensor) -> Tensor:
        """Of what overflows nothing is said but where the clip's result is finite all the same."""
        watch = self.numbers.watch
        nowhere = got.isnan() != want.isnan()
        if not want.is_floating_point() or not (watch.compares or watch.overflows):
            return nowhere
        off = distances(got, want)
        beyond = (off <= 0).logical_not()
        if bool(beyond.any()):
            beyond = (off <= self.full).logical_not()
        return beyond & want.isfinite() if watch.overflows else nowhere | beyond
