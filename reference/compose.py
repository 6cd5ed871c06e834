"""Layers made of layers: one after the other, side by side, and around a shortcut.

    Sequential   y = f_n( ... f_1(x))
    Parallel     y[t] = f_1(x)[t] + f_2(x)[t] + ...      (sum; or the product, or the channels one after the other; or
                                                          a f_1(x)[t] + b of two, a and b the halves of f_2(x)[t])
    Residual     y[t] = main(x)[t] + shortcut(x)[t]      (the shortcut is x itself unless given)

The outputs of side-by-side branches are combined frame by frame, so they must have the same number of frames: a branch
that shortens the clip must be padded. Parameters of a child carry its name as a prefix, as in torch.nn.

Sources: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, equation 1 (residual); Perez,
Strub, de Vries, Dumoulin & Courville, "FiLM: Visual reasoning with a general conditioning layer", AAAI 2018, equation 2
(affine).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Framewise, Layer, Parameters, Shape, scope
from coequal.reference.timing import Timing


def concatenate(branches: Sequence[Array], axis: int) -> Array:
    """The channels of all branches, one after the other: `y[:, c] = branches[i][:, c - offset_i]`."""
    return np.concatenate(list(branches), axis=axis)


def affine(clip: Array, factors: Array, axis: int) -> Array:
    """`a x + b`: factors a are the first half of the channels, terms b the second, as in feature-wise linear modulation."""
    scale, shift = np.split(factors, 2, axis=axis)
    return clip * scale + shift


def combine_loops(branches: Sequence[Array], reduce: str, axis: int) -> Array:
    """Naive form: one element of the (equally shaped) branches at a time; `axis` holds the channels."""
    first, *others = (np.moveaxis(np.asarray(branch), axis, 0) for branch in branches)
    if reduce == "concatenate":
        return np.moveaxis(np.stack([channel for branch in (first, *others) for channel in branch]), 0, axis)
    result = first.copy()
    for index in np.ndindex(*first.shape):
        for branch in others:
            if reduce == "affine":
                c, *rest = index
                shift = branch[(first.shape[0] + c, *rest)]
                result[index] = result[index] * branch[index] + shift
            else:
                result[index] = result[index] + branch[index] if reduce == "sum" else result[index] * branch[index]
    return np.moveaxis(result, 0, axis)


def combine(branches: Sequence[Array], reduce: str, axis: int) -> Array:
    """The outputs of side-by-side branches as one clip; `axis` holds the channels (used by concatenation)."""
    return REDUCTIONS[reduce](branches, axis)


REDUCTIONS: dict[str, Callable[[Sequence[Array], int], Array]] = {
    "sum": lambda branches, axis: functools.reduce(operator.add, branches),
    "product": lambda branches, axis: functools.reduce(operator.mul, branches),
    "concatenate": concatenate,
    "affine": lambda branches, axis: affine(branches[0], branches[1], axis),
}


@dataclass(frozen=True)
class Identity(Framewise):
    """`y = x`, on clips of any layout."""

    time: int | None = None

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself."""
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The clip itself."""
        return clip


@dataclass(frozen=True)
class Sequential:
    """Layers one after the other; the parameters of layer `i` are called `"i.<name>"`, as in torch.nn.Sequential."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        _common_time("Sequential", self.layers)

    @property
    def time(self) -> int | None:
        """The time axis that the layers agree on."""
        return self._axis

    @functools.cached_property
    def _axis(self) -> int | None:
        return _common_time("Sequential", self.layers)

    @property
    def timing(self) -> Timing | None:
        """The timings composed; None as soon as one layer needs the whole clip."""
        return self._composed

    @functools.cached_property
    def _composed(self) -> Timing | None:  # once: a tree asks each of its parts again and again
        timings = [layer.timing for layer in self.layers]
        if any(timing is None for timing in timings):
            return None
        return functools.reduce(Timing.then, timings, Timing())  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes, `"0.weight"` and so on."""
        return _prefixed((str(i), layer) for i, layer in enumerate(self.layers))

    def output_shape(self, shape: Shape) -> Shape:
        """Shape after the last layer; an error names the layer it comes from."""
        for i, first in enumerate(self._firsts):
            seen, layer = (first, tuple(shape)), self.layers[i]
            if seen not in self._shapes:
                self._shapes[seen] = _at(f"Sequential: layer {i} ({type(layer).__name__})", layer, shape)
            shape = self._shapes[seen]
        return tuple(shape)

    @functools.cached_property
    def _firsts(self) -> list[int]:
        """Where each layer stands for the first time: a block is often many times in a network."""
        places = {id(layer): i for i, layer in reversed(list(enumerate(self.layers)))}
        return [places[id(layer)] for layer in self.layers]

    @functools.cached_property
    def _shapes(self) -> dict[tuple[int, Shape], Shape]:  # shapes that were asked for
        return {}

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The layers applied in order."""
        for i, layer in enumerate(self.layers):
            clip = layer(scope(parameters, str(i)), clip)
        return clip


