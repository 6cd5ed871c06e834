"""Three steps that are the same program, and what is known of the tensors in it: their kinds, how often positions were
multiplied into them, and how many numbers are added up over terms.

What a tensor holds is of one of five kinds: *constant*; *settled*, a mask whose outcomes are settled; *linear*,
positions that grow evenly; *turned*, functions of such positions (cosine, sine, exponential); *data*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from coequal.equivalence.prove.aten import (
    ATTENTION,
    BLIND,
    FREE,
    GATED,
    MOVED,
    MULTIPLIED,
    NORMED,
    POWERS,
    PRODUCTS,
    SMOOTH,
    SUMMED,
    SUMS,
    WEIGHED,
    WRITTEN,
)
from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.prove.tracing import Operation, Step
from coequal.proofs.field.numbers.known import DOUBLE

Tensor = torch.Tensor
CONSTANT, SETTLED, LINEAR, TURNED, DATA = "constant", "settled", "linear", "turned", "data"
VISIBLE = 64 * DOUBLE  # relative: constants that are nearer than DOUBLE count as one
WIDE = (torch.int64, torch.float64, torch.float32)  # formats of positions that are what they stand for


@dataclass
class Uniform:
    """Three steps that are the same program."""

    steps: list[Step]
    coarse: bool = False  # torch casts floats by itself, and casts are exact
    kinds: dict[int, str] = field(default_factory=dict)  # of tensors, by number
    degrees: dict[int, int] = field(default_factory=dict)  # how often positions were multiplied into data
    touched: set[int] = field(default_factory=set)  # data that positions were multiplied into, or added to
    plain: set[int] = field(default_factory=set)  # of these, where they were not turned before
    weights: set[int] = field(default_factory=set)  # tensors that hold those of a softmax over terms
    rows: set[int] = field(default_factory=set)  # data that come of rows of tables alone
    steps_left: int | None = None  # until a table of positions ends
    sums: int = 0  # numbers that are added up over terms
    degree: int = 0  # the greatest that was met

    @property
    def need(self) -> int:
        """So many lengths tell all: sums fill their space, and polynomials in positions that vanish are zero."""
        return self.sums + 2 * max(self.degree, *self.degrees.values(), 0)  # a turned number is two: it and its inverse

    @property
    def turns(self) -> bool:
        """Whether functions of positions are computed with."""
        return TURNED in self.kinds.values() or bool(self.touched)

    def meets(self, name: str, given: list[int], *, moving: bool) -> set[str]:
        """Kinds of positions that come into what the operation gives; `moving`: a number that it is given grows."""
        numbers = {LINEAR} if moving and name not in MOVED else set[str]()
        return numbers | {self.kind(n) for n in given} & {LINEAR, TURNED}

    def touch(self, name: str, operation: Operation, given: list[int], met: set[str]) -> None:
        """Data that hold positions: what a smooth function makes of them is another number, others may know their signs."""
        inputs, gives = {*given}, operation.gives
        numbers = [x for x in operation.given if type(x) in (int, float)]
        odd = name in POWERS and not (len(given) == 1 and all(float(x).is_integer() for x in numbers))
        if inputs & self.plain and name == "_to_copy" and not self.is_wide(gives[0]):
            raise Fails("data that hold positions are rounded")
        if inputs & self.touched and (odd or name not in SMOOTH | WEIGHED | ATTENTION | NORMED | BLIND):  # norms see squares
            raise Fails(f"aten.{name}: of data that hold positions, whose signs it may know")
        if any(self.kind(n) == DATA for n in gives):
            values = {*given[2:3]} if name in ATTENTION else set[int]() if name in SMOOTH | WEIGHED else inputs
            self.touched |= {*gives} if met or values & self.touched else set()
            self.plain |= {*gives} if LINEAR in met or values & self.plain else set()

    def reads(self, gives: tuple[int, ...]) -> None:
        """Rows of a table, which are variables as frames are."""
        for number in gives:
            self.kinds[number], self.degrees[number] = DATA, 0
        self.rows |= {*gives}

    def is_written(self, before: int, after: int, gives: tuple[int, ...]) -> None:
        """A tensor that shares memory with what was written: it holds what it held, or what was written, or both."""
        both = [before, *gives]
        kinds = {self.kind(n) for n in both}
        order = (DATA, TURNED, LINEAR, SETTLED, CONSTANT)
        self.kinds[after] = next(kind for kind in order if kind in kinds)
        if TURNED in kinds and LINEAR in kinds and DATA not in kinds:
            raise Fails("positions and what was computed from them side by side")
        self.degrees[after] = max(self.degrees.get(n, 0) for n in both)
        for some in (self.touched, self.plain):
            some.update({after} if some & {*both} else ())
        for all_of_it in (self.rows, self.weights):
            all_of_it.update({after} if all_of_it >= {*both} else ())

    def comes_of_rows(self, given: list[int], gives: tuple[int, ...]) -> None:
        """What comes of rows and constants alone, and of no number of terms."""
        known = all(n in self.rows or self.kind(n) == CONSTANT for n in given)
        if known and {*given} & self.rows and all(self.axis(n) is None for n in (*given, *gives)):
            self.rows |= {*gives}

    def weigh(self, name: str, given: list[int], gives: tuple[int, ...]) -> None:
        """Weights of a softmax over terms, and what is moved of them."""
        weighs = name in WEIGHED and self.axis(gives[0]) is not None
        if weighs or (name in MOVED and given and {*given} <= self.weights):
            self.weights |= {*gives}

    def counts(self, name: str, given: list[int], gives: tuple[int, ...]) -> bool:
        """Whether terms are added up as they are, and not weighed by a softmax: such sums may hold a number of terms."""
        if (name not in SUMMED and name not in MULTIPLIED) or {*given} & self.weights:
            return False
        return any(self.axis(n) is not None for n in given) and self.axis(gives[0]) is None

    def add_up(self, numbers: int) -> None:
        """So many numbers are sums over terms."""
        self.sums += numbers

    def meet(self, degree: int) -> None:
        """So many factors of positions were met in one number."""
        self.degree = max(self.degree, degree)

    def axis(self, number: int) -> int | None:
        """The axis of this tensor that grows; Fails where more than one does."""
        a, b, c = (step.shapes[number] for step in self.steps)
        if len({len(a), len(b), len(c)}) > 1:
            raise Fails("a tensor of the step has more axes later")
        moving = [i for i, sizes in enumerate(zip(a, b, c, strict=True)) if len(set(sizes)) > 1]
        if len(moving) > 1:
            raise Fails("a tensor of the step grows along two axes")
        return moving[0] if moving else None

    def is_wide(self, number: int) -> bool:
        """Whether positions are what they stand for in this tensor's format."""
        tensor = self.steps[0].tensors[number]
        return tensor.dtype in WIDE or (self.coarse and tensor.is_floating_point())

    def size(self, number: int) -> int:
        """Of the growing axis, at the first of the steps."""
        axis = self.axis(number)
        assert axis is not None
        return self.steps[0].shapes[number][axis]

    def kind(self, number: int) -> str:
        """Of what the tensor holds."""
        return self.kinds[number]


