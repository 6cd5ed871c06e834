"""The form that the memory of a continual module has once it no longer changes, and when each part of it begins.

At its start a stream is another program in every step: rings fill, layers wait for their first frame. A file holds one
program. So the module is run until its memory keeps its form, and that step is what is written. Memory begins with zeros,
and a part whose layer still waits for frames is held back until it has one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor
Path = tuple[Any, ...]
Leaf = tuple[Path, Any]
ALIKE, MOST = 8, 256  # steps in a row whose memory has one form; steps after which it is taken to grow


@dataclass(frozen=True)
class Part:
    """A tensor of the memory. `rows`: its axis of the batch, None: it has none. `begins`: steps before its first frame."""

    name: str
    place: int  # among the leaves of the memory
    shape: tuple[int, ...]
    rows: int | None
    begins: int


@dataclass(frozen=True)
class Steady:
    """A step in its final form: the memory as leaves, of which `parts` are tensors, and the emissions that come late."""

    module: Any
    leaves: tuple[Any, ...]
    spec: Any
    parts: tuple[Part, ...]
    late: int  # steps before the first emission


def steady(module: Any, frame: Tensor) -> tuple[Steady, Steady]:
    """The final form of the step of a module for frames like this, and one step later. BadSubject: it has none."""
    module = _recorded(module)
    runs = [_run(module, frame[:1].expand(rows, *frame.shape[1:])) for rows in (2, 3)]
    (first, spec, late), (other, _, _) = runs
    paths, wider = [path for path, _ in first[-1]], dict(other[-1])
    parts = tuple(
        Part(_name(path, paths), place, tuple(leaf.shape), _rows(leaf.shape, wider[path].shape), _begins(first, path))
        for place, (path, leaf) in enumerate(first[-1])
        if isinstance(leaf, Tensor)
    )
    before, after = (Steady(module, tuple(leaf for _, leaf in leaves), spec, parts, late) for leaves in first[-2:])
    return before, after


def _recorded(module: Any) -> Any:
    """A copy whose weights record gradients: kernels that write into their own memory are for those that do not."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return module


def _run(module: Any, frame: Tensor) -> tuple[list[list[Leaf]], Any, int]:
    """The leaves of the memory after each step, what holds them, and the number of steps without an emission."""
    state, history, late, alike = module.start(frame), list[list[Leaf]](), 0, 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(MOST):
        given = torch.randn(frame.shape, generator=generator).to(frame.dtype) if frame.is_floating_point() else frame
        output, state = module.step(given, state)
        leaves, spec = pytree.tree_flatten_with_path(state)
        alike = alike + 1 if history and output is not None and _form(leaves) == _form(history[-1]) else 0
        history.append(leaves)
        if output is None and late < len(history) - 1:
            raise BadSubject(
                "its step does not emit for every frame (it has a stride in time): a file holds one step for all"
            )
        late += output is None
        if output is not None and not isinstance(output, Tensor):
            raise BadSubject(f"its step emits a {type(output).__name__}: expected a tensor")
        if alike == ALIKE:
            return history, spec, late
    raise BadSubject(f"what it remembers still changes its form after {MOST} frames: it grows with the stream")


def _form(leaves: list[Leaf]) -> list[Any]:
    return [(path, (leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else type(leaf)) for path, leaf in leaves]


def _begins(history: list[list[Leaf]], path: Path) -> int:
    """Steps before a part is there. Lists fill one by one: what counts is the list."""
    whole = path[:-1] if isinstance(path[-1], pytree.SequenceKey) else path
    return next(
        step
        for step, leaves in enumerate(history)
        if any(other[: len(whole)] == whole and leaf is not None for other, leaf in leaves)
    )


def _rows(shape: torch.Size, wider: torch.Size) -> int | None:
    """The axis along which another number of rows shows."""
    axes = [axis for axis, (a, b) in enumerate(zip(shape, wider, strict=True)) if a != b]
    if len(axes) > 1 or (axes and (shape[axes[0]], wider[axes[0]]) != (2, 3)):
        raise BadSubject(f"a part of its memory, {tuple(shape)}, does not hold one row for each of the batch")
    return axes[0] if axes else None


def _name(path: Path, paths: list[Path]) -> str:
    """`state1_ring0`: keys, and places in lists that hold several; an identifier."""
    words = ["state"]
    for depth, key in enumerate(path):
        several = len({other[: depth + 1] for other in paths if other[:depth] == path[:depth]}) > 1
        if not isinstance(key, pytree.SequenceKey):
            words += [] if key.key == "inner" else [str(key.key)]
        elif several:
            words[-1] += f"{'x' if words[-1][-1].isdigit() else ''}{key.idx}"
    return "_".join(words)
