"""Clips of one or of several tensors: which axis of each is time and which rows; parts of a clip, single frames, joins.

An input is a tensor, or a tuple or a dictionary of tensors. A tensor without a time axis (a speaker's embedding, an
encoder's states) does not move with time: it is handed whole to the clip function, and to every step.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor
Tree = Any  # a tensor, or a tuple or dictionary of tensors, as it goes through the harness
Example = Tensor | tuple[Tensor, ...] | list[Tensor] | Mapping[str, Tensor]  # the same, as a subject names it
AxesLike = int | None | tuple[int | None, ...] | list[int | None] | Mapping[str, int | None]
Axes = dict[str, int | None]
T = TypeVar("T")


def leaves_of(x: Tree) -> dict[str, Tensor]:
    """The tensors of an input by name: a dictionary's keys, the places of a tuple, "" for a tensor alone."""
    if isinstance(x, Tensor):
        return {"": x}
    if isinstance(x, Mapping):
        return {str(name): leaf for name, leaf in x.items()}
    return {str(i): leaf for i, leaf in enumerate(x)}


def with_leaves(x: Tree, leaves: Mapping[str, Tensor]) -> Tree:
    """An input of the same kind with these tensors."""
    if isinstance(x, Tensor):
        return leaves[""]
    if isinstance(x, Mapping):
        return {name: leaves[str(name)] for name in x}
    return tuple(leaves[str(i)] for i in range(len(x)))


def mapped(function: Callable[[Tensor], Tensor], x: Tree) -> Tree:
    """An input of the same kind, each tensor by itself."""
    if isinstance(x, Tensor):
        return function(x)
    return with_leaves(x, {name: function(leaf) for name, leaf in leaves_of(x).items()})


def cloned(x: Tree, memory_format: torch.memory_format = torch.contiguous_format) -> Tree:
    """A copy that shares no memory."""
    return mapped(lambda leaf: leaf.clone(memory_format=memory_format), x)


def shapes(x: Tree) -> str:
    """`(1, 4, 10)`, or `frame (1, 4, 10), mask (1, 10)`."""
    if isinstance(x, Tensor):
        return str(tuple(x.shape))
    return ", ".join(f"{name} {tuple(leaf.shape)}" for name, leaf in leaves_of(x).items())


def called(function: Callable[..., T], x: Tree, what: str) -> T:
    """`function(x)`, `function(*x)` or `function(**x)`; BadSubject where it takes another number of inputs."""
    args, kwargs = _arguments(x)
    try:
        return function(*args, **kwargs)
    except TypeError:
        if (wrong := wrong_call(function, x, what)) is not None:
            raise BadSubject(wrong) from None
        raise


def _arguments(x: Tree) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    if isinstance(x, Tensor):
        return (x,), {}
    return ((), dict(x)) if isinstance(x, Mapping) else (tuple(x), {})


