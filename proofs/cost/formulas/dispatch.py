"""The entry points, by single dispatch on the layers of the reference; each operator family registers its own formulas.

    clip_cost(layer, shape)     of a whole clip of that shape
    step_cost(layer, shape)     of a frame in steady state: mean and worst over one period
    state_size(layer, shape)    numbers that a stream keeps
    domains(layer, shape)       the iteration domains whose sizes the multiplications are
    output_shape(layer, shape)  as the layer's own, also for letters

Entries of a shape are integers or sympy symbols. A layer without a formula raises NoFormula, which names it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, CostError, Size
from coequal.proofs.cost.algebra.domain import Domain
from coequal.proofs.cost.algebra.phases import Steps
from coequal.proofs.cost.algebra.symbols import T, is_number
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing

Sizes = tuple[Size, ...]
PADDINGS = ("nominal", "effective")
MOST = 1 << 15  # answers of a formula that are kept


class NoFormula(CostError):
    """A layer whose cost nobody has derived: an error, never a silent zero."""

    def __init__(self, what: str, layer: object) -> None:
        name = type(layer).__name__
        super().__init__(f"{name}: no formula for its {what}; register one with coequal.proofs.cost.formulas.dispatch")


class NotStreamable(CostError):
    """A layer that needs the whole clip has no cost of a step."""


@dataclass(frozen=True)
class Part:
    """A layer inside another one: what it is called, the clip it gets, how often it is applied."""

    name: str
    layer: Layer
    shape: Sizes
    times: Size = 1


class Formulas:
    """Single dispatch on the very class of a layer: a subclass may compute something else, so it inherits no formula."""

    def __init__(self, default: Callable) -> None:
        functools.update_wrapper(self, default)
        self._generic = functools.singledispatch(default)

    def register(self, *given: Any) -> Any:
        """As of functools.singledispatch."""
        return self._generic.register(*given)

    def __call__(self, layer: Any, *args: Any, **options: Any) -> Any:
        """The formula of `type(layer)`, or the default."""
        registry = self._generic.registry
        return registry.get(type(layer), registry[object])(layer, *args, **options)


class Kept(Formulas):
    """The same, whose answers are kept: equal layers stand many times in a network, and in many networks."""

    def __init__(self, default: Callable) -> None:
        super().__init__(default)
        self._known = functools.lru_cache(MOST)(super().__call__)

    def register(self, *given: Any) -> Any:
        """As of functools.singledispatch."""
        self._known.cache_clear()
        return super().register(*given)

    def __call__(self, layer: Any, *args: Any, **options: Any) -> Any:
        """The formula of `type(layer)`, or the default."""
        try:
            return self._known(layer, *args, **options)
        except TypeError as error:  # of what cannot be looked up
            if "unhashable" not in str(error):
                raise
        return super().__call__(layer, *args, **options)


# -- what families register --------------------------------------------------------------------------------------------


@Kept
def clip_formula(layer: Any, shape: Sizes, padding: str) -> Cost:
    """Cost of a clip; padding "nominal" or "effective"."""
    raise NoFormula("clip", layer)


@Kept
def step_formula(layer: Any, shape: Sizes, padding: str) -> Steps:
    """Cost of the steps of a period; by default that of a clip of one frame, for layers that look at nothing else."""
    if layer.timing != Timing():
        raise NoFormula("step", layer)
    return Steps((clip_formula(layer, one_frame(layer, shape), padding),))


@Kept
def state_formula(layer: Any, shape: Sizes) -> Size:
    """Numbers kept between steps; by default none, for layers that look at one frame."""
    if layer.timing != Timing():
        raise NoFormula("state", layer)
    return 0


@Kept
def shape_formula(layer: Any, shape: Sizes) -> Sizes:
    """Output shape for letters; by default the shape itself, for layers that say so of a small clip."""
    raise NoFormula("output shape", layer)


@Formulas
def domains(layer: Any, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    """Iteration domains of the products of one layer, by name; those of layers inside are theirs."""
    return {}


@Formulas
def parts(layer: Any, shape: Sizes) -> list[Part]:
    """The layers inside, with the clip that each gets; none for an operator."""
    return []


# -- what everybody calls ----------------------------------------------------------------------------------------------


def clip_cost(layer: Layer, shape: Sizes, *, padding: str = "nominal") -> Cost:
    """Cost of one clip of `shape`, whose entries are integers or letters.

    `padding`: "nominal" counts products with padding and with what a mask hides, as libraries execute them; "effective"
    does not. ValueError names an axis that does not fit, NoFormula a layer without a formula.
    """
    _known(padding)
    output_shape(layer, shape)
    return clip_formula(layer, tuple(shape), padding)


def step_cost(layer: Layer, shape: Sizes, *, padding: str = "nominal") -> Steps:
    """Cost of one frame in steady state; `shape` is that of a clip, whose frames matter alone.

    Causal attention, whose work grows, is taken at the token `T` of the shape. `padding` is that in space: in steady state
    there is none in time. NotStreamable: it needs the whole clip.
    """
    _known(padding)
    _streamable(layer, shape)
    return step_formula(layer, tuple(shape), padding)


def state_size(layer: Layer, shape: Sizes) -> Size:
    """Numbers that a stream of `layer` keeps between steps: the rings of inputs that its windows need."""
    _streamable(layer, shape)
    return state_formula(layer, tuple(shape))


def output_shape(layer: Layer, shape: Sizes) -> Sizes:
    """Shape of the output; ValueError of the layer itself where the sizes are numbers."""
    if all(map(is_number, shape)):
        return tuple(layer.output_shape(tuple(shape)))
    return tuple(shape_formula(layer, tuple(shape)))


def params(layer: Layer) -> int:
    """Numbers that are learned: all parameters but running statistics."""
    learned = (s for name, s in layer.parameters().items() if not name.rpartition(".")[2].startswith(BUFFERS))
    return sum(map(math.prod, learned))


BUFFERS = ("running_", "num_batches_tracked", "adjacency")


def by_layer(layer: Layer, shape: Sizes, name: str = "") -> dict[str, Cost]:
    """Cost of a clip for every operator inside, by its path; what a container adds (sums of branches) under its own."""
    own, costs = clip_formula(layer, tuple(shape), "nominal"), dict[str, Cost]()
    for part in parts(layer, shape):
        inside = by_layer(part.layer, part.shape, f"{name}.{part.name}" if name else part.name)
        costs |= {path: cost * part.times for path, cost in inside.items()}
        own += clip_formula(part.layer, part.shape, "nominal") * part.times * -1
    own = Cost({kind: ops for kind, ops in own.simplify().items.items() if any(value != 0 for value in ops.values())})
    return costs | ({name: own} if own.items or not costs else {})


def one_frame(layer: Layer, shape: Sizes) -> Sizes:
    """The shape with one frame."""
    time = time_axis(layer)
    return (*shape[:time], 1, *shape[time + 1 :])


def time_axis(layer: Layer) -> int:
    """Its time axis; 2 where any will do."""
    return 2 if layer.time is None else layer.time


def after(layer: Layer, shape: Sizes) -> Sizes:
    """Output shape for a stream: the time axis keeps its entry."""
    time, frames = time_axis(layer), shape_formula(layer, endless(layer, shape))
    return (*frames[:time], shape[time], *frames[time + 1 :])


def endless(layer: Layer, shape: Sizes) -> Sizes:
    """The shape with the letter T for its frames: long enough for anything."""
    time = time_axis(layer)
    return (*shape[:time], T, *shape[time + 1 :])


def _known(padding: str) -> None:
    if padding not in PADDINGS:
        raise CostError(f"cost: padding is one of {', '.join(map(repr, PADDINGS))}, got {padding!r}")


def _streamable(layer: Layer, shape: Sizes) -> None:
    timing = layer.timing
    if timing is None:
        raise NotStreamable(
            f"{_culprit(layer)} needs the whole clip, so a step of it has no cost; give it a window, or ask for --mode clip"
        )
    if all(map(is_number, shape)) and layer.time is not None:
        reach = timing.receptive_field
        length = shape[layer.time] if reach == float("inf") else max(shape[layer.time], int(reach))
        layer.output_shape((*shape[: layer.time], length, *shape[layer.time + 1 :]))


def _culprit(layer: Any) -> str:
    """The innermost layer that cannot be streamed."""
    inside = getattr(layer, "branches", None) or {str(i): child for i, child in enumerate(getattr(layer, "layers", ()))}
    guilty = [f"{name} ({_culprit(child)})" for name, child in inside.items() if child.timing is None]
    return guilty[0] if guilty else type(layer).__name__
