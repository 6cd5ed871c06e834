"""What operations do along a cache that grows, and with positions: which are the same at every length.

What a tensor holds is of one of five kinds: *constant*; *settled*, a mask whose outcomes are settled; *linear*,
positions that grow evenly; *turned*, functions of such positions (cosine, sine, exponential); *data*. Each operation
that has a growing axis, a growing number or a position in it has a rule, or none: then nothing follows for other
lengths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.prove.tracing import Operation, Ref, Step
from coequal.proofs.field.arithmetic import LOW
from coequal.proofs.field.numbers.known import DOUBLE
from coequal.proofs.theorems.growth import settled

Tensor = torch.Tensor
CONSTANT, SETTLED, LINEAR, TURNED, DATA = "constant", "settled", "linear", "turned", "data"
VISIBLE = 64 * DOUBLE  # relative: constants that are nearer than DOUBLE count as one
FAR, STEEP = 2**40, 2**20  # whole numbers, and by how much they may grow in a step
WIDE = (torch.int64, torch.float64, torch.float32)  # formats of positions that are what they stand for
LARGE = -LOW / 10  # constants below LOW may be read as masks
END = 2**63 - 1  # of a slice that has none

# aten's names; what torch makes of others by itself is not listed
WRITTEN = {"copy", "index_copy", "scatter", "index_put", "_index_put_impl"}  # numbers put in the place of others
RESHAPED = {"view", "_unsafe_view", "_reshape_alias"}
MOVED = {*RESHAPED, "alias", "detach", "clone", "_to_copy", "lift_fresh", "transpose", "t", "permute", "unsqueeze",
         "squeeze", "expand", "repeat", "select", "slice", "cat", "stack", "split", "split_with_sizes", "unbind",
         "_conj"}  # fmt: skip
LINEAR_IN_EACH = {"add", "sub", "rsub", "neg", "where", "masked_fill", "copy"}
PRODUCTS = {"mul", "div", "addcmul", "addcdiv", "lerp"}
POWERS = {"pow", "square"}
GATED = {"silu", "gelu", "mish", "hardswish"}  # a number times a function of it
FUNCTIONS = {"sqrt", "rsqrt", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log1p", "relu", "sigmoid", "tanh", "elu",
             "celu", "leaky_relu", "softplus", "hardtanh", "abs", "sin", "cos", "erf", "clamp", "clamp_min", "clamp_max",
             "maximum", "minimum", "log_sigmoid_forward"}  # fmt: skip
FREE = FUNCTIONS | {"amax", "amin", "logsumexp"}  # whose values say nothing of the degree of their arguments
ELEMENTWISE = LINEAR_IN_EACH | PRODUCTS | POWERS | GATED | FUNCTIONS | {"hardsigmoid"}
LIKE = {"zeros_like", "ones_like", "full_like", "empty_like"}
SUMS = LINEAR_IN_EACH | {"sum", "mean"}
SMOOTH = {"exp", "exp2", "expm1", "sigmoid", "tanh", "sin", "cos", "erf", "silu", "gelu", "logsumexp"}
BLIND = {*MOVED, *WRITTEN, *SUMS, *POWERS, "mul", "div", "addcmul", "mm", "bmm", "addmm", "baddbmm", "convolution", "prod",
         "cumprod"}  # fmt: skip  # what does not look at signs
LOGICAL = {"logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not",
           "bitwise_xor"}  # fmt: skip
COMPARED = {"lt", "le", "gt", "ge", "eq", "ne"}
READ = {"_local_scalar_dense", "is_nonzero"}
SUMMED = {"sum", "mean", "amax", "amin", "logsumexp"}
WEIGHED = {"_softmax", "_log_softmax", "_safe_softmax"}
MULTIPLIED = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1, "mv": 0, "addmv": 1, "dot": 0}
ATTENTION = {
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_fused_sdp_choice",
}
NORMED = {"native_layer_norm", "_fused_rms_norm", "rms_norm"}
MAKING = {"arange", "full", "zeros", "ones", "empty", "scalar_tensor", "new_zeros", "new_ones", "new_full", "new_empty"}


class Modulo(Fails):
    """A position is taken modulo a number, which brings it back some steps later."""

    def __init__(self, modulus: int) -> None:
        super().__init__(f"a position is taken modulo {modulus}")
        self.modulus = modulus


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


@dataclass
class Rule:
    """One operation that has a growing axis, a growing number or a position in it."""

    found: Uniform
    name: str
    operations: tuple[Operation, ...]
    given: list[int]
    axes: dict[int, int | None]
    moving: bool  # a number that it is given grows

    @property
    def kinds(self) -> set[str]:
        return {self.found.kind(n) for n in self.given}

    @property
    def growing(self) -> list[int]:
        return [n for n in self.given if self.axes[n] is not None]

    @property
    def output(self) -> int:
        return self.operations[0].gives[0]

    def fails(self, why: str) -> Fails:
        """Why nothing follows for other lengths."""
        return Fails(f"aten.{self.name}: {why}")

    def kind(self) -> str:
        """What the operation gives; Fails where it is none that treats terms and positions alike."""
        if self.operations[0].writes and not self._counts_on():
            raise self.fails("what grows or counts is written to")
        if not self.operations[0].gives and self.name not in READ:
            raise self.fails("it gives no tensor")
        kind = self._kind()
        if kind == LINEAR and not self.found.is_wide(self.output):
            raise self.fails("a position in a format that begins anew, or rounds")
        if kind == LINEAR and self._begins_anew():
            raise self.fails("a position so large that it begins anew")
        return kind

    def _counts_on(self) -> bool:
        """Whether a position is written where one was: all of it, or another part of the same tensor."""
        return self.name in ("add", "sub", "copy") and self.kinds <= {LINEAR, CONSTANT} and not self.growing

    def _begins_anew(self) -> bool:
        """Whether whole numbers of 64 bits are, or grow, so that some day they overflow."""
        tensors = [step.tensors[self.output] for step in self.found.steps[:2]]
        ends = [int(end) for t in tensors if t.numel() and not t.is_floating_point() for end in (t.min(), t.max())]
        return any(abs(end) >= FAR for end in ends) or (len(ends) == 4 and abs(ends[2] - ends[0]) >= STEEP)

    def _kind(self) -> str:
        own = next((rule for applies, rule in self._rules() if applies), None)
        if own is not None:
            return own()
        if self.name in RESHAPED:
            self.reshaped()
        elif self.name in MOVED:
            self.moved()
        elif self.name in ELEMENTWISE | LOGICAL | LIKE:
            self.element_by_element()
        elif self.name in SUMMED or self.name in WEIGHED:
            self.summed()
        elif self.name in MULTIPLIED:
            self.multiplied()
        elif self.name in ATTENTION:
            self.attention()
        elif self.name in NORMED:
            self.normed()
        else:
            raise self.fails("what it does along a cache, or with a position, is not known to be the same at every length")
        return self._held()

    def _rules(self) -> list[tuple[bool, Callable[[], str]]]:
        """Operations that say themselves what they give."""
        ones = self.name == "cumsum" or (self.name == "sum" and bool(self.growing) and self.kinds == {CONSTANT})
        asked = self.name in READ and self.kinds == {SETTLED} and not self.growing
        looked_up = self.name == "index" and bool(self.given) and self.axes[self.given[0]] is not None
        return [
            (self.name in MAKING, self.made),
            (self.name in COMPARED, self.compared),
            (self.name == "remainder", self.comes_back),
            (ones, self.counted),
            (looked_up, self.indexed),
            (asked, lambda: SETTLED),
        ]

    # -- what the result holds -----------------------------------------------------------------------------------------

    def _held(self) -> str:
        kinds = self.kinds
        if self.moving and self.name not in MOVED:
            if self.name not in ("add", "sub", "rsub", "mul") or self._numbers_moving() != 1:
                raise self.fails("a size or position is used as a number")
            kinds = kinds | {LINEAR}
        if DATA in kinds:
            return self._data(kinds)
        if LINEAR in kinds and self.name not in LIKE:
            return self._linear(kinds)
        if TURNED in kinds and self.name not in LIKE:
            return self._turned()
        if SETTLED in kinds and self.name not in LIKE:
            if self.name in MOVED | ELEMENTWISE | LOGICAL:
                return SETTLED
            raise self.fails("of a mask")
        return CONSTANT

    def _data(self, kinds: set[str]) -> str:
        """Positions may be added to data, and data multiplied by them; weights may be masked."""
        if kinds & {LINEAR, TURNED}:
            self._small()
            turned = LINEAR not in kinds and self.name in (*ATTENTION, "mm", "bmm", "cat")
            added = self.name in ("addmm", "baddbmm") and {self.found.kind(n) for n in self.given[1:]} <= {DATA, CONSTANT}
            if not (turned or added) and self.name not in ("add", "sub", "rsub", "mul"):
                raise self.fails("data and positions meet")
        return CONSTANT if self.name in LIKE else DATA

    def _small(self) -> None:
        """Constants below some size stand for minus infinity, and positions may come back from there."""
        positions = [n for n in self.given if self.found.kind(n) in (LINEAR, TURNED)]
        tensors = [step.tensors[n] for step in self.found.steps for n in positions if step.tensors[n].numel()]
        numbers = [abs(x) for operation in self.operations for x in operation.given if type(x) is int and self.moving]
        if max([float(t.abs().max()) for t in tensors] + [float(n) for n in numbers], default=0.0) >= LARGE:
            raise self.fails("a position so large that it may stand for a mask")

    def _linear(self, kinds: set[str]) -> str:
        """A number that grows evenly: shifted and scaled it does so still; turned it is an angle's, or a power."""
        if self.name in MOVED or self.name == "neg":
            if TURNED in kinds:
                raise self.fails("positions and what was computed from them side by side")
            a, b = (self.found.steps[0].tensors[n] for n in (self.given[0], self.output))
            tensors = [step.tensors[self.given[0]] for step in self.found.steps]
            if a.is_floating_point() and not b.is_floating_point() and not all(map(_whole, tensors)):
                raise self.fails("a position is made a whole number")
            return LINEAR
        if self.name in ("add", "sub", "rsub", "copy") and kinds <= {LINEAR, CONSTANT}:
            return LINEAR
        if self.name == "where" and self._chooses():
            return LINEAR
        if self.name in ("mul", "mm", "bmm") and kinds <= {LINEAR, CONSTANT} and self._linear_parts() == 1:
            if self.name != "mul" and self.growing and self._contracts():
                raise self.fails("positions are added up")
            return LINEAR
        if self.name == "div" and self.found.kind(self.given[0]) == LINEAR and self._linear_parts() == 1:
            if "rounding_mode" in self.operations[0].given:
                raise self.fails("a position is divided, and rounded")
            return LINEAR
        if self.name in ("cos", "sin", "exp") and kinds == {LINEAR}:
            return TURNED
        raise self.fails("of a position")

    def _chooses(self) -> bool:
        """Whether one of two numbers is taken at each place, the same one at every length."""
        chosen = self.given[0]
        return self.found.kind(chosen) in (SETTLED, CONSTANT) and all(axis is None for axis in self.axes.values())

    def _linear_parts(self) -> int:
        return sum(self.found.kind(n) == LINEAR for n in self.given) + self._numbers_moving()

    def _turned(self) -> str:
        if self.name in MOVED or self.name in ("neg", "add", "sub", "rsub"):
            return TURNED
        if self.name == "mul" and sum(self.found.kind(n) == TURNED for n in self.given) == 1:
            return TURNED
        if self.name in ("where", "masked_fill") and sum(self.found.kind(n) == TURNED for n in self.given) == 1:
            return TURNED
        raise self.fails("of what was computed from positions")

    def _numbers_moving(self) -> int:
        """Growing numbers among the arguments themselves."""
        given = zip(*(operation.given for operation in self.operations), strict=True)
        return sum(type(a) is int and a != b for a, b, _ in given)

    # -- numbers that are made -----------------------------------------------------------------------------------------

    def made(self) -> str:
        """Positions in order, or constants as many as there are."""
        if not self.moving:
            return CONSTANT
        if self.name == "arange":
            steps = [numbers[2] for numbers in self._numbers() if len(numbers) > 2 and type(numbers[2]) is int]
            if len(set(steps)) > 1:
                raise self.fails("positions whose distance grows")
        numbers = [[x for x in n if type(x) in (int, float)] for n in self._numbers()]
        return LINEAR if self.name in ("arange", "scalar_tensor") or numbers[0] != numbers[1] else CONSTANT

    def comes_back(self) -> str:
        """The remainder of a position that is the same a period later."""
        modulus = self.operations[0].given[1] if len(self.operations[0].given) == 2 else None
        if (
            self.moving
            or type(modulus) is not int
            or modulus < 1
            or self.kinds != {LINEAR}
            or self.axes[self.output] is not None
        ):
            raise self.fails("of a position")
        a, b, c = (step.values[self.given[0]] for step in self.found.steps)
        if a.dtype != torch.int64 or bool((((b - a) % modulus) | ((c - b) % modulus)).any()):
            raise Modulo(modulus)
        return CONSTANT

    def counted(self) -> str:
        """A sum of as many ones as there are, and all sums on the way: positions in order."""
        axis = self.axes[self.given[0]]
        along = self.name == "sum" or axis == self._axis(self._numbers(), 0, self.given[0])
        if axis is None or self.kinds != {CONSTANT} or not along:
            raise self.fails("what it does along a cache, or with a position, is not known to be the same at every length")
        tensors = [step.tensors[self.given[0]] for step in self.found.steps]
        if any(t.dtype not in (*WIDE, torch.bool) or bool((t != t.flatten()[0]).any()) or not _whole(t) for t in tensors):
            raise self.fails("of what is not the same whole number everywhere")
        return LINEAR

    def indexed(self) -> str:
        """Of what is the same number everywhere, at places within it."""
        table, axis = self.given[0], self.axes[self.given[0]]
        assert axis is not None
        places = self.operations[0].given[1]
        if self.found.kind(table) != CONSTANT or self.axes[self.output] is None or len(places) <= axis:
            raise self.fails("a place in a cache that it may not have reached")
        tensors = [step.tensors[table] for step in self.found.steps]
        if any(bool((t != t.flatten()[0]).any()) for t in tensors):
            raise self.fails("of what is not the same number everywhere")
        place = places[axis]
        if place is not None:
            if place.number not in self.axes or self.found.kind(place.number) != LINEAR:
                raise self.fails("a place in a cache that it may not have reached")
            values = [step.values[place.number].long() for step in self.found.steps]
            beyond = [step.shapes[table][axis] - value for step, value in zip(self.found.steps, values, strict=True)]
            if not all(settled(sides, self.axes[place.number]) for sides in ([v + 1 for v in values], beyond)):
                raise self.fails("a place in a cache that it may not have reached")
            if any(bool((v < 0).any() or (b <= 0).any()) for v, b in zip(values, beyond, strict=True)):
                raise self.fails("a place in a cache that it has not reached")
        return CONSTANT

    # -- along the growing axis ----------------------------------------------------------------------------------------

    def reshaped(self) -> None:
        """The growing axis stays one of its own: as many numbers before it, and behind it."""
        before, after = self.axes[self.given[0]], self.axes[self.output]
        if before is None and after is None:
            return
        if before is None or after is None:
            raise self.fails("the cache's axis is gone")
        shapes = [self.found.steps[0].shapes[n] for n in (self.given[0], self.output)]
        if [math.prod(shapes[0][:before]), math.prod(shapes[0][before + 1 :])] != [
            math.prod(shapes[1][:after]),
            math.prod(shapes[1][after + 1 :]),
        ]:
            raise self.fails("the cache's axis is mixed with another one")

    def moved(self) -> None:
        """Parts of the growing axis begin or end where they do at every length."""
        first = self.given[0]
        axis, numbers = self.axes[first], self._numbers()
        if self.name == "cat":
            if len(self.growing) > 1 and self.axes[self.output] == self._axis(numbers, 0, first):
                raise self.fails("two caches one behind the other")
        elif self.name == "repeat":
            self._repeated()
        elif axis is None:
            if self.moving and self.name != "expand":
                raise self.fails("a place in a table that moves on")
        elif self.name in ("split", "split_with_sizes", "chunk", "unbind"):
            if axis == self._axis(numbers, 0 if self.name == "unbind" else 1, first):
                raise self.fails("a cache is taken apart")
        elif self._is_mask():
            raise self.fails("some places of a mask")
        elif self.name == "select" and axis == self._axis(numbers, 0, first):
            self._within([n[1] if len(n) > 1 else 0 for n in numbers], first, last=True)
        elif self.name == "slice" and axis == self._axis(numbers, 0, first):
            for number in numbers:
                if len(number) > 3 and number[3] != 1:
                    raise self.fails("only some of a cache's terms, one in so many")
            self._within([n[1] if len(n) > 1 and n[1] is not None else 0 for n in numbers], first)
            self._within([n[2] if len(n) > 2 and n[2] is not None else END for n in numbers], first)

    def _repeated(self) -> None:
        """Everything but the cache itself."""
        axis, last = self.axes[self.given[0]], self.axes[self.output]
        if axis is None and not self.moving:
            return
        before, after = (self.found.steps[0].shapes[n] for n in (self.given[0], self.output))
        if axis is None or last is None or len(before) - axis != len(after) - last or before[axis] != after[last]:
            raise self.fails("a cache that is repeated")

    def _is_mask(self) -> bool:
        """Outcomes are the same counted from one end; a place that is counted from the other one has others later."""
        return SETTLED in self.kinds and self.axes[self.output] is None

    def _numbers(self) -> list[list[Any]]:
        """What each of the three was given besides tensors, without names."""
        return [[x for x in o.given if not isinstance(x, (Ref, str, tuple))] for o in self.operations]

    def _axis(self, numbers: list[list[Any]], place: int, tensor: int) -> int:
        axis = numbers[0][place] if len(numbers[0]) > place and type(numbers[0][place]) is int else 0
        return axis % max(1, len(self.found.steps[0].shapes[tensor]))

    def _within(self, ends: list[int], tensor: int, *, last: bool = False) -> None:
        """A place counted from the beginning or from the end that is within the cache, and stays so."""
        if all(end >= END for end in ends) and not last:
            return
        size = self.found.size(tensor)
        first, second, _ = ends
        growth = second - first
        axis = self.axes[tensor]
        assert axis is not None
        slope = self.found.steps[1].shapes[tensor][axis] - size
        if growth not in (0, slope):
            raise self.fails("a place in a cache that moves otherwise than the cache grows")
        if growth and first < 0:
            raise self.fails("a place in a cache that it has not reached")
        if not (-size <= first <= size - last):
            raise self.fails(f"a place in a cache, {first}, that it has not reached: it is {size} long")

    def element_by_element(self) -> None:
        """Growing axes lie on one another."""
        output = self.axes[self.output]
        behind = {len(self.found.steps[0].shapes[n]) - axis for n, axis in self.axes.items() if axis is not None}
        if len(behind) > 1 or (output is None and self.growing):
            raise self.fails("the axes of two caches do not lie on one another")
        if self.name in LOGICAL and not self.kinds <= {SETTLED, CONSTANT}:
            raise self.fails("of what is no mask")

    def summed(self) -> None:
        """Each row that is weighed or added up adds to what must be compared."""
        if not self.growing:
            if self.kinds & {LINEAR, TURNED}:
                raise self.fails("of a position")
            return
        if not self.kinds <= {DATA}:
            raise self.fails("of what is no data")
        shape = self.found.steps[0].shapes[self.growing[0]]
        self.found.add_up(math.prod(shape) // self.found.size(self.growing[0]))

    def multiplied(self) -> None:
        """A product along the growing axis is a sum of terms."""
        if self.growing and self._contracts():
            if not self.kinds <= {DATA, SETTLED, CONSTANT, TURNED} or DATA not in self.kinds:
                raise self.fails("positions are added up")
            self.found.add_up(math.prod(self.found.steps[0].shapes[self.output]))

    def _contracts(self) -> bool:
        left, right = self.given[MULTIPLIED[self.name] :][:2]
        a, b = self.axes[left], self.axes[right]
        dims = len(self.found.steps[0].shapes[left]), len(self.found.steps[0].shapes[right])
        inner = a == dims[0] - 1 if a is not None else False
        other = (b == max(0, dims[1] - 2)) if b is not None else False
        if inner != other:
            raise self.fails("a cache is multiplied by what does not grow with it")
        return inner

    def attention(self) -> None:
        """Queries that do not grow, keys and values that do; masks are given, not implied."""
        query, *others = self.given[:3]
        if not self.growing:
            return
        if self.axes[query] is not None or any(self.axes[n] is None for n in others):
            raise self.fails("queries that grow, or keys that do not")
        given = self.operations[0].given
        if any(x is True for x in given):
            raise self.fails("its mask is implied by sizes")
        if self.moving or any(self.found.kind(n) == LINEAR for n in self.given):
            raise self.fails("a size or position is used as a number")
        rows, weighed = self.found.steps[0].shapes[query][:-1], self.found.steps[0].shapes[self.output]
        self.found.add_up(math.prod(rows) + math.prod(weighed))

    def normed(self) -> None:
        """Over axes that do not grow."""
        shape, axis = self.found.steps[0].shapes[self.given[0]], self.axes[self.given[0]]
        sizes = next((x for x in self.operations[0].given if type(x) is tuple), ())
        if axis is not None and axis >= len(shape) - len(sizes):
            raise self.fails("a mean over the cache itself")

    # -- masks ---------------------------------------------------------------------------------------------------------

    def compared(self) -> str:
        """Positions with one another: the same at every length, but for terms that come before or behind."""
        if DATA in self.kinds or TURNED in self.kinds:
            raise self.fails("it compares data")
        sides = []
        for step, operation in zip(self.found.steps, self.operations, strict=True):
            values = [self._value(step, x) for x in operation.given[:2]]
            sides.append((values[0] - values[1]).expand(step.shapes[operation.gives[0]]))
        if not settled(sides, self.axes[self.output]):
            raise self.fails("positions are compared with what they have not passed")
        return SETTLED

    def _value(self, step: Step, thing: Any) -> Tensor:
        if type(thing) is int:
            return torch.tensor(thing)
        if isinstance(thing, Ref) and thing.number in step.values:
            return step.values[thing.number].long()
        raise self.fails("it compares numbers that are not whole")


def _whole(tensor: Tensor) -> bool:
    """Whether there are whole numbers alone: of a position at three lengths, then those of all other lengths are."""
    return bool((tensor == tensor.round()).all()) if tensor.is_floating_point() else True


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