def wrong_call(function: Callable[..., Any], x: Tree, what: str) -> str | None:
    """`step() takes 2 inputs (frame, mask), the example has 1`, where that is so."""
    args, kwargs = _arguments(x)
    try:
        signature = inspect.signature(function)
        signature.bind(*args, **kwargs)
    except TypeError:
        named = [p.name for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        has = f"{len(kwargs)} ({', '.join(kwargs)})" if kwargs else str(len(args))
        count = f"{len(named)} input{'' if len(named) == 1 else 's'}{f' ({chr(44).join(named)})' if named else ''}"
        return f"{what}() takes {count.replace(',', ', ')}, `Subject.example` has {has}"
    except ValueError:  # no signature
        return None
    return None


@dataclass(frozen=True)
class Inputs:
    """The axes of an input's tensors, by name; what is done with clips along them. Lengths are frames, from 0."""

    time: Axes
    batch: Axes
    fixed: frozenset[str] = field(default_factory=frozenset)  # names whose content belongs to its place: masks, positions

    @property
    def lead(self) -> str:
        """The first tensor that moves with time."""
        return next(name for name, axis in self.time.items() if axis is not None)

    @property
    def time_axis(self) -> int:
        """Of the first tensor that moves with time."""
        axis = self.time[self.lead]
        assert axis is not None
        return axis

    def length(self, x: Tree) -> int:
        """Frames of a clip."""
        return leaves_of(x)[self.lead].shape[self.time_axis]

    def rows(self, x: Tree) -> int | None:
        """Rows of a clip; None where there is no batch axis."""
        axes = ((leaf, self.batch[name]) for name, leaf in leaves_of(x).items())
        return next((leaf.shape[axis] for leaf, axis in axes if axis is not None), None)

    def _along(self, function: Callable[[Tensor, int], Tensor], x: Tree, axes: Axes) -> Tree:
        if isinstance(x, Tensor):
            axis = axes[""]
            return x if axis is None else function(x, axis)
        kept = leaves_of(x)
        return with_leaves(
            x, {name: leaf if (axis := axes[name]) is None else function(leaf, axis) for name, leaf in kept.items()}
        )

    def part(self, x: Tree, start: int, count: int) -> Tree:
        """The frames from `start` on."""
        return self._along(lambda leaf, axis: leaf.narrow(axis, start, count), x, self.time)

    def frame(self, x: Tree, i: int) -> Tree:
        """One frame, time axes removed."""
        return self._along(lambda leaf, axis: leaf.select(axis, i), x, self.time)

    def frames(self, x: Tree) -> list[Tree]:
        """All of them, time axes removed."""
        return [self.frame(x, i) for i in range(self.length(x))]

    def join(self, *parts: Tree) -> Tree:
        """One after the other; what does not move with time is the first one's."""
        return self._joined(parts, self.time)

    def stacked(self, *parts: Tree) -> Tree:
        """Rows below one another; what has no rows is the first one's."""
        return self._joined(parts, self.batch)

    def _joined(self, parts: tuple[Tree, ...], axes: Axes) -> Tree:
        every = [leaves_of(part) for part in parts]
        return with_leaves(
            parts[0],
            {
                name: leaf if (axis := axes[name]) is None else torch.cat([leaves[name] for leaves in every], axis)
                for name, leaf in every[0].items()
            },
        )

    def of_rows(self, x: Tree, rows: Tensor) -> Tree:
        """These rows of a clip, by number."""
        return self._along(lambda leaf, axis: leaf.index_select(axis, rows.to(leaf.device)), x, self.batch)

    def like(self, x: Tree, other: Tree) -> Tree:
        """`other`'s data with what of x does not change with it: conditioning, masks, positions."""
        if isinstance(x, Tensor):
            return other
        mine, theirs = leaves_of(x), leaves_of(other)
        return with_leaves(x, {name: mine[name] if self._stays(name) else theirs[name] for name in mine})

    def _stays(self, name: str) -> bool:
        return self.time[name] is None or name in self.fixed

    def replaced(self, x: Tree, start: int, other: Tree, first: int = 0, count: int = 1) -> Tree:
        """A copy of x whose frames from `start` on are those of `other` from `first` on, but for what `like` keeps."""
        copy, theirs = cloned(x), leaves_of(other)
        for name, leaf in leaves_of(copy).items():
            axis = self.time[name]
            if axis is not None and not self._stays(name):
                leaf.narrow(axis, start, count).copy_(theirs[name].narrow(axis, first, count))
        return copy

    def data(self, x: Tree) -> list[str]:
        """Names of what can be any number: floats that are no mask and no position."""
        return [name for name, leaf in leaves_of(x).items() if leaf.is_floating_point() and name not in self.fixed]

    def on_data(self, function: Callable[[Tensor], Tensor], x: Tree) -> Tree:
        """The same with its data changed, conditioning included."""
        changed = {name: function(leaf) for name, leaf in leaves_of(x).items() if name in self.data(x)}
        return with_leaves(x, leaves_of(x) | changed)

    def on_frames(self, function: Callable[[Tensor], Tensor], x: Tree) -> Tree:
        """The same with the data that moves with time changed."""
        return self.like(x, self.on_data(function, x))


def axes_of(given: Any, x: Tree, what: str) -> Axes:
    """An axis for each tensor of an input: one for all, or a tuple or dictionary like the input itself."""
    names = list(leaves_of(x))
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return dict.fromkeys(names, given)
    if isinstance(given, Mapping) and isinstance(x, Mapping):
        unknown = [name for name in given if name not in x]
        if unknown:
            raise BadSubject(f"{what}: {unknown[0]!r} is no input of the example ({', '.join(names)})")
        return {name: given.get(name) for name in names}
    if isinstance(given, (tuple, list)) and isinstance(x, (tuple, list)) and len(given) == len(x):
        return dict(zip(names, given, strict=True))
    raise BadSubject(f"{what}: an axis, None, or one of them for each input of the example; got {given!r}")