def degree_of(found: Uniform, name: str, operation: Operation, given: list[int], met: set[str]) -> int:
    """Of positions in data, and of numbers of terms: how many factors of them a number of the result has at most. Functions
    give numbers of their own, which have none: there it is their arguments that count.
    """
    own, with_data = [found.degrees.get(n, 0) for n in given], any(found.kind(n) == DATA for n in given)
    new = int(with_data and bool(met)) + 2 * found.counts(name, given, operation.gives)
    degree, normed = sum(own) + new, name in NORMED or name.startswith(("native_", "_native_"))
    if "multiply" in operation.given:
        raise Fails(f"aten.{name}: what it makes of a position in data is not known")
    if not degree or name in MOVED | SUMS | WRITTEN:
        return max(own, default=0) + new
    found.meet(2 * degree if normed or name in POWERS else degree)
    of_values = found.degrees.get(given[2], 0) if name in ATTENTION else 0
    powers = [math.ceil(abs(x)) for x in operation.given if type(x) in (int, float) and math.isfinite(x)]
    rules = (
        (name in FREE | WEIGHED | ATTENTION, of_values),
        (name in ("prod", "cumprod"), degree * max(found.steps[0].shapes[given[0]], default=1)),
        (name in POWERS, degree * max([2, *powers])),
        (normed or name in GATED, max(own)),
        (name in MULTIPLIED or name in PRODUCTS or name == "convolution", degree),
        (name.startswith(("var", "std", "linalg_vector_norm")), 2 * degree),
    )
    for applies, degree_then in rules:
        if applies:
            return degree_then
    raise Fails(f"aten.{name}: what it makes of a position in data is not known")


def seen_to_move(found: Uniform, number: int) -> None:
    """What moves with a position by less than constants are known by may yet move far: its floats must show that it does."""
    axis = found.axis(number)
    values = [step.tensors[number].detach() for step in found.steps]
    if not values[0].is_floating_point() or not values[0].numel():
        return
    size = values[0].shape[axis] if axis is not None else 0
    first, last = (torch.stack([part_of(v, axis, size, end) for v in values]) for end in (0, -1))
    moves = _moves(first, 0)
    if axis is not None:
        moves = (moves and (_moves(last, 0) or _stays(last, 0))) or (_stays(first, 0) and _moves(last, 0))
        moves = moves and (_moves(first, axis + 1) or _stays(first, axis + 1))
    if not moves:
        raise Fails("a function of positions that hardly moves: what becomes of it later is not seen")


def _moves(rows: Tensor, axis: int) -> bool:
    """Whether each number differs from the next one along this axis by more than constants may."""
    size = rows.shape[axis] - 1
    greater = torch.maximum(rows.narrow(axis, 0, size).abs(), rows.narrow(axis, 1, size).abs())
    return bool((rows.diff(dim=axis).abs() > VISIBLE * greater).all())


def _stays(rows: Tensor, axis: int) -> bool:
    return bool((rows.diff(dim=axis) == 0).all())


def part_of(tensor: Tensor, axis: int | None, size: int, end: int) -> Tensor:
    """So many of the oldest terms (`end` 0) or of the newest, in double precision; all of a tensor without such an axis."""
    tensor = tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)
    return tensor if axis is None else tensor.narrow(axis, tensor.shape[axis] - size if end else 0, size)
