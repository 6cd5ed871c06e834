"""Operations that only move elements: the same move in every plane."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics.sets import names_of, widened
from coequal.proofs.field.semantics.table import means

Tensor = torch.Tensor

MOVES = (
    "clone", "_to_copy", "lift_fresh_copy", "_unsafe_view", "cat", "stack", "repeat", "roll", "flip",
    "index", "index_select", "gather", "take", "take_along_dim", "embedding", "constant_pad_nd", "reflection_pad1d",
    "reflection_pad2d", "reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "pad", "where",
    "masked_fill", "masked_scatter", "masked_select", "index_put", "_index_put_impl", "_unsafe_index", "index_copy",
    "index_fill", "scatter", "slice_scatter", "select_scatter", "diagonal_scatter", "tril", "triu",
    "fill", "copy", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
    "_reshape_copy", "view_copy", "expand_copy", "slice_copy", "diag_embed", "repeat_interleave", "unsafe_split",
    "unsafe_chunk", "unsafe_split_with_sizes", "split_with_sizes_copy", "rot90", "narrow_copy", "select_copy", "unfold_copy",
)  # fmt: skip
# fill in zeros that no argument names, or have no kernel for names: what they move is no set any more
NAMELESS = {"tril", "triu", "im2col", "diag_embed", *(name for name in MOVES if "upsample" in name)}
SPLITS = {"unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes", "split_with_sizes_copy"}  # give several
COPIED = {torch.ops.aten.clone, torch.ops.aten._to_copy, torch.ops.aten.lift_fresh_copy}


@means(*MOVES, says="elements are moved, repeated, dropped, or filled in with constants; conditions and indices are no data",
       keeps="all", masked=True, by_name=True)  # fmt: skip
def move(f: Field, operation: Any, *args: Any, **kwargs: Any) -> Any:
    if "reduce" in str(operation):
        raise NotDecided("it reduces what falls on the same place")
    if operation.overloadpacket in COPIED:
        return _copied(f, args[0])
    values = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Value)]
    args, kwargs = _fills(f, operation, args, kwargs, values[0].planes.device)
    leaves, spec = tree_flatten((args, kwargs))
    values = [leaf for leaf in leaves if isinstance(leaf, Value)]
    known = min(v.planes.shape[0] for v in values)
    name = operation.overloadpacket.__name__
    named = name not in NAMELESS and any(v.names is not None for v in values)
    at_once = None if named and name in SPLITS else _at_once(name, args, kwargs, known)
    lower = named and all(v.lower for v in values if v.names is not None) and not any(v.masked for v in values)
    names = _names_moved(f, operation, leaves, spec, lower) if named else None
    degree = values[0].degree
    for v in values[1:]:
        degree = degree.beside(v.degree)
    if name in NAMELESS:
        degree = degree.unsigned()  # zeros may be filled in
    masked = any(v.masked for v in values)
    if isinstance(at_once, tuple):
        return [Value(part, degree, masked=masked) for part in at_once]
    if at_once is not None:
        monomial = all(v.monomial for v in values) and not isinstance(args[-1], Fill)
        return Value(at_once, degree, None if names is None else _named(f, names), masked, monomial, lower)
    moved = [_call(operation, leaves, spec, lambda v, i=i: v.planes[i]) for i in range(known)]
    if _accumulates(operation, args, kwargs):
        if masked:
            raise NotDecided("minus infinity is added up")
        return Value(f.reduce(torch.stack(moved)), degree)
    return _gathered(f, moved, names, Value(values[0].planes, degree, None, masked, lower=lower))


def _copied(f: Field, v: Value) -> Value:
    """The same in memory of its own."""
    lower = v.names is not None and v.lower and not v.masked
    names = None if v.names is None else names_of(f, v, lower=lower).clone()
    return Value(v.planes.clone(), v.degree, names, v.masked, v.monomial, lower)


def _at_once(name: str, args: tuple, kwargs: dict, known: int) -> Tensor | tuple[Tensor, ...] | None:
    """The same move of all planes in one call, for what programs do most; None: plane by plane."""
    given: Any = args[0] if args else None
    if name == "_unsafe_view":
        return given.planes[:known].reshape(known, *args[1])
    if name in SPLITS and not kwargs:
        sizes, dim = (*args[1:], 0)[:2]
        return tuple(getattr(torch, name)(given.planes, sizes, dim + 1 if dim >= 0 else dim))
    if name == "roll" and len(args) == 3 and args[2]:
        return torch.roll(given.planes, args[1], [dim + 1 if dim >= 0 else dim for dim in args[2]])
    if name in ("cat", "stack") and type(given) in (list, tuple):
        dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
        parts = [v.planes[:known] for v in given if name == "stack" or v.planes.dim() > 2 or v.planes.shape[1]]
        if parts and len({part.dim() for part in parts}) == 1:
            return getattr(torch, name)(parts, dim + 1 if dim >= 0 else dim)
    if name == "constant_pad_nd" and len(args) == 3 and isinstance(args[2], Fill) and not bool(args[2].planes.any()):
        return torch.nn.functional.pad(args[0].planes, args[1])
    return None


def _accumulates(operation: Any, args: tuple, kwargs: dict) -> bool:
    """Whether what falls on the same place is added up (index_put)."""
    places = [a.name for a in operation._schema.arguments]
    return bool((dict(zip(places, args, strict=False)) | kwargs).get("accumulate", False))


def _call(operation: Any, leaves: list, spec: Any, plane: Any) -> Any:
    """The operation with one plane of each Value; a number stands in as the residue that it is."""
    args, kwargs = tree_unflatten([_number(plane(leaf), leaf) if isinstance(leaf, Value) else leaf for leaf in leaves], spec)
    if operation.overloadpacket is torch.ops.aten._to_copy:
        kwargs = {key: value for key, value in kwargs.items() if key in ("device", "memory_format")}
    return operation(*args, **kwargs)


class Fill(Value):
    """A constant in a place where the operation takes a number, no tensor."""


def _number(plane: Tensor, leaf: Value) -> Any:
    return plane.item() if isinstance(leaf, Fill) else plane


def _fills(f: Field, operation: Any, args: tuple, kwargs: dict, device: torch.device) -> tuple[tuple, dict]:
    """Numbers in the places of the schema that hold numbers become constants of the field."""
    scalar, positional = _places(operation)

    def fill(name: str, x: Any) -> Any:
        if name not in scalar or x is None or isinstance(x, Value):
            return x
        constant = f.scalar(float(x), device)
        return Fill(constant.planes, constant.degree, None, constant.masked)

    filled = tuple(fill(name, x) for name, x in zip(positional, args, strict=False))
    kwargs = {name: fill(name, x) for name, x in kwargs.items()}
    if operation.overloadpacket is torch.ops.aten.constant_pad_nd and len(filled) < 3 and "value" not in kwargs:
        filled = (*filled, fill("value", 0.0))
    return filled, kwargs


@functools.cache
def _places(operation: Any) -> tuple[frozenset[str], tuple[str, ...]]:
    """Which arguments of an operation are numbers, and which have a position."""
    places = operation._schema.arguments
    numbers = frozenset(a.name for a in places if str(a.type) in ("number", "Scalar", "Optional[number]"))
    return numbers, tuple(a.name for a in places if not a.kwarg_only)


def _gathered(f: Field, moved: list, names: list | None, like: Value) -> Any:
    """One Value of the planes of one result, or a list of Values; what is known of them is known of `like`."""
    if isinstance(moved[0], Tensor):
        held = None if names is None else _named(f, names)
        return Value(torch.stack(moved), like.degree, held, like.masked, lower=like.lower)
    parts = zip(*moved, strict=True)
    renamed: Any = [None] * len(moved[0]) if names is None else zip(*names, strict=True)
    return [_gathered(f, list(part), None if n is None else list(n), like) for part, n in zip(parts, renamed, strict=True)]


def _named(f: Field, names: list[Tensor]) -> Tensor:
    """`(h, members, *shape)` of what was moved one by one."""
    return torch.stack(names).view(f.count if f.sets else 2, -1, *names[0].shape)


# -- the members of maxima move with them --------------------------------------------------------------------------------


def _names_moved(f: Field, operation: Any, leaves: list, spec: Any, lower: bool) -> list:
    values = [leaf for leaf in leaves if isinstance(leaf, Value)]
    members = max(1 if v.names is None or v.lower != lower else v.names.shape[1] for v in values)
    named = {id(v): widened(names_of(f, v, lower=lower), members) for v in values}
    return [
        _call(operation, leaves, spec, lambda v, h=half, m=member: named[id(v)][h, m])
        for half in range(next(iter(named.values())).shape[0])
        for member in range(members)
    ]


__all__ = ["MOVES", "Fill", "move", "tree_map"]