class _SideBySide:
    """What Parallel and Residual share: named branches on the same clip, combined frame by frame."""

    reduce: str

    @property
    def branches(self) -> dict[str, Layer]:
        """The branches by the name that prefixes their parameters."""
        raise NotImplementedError

    def _check(self) -> None:
        if self.reduce not in REDUCTIONS:
            raise ValueError(f"{_name(self)}: reduce is one of {', '.join(map(repr, REDUCTIONS))}, got {self.reduce!r}")
        _common_time(_name(self), self.branches.values())
        strides = {name: layer.timing.stride for name, layer in self.branches.items() if layer.timing is not None}
        if len(set(strides.values())) > 1:
            raise ValueError(f"{_name(self)}: branches must have the same stride in time, got {_listed(strides)}")

    @property
    def time(self) -> int | None:
        """The time axis that the branches agree on."""
        return self._axis

    @functools.cached_property
    def _axis(self) -> int | None:
        return _common_time(_name(self), self.branches.values())

    @property
    def timing(self) -> Timing | None:
        """The union of the branches' receptive fields; None as soon as one branch needs the whole clip."""
        return self._united

    @functools.cached_property
    def _united(self) -> Timing | None:
        timings = [layer.timing for layer in self.branches.values()]
        return None if None in timings else functools.reduce(Timing.beside, timings)  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes, each prefixed by its branch."""
        return _prefixed(self.branches.items())

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the combined outputs; ValueError names lengths that differ."""
        return self._combined(
            {name: _at(f"{_name(self)}: branch {name}", layer, shape) for name, layer in self.branches.items()}
        )

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """All branches on the same clip, combined; ValueError names lengths that differ."""
        outputs = {name: layer(scope(parameters, name), clip) for name, layer in self.branches.items()}
        self._combined({name: tuple(output.shape) for name, output in outputs.items()})
        return combine(list(outputs.values()), self.reduce, _channel_axis(self.time))

    def _combined(self, shapes: dict[str, Shape]) -> Shape:
        """Shape of the combination. A branch that sums up the whole clip (timing None) may give one frame for all."""
        if self.time is not None:
            lengths = {name: shape[self.time] for name, shape in shapes.items()}
            summary = {n for n, layer in self.branches.items() if layer.timing is None and self.reduce != "concatenate"}
            if len({length for name, length in lengths.items() if not (name in summary and length == 1)}) > 1:
                raise ValueError(
                    f"{_name(self)}: branches must give the same number of frames (axis {self.time}),"
                    f" got {_listed(lengths)}: pad the shorter branch in time"
                )
        if self.reduce == "concatenate":
            return _concatenated_shape(_name(self), shapes, _channel_axis(self.time))
        if self.reduce == "affine":
            shapes = _modulated(_name(self), shapes, _channel_axis(self.time))
        try:
            return tuple(np.broadcast_shapes(*shapes.values()))
        except ValueError:
            raise ValueError(
                f"{_name(self)}: the {self.reduce} of branches needs shapes that broadcast, got {_listed(shapes)}"
            ) from None


@dataclass(frozen=True)
class Parallel(_SideBySide):
    """Layers side by side on the same clip, combined frame by frame; the parameters of layer `i` are called `"i.<name>"`.

    `reduce`: "sum", "product" or "concatenate" (of the channels: axis 1, or the last axis of tokens `(B, T, E)`); or
    "affine" of two layers, the second of which gives twice as many channels as the first: factors, then terms.
    """

    layers: tuple[Layer, ...]
    reduce: str = "sum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("Parallel: needs at least one layer, got none")
        self._check()

    @property
    def branches(self) -> dict[str, Layer]:
        """The layers by their index."""
        return {str(i): layer for i, layer in enumerate(self.layers)}


@dataclass(frozen=True)
class Residual(_SideBySide):
    """A layer beside its shortcut: `main(x) + x`, or `main(x) + shortcut(x)`; parameters `"main.*"`, `"shortcut.*"`.

    `reduce`: as in Parallel ("product" makes a gate, "concatenate" a dense block).
    """

    main: Layer
    shortcut: Layer | None = None
    reduce: str = "sum"

    def __post_init__(self) -> None:
        self._check()

    @property
    def branches(self) -> dict[str, Layer]:
        """`main`, and `shortcut`, which is the identity unless given."""
        return {"main": self.main, "shortcut": Identity() if self.shortcut is None else self.shortcut}


def _name(layer: object) -> str:
    return type(layer).__name__


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _common_time(where: str, layers: Iterable[Layer]) -> int | None:
    axes = {layer.time for layer in layers} - {None}
    if len(axes) > 1:
        raise ValueError(
            f"{where}: layers must agree on the time axis, got {sorted(axes)}"  # type: ignore[type-var]
            " (2 is (B, C, T, ...), 1 is (B, T, E)): transpose between them"
        )
    return next(iter(axes), None)


def _prefixed(children: Iterable[tuple[str, Layer]]) -> dict[str, Shape]:
    return {f"{child}.{name}": shape for child, layer in children for name, shape in layer.parameters().items()}


def _at(where: str, layer: Layer, shape: Shape) -> Shape:
    """`layer.output_shape(shape)`, whose error says where in the tree it happened."""
    try:
        return tuple(layer.output_shape(shape))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _channel_axis(time: int | None) -> int:
    return -1 if time == 1 else 1


def _modulated(what: str, shapes: dict[str, Shape], axis: int) -> dict[str, Shape]:
    """The shapes of what is scaled and of its factors; ValueError unless there are two branches, of C and 2 C channels."""
    first, *others = shapes.values()
    if len(others) != 1 or others[0][axis] != 2 * first[axis]:
        raise ValueError(f"{what}: affine needs two branches, of C and of 2 C channels, got {_listed(shapes)}")
    place = axis % len(first)
    halved = (*others[0][:place], first[place], *others[0][place + 1 :])
    return dict(zip(shapes, (first, halved), strict=True))


def _concatenated_shape(where: str, shapes: dict[str, Shape], axis: int) -> Shape:
    first = next(iter(shapes.values()))
    axis %= len(first)
    if len({(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes.values()}) > 1:
        raise ValueError(f"{where}: concatenated branches may differ in channels (axis {axis}) only, got {_listed(shapes)}")
    return (*first[:axis], sum(shape[axis] for shape in shapes.values()), *first[axis + 1 :])
