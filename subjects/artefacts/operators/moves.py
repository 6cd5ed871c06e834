"""Elements are moved, repeated, dropped, joined: nothing is computed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse, whole

Tensor = torch.Tensor
FAR = (1 << 31) - 1


@operator("Identity")
def identity(node: Node, x: Any) -> Any:
    return x


@operator("Reshape", attributes="allowzero")
def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """0 keeps an axis, -1 is what is left."""
    sizes = whole(shape)
    if not node.get("allowzero", 0):
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return x.reshape(sizes)


@operator("Flatten", attributes="axis")
def flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator("Transpose", attributes="perm")
def transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.get("perm") or list(reversed(range(x.dim()))))


@operator("Squeeze")
def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = [i for i, n in enumerate(x.shape) if n == 1] if axes is None else [a % x.dim() for a in whole(axes)]
    if any(x.shape[a] != 1 for a in chosen):
        raise ValueError(f"{node}: an axis of {tuple(x.shape)} that is not of size 1 is squeezed")
    return x.reshape([n for i, n in enumerate(x.shape) if i not in chosen])


@operator("Unsqueeze")
def unsqueeze(node: Node, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(a % rank for a in whole(axes)):
        x = x.unsqueeze(axis)
    return x


@operator("Expand")
def expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, whole(shape)))


@operator("Tile")
def tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    return x.repeat(whole(repeats))


@operator("Concat", attributes="axis")
def concat(node: Node, *tensors: Tensor) -> Tensor:
    return torch.cat(tensors, node.get("axis"))


def _counts(node: Node) -> str | None:
    if node.opset >= 18 and node.get("num_outputs") is None and not node.inputs[1:]:
        return "neither sizes nor num_outputs are given: from opset 18 on it needs one of them"
    return None


@operator("Split", attributes="axis num_outputs", refused=_counts)
def split(node: Node, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    """Into parts of these sizes, or into equal ones, of which the last may be smaller, or empty."""
    axis, count = node.get("axis", 0), len(node.outputs)
    parts = _equal(node, x.shape[axis], count) if sizes is None else whole(sizes)
    if len(parts) != count:
        raise refuse(node, f"{len(parts)} parts, and {count} outputs")
    return torch.split(x, parts, axis)


def _equal(node: Node, size: int, count: int) -> list[int]:
    each = -(-size // count)
    last = size - each * (count - 1)
    if node.get("num_outputs", count) != count:
        raise refuse(node, f"num_outputs {node.get('num_outputs')}, and {count} outputs")
    if last < 0 or (last != each and node.opset < 18):
        raise refuse(node, f"{size} elements in {count} parts, all but the last of {each}")
    return [each] * (count - 1) + [last]


@operator("Slice")
def slice_(
    node: Node, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    """From each start up to each end; a step may go backwards."""
    begin, end = whole(starts), whole(ends)
    chosen = list(range(len(begin))) if axes is None else [a % x.dim() for a in whole(axes)]
    by = [1] * len(begin) if steps is None else whole(steps)
    for a, b, axis, step in zip(begin, end, chosen, by, strict=True):
        x = _sliced(x, a, b, axis, step)
    return x


def _sliced(x: Tensor, start: int, end: int, axis: int, step: int) -> Tensor:
    size = x.shape[axis]
    if step > 0:
        first, last, by = slice(start, end, step).indices(size)
        return x.narrow(axis, first, max(0, last - first))[(slice(None),) * axis + (slice(None, None, by),)]
    end = None if end < -size else end  # type: ignore[assignment]  # -size - 1 and below: to the very beginning
    start = max(start, -size)  # below the first element it begins there, as the standard says and Python does not
    places = torch.tensor(list(range(*slice(start, end, step).indices(size))), dtype=torch.int64, device=x.device)
    return x.index_select(axis, places)


@operator("Gather", attributes="axis")
def gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.get("axis", 0) % x.dim()
    flat = indices.reshape(-1).to(torch.int64)
    taken = x.index_select(axis, torch.where(flat < 0, flat + x.shape[axis], flat))
    return taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@operator("GatherElements", attributes="axis")
def gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis, places = node.get("axis", 0), indices.to(torch.int64)
    return torch.gather(x, axis, torch.where(places < 0, places + x.shape[axis], places))


@operator("GatherND", attributes="batch_dims", refused=only(batch_dims=(0,)))
def gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    return x[tuple(indices.to(torch.int64).unbind(-1))]


@operator("ScatterND", attributes="reduction", refused=only(reduction=("none",)))
def scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    return x.index_put(tuple(indices.to(torch.int64).unbind(-1)), updates)


@operator("ScatterElements", attributes="axis reduction", refused=only(reduction=("none", "add")))
def scatter_elements(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis = node.get("axis", 0)
    places = indices.to(torch.int64)
    places = torch.where(places < 0, places + x.shape[axis], places)
    return (torch.scatter if node.get("reduction", "none") == "none" else torch.scatter_add)(x, axis, places, updates)


@operator("Pad", attributes="mode", refused=only(mode=("constant", "reflect", "edge", "wrap")))
def pad(node: Node, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    """Constant, reflected, or the elements at the edge; negative numbers cut off."""
    numbers, mode = whole(pads), node.get("mode", "constant")
    chosen = list(range(x.dim())) if axes is None else [a % x.dim() for a in whole(axes)]
    both = dict(zip(chosen, zip(numbers[: len(chosen)], numbers[len(chosen) :], strict=True), strict=True))
    if mode == "constant":
        flat = [n for axis in reversed(range(x.dim())) for n in both.get(axis, (0, 0))]
        filler = 0 if value is None else value.reshape(()).item()
        return F.pad(x, flat, value=filler) if any(flat) else x
    for axis, (before, after) in both.items():
        x = _extended(x, axis, before, after, mode)
    return x


def _extended(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    size = x.shape[axis]
    places = torch.arange(-before, size + after)
    if mode == "edge":
        places = places.clamp(0, size - 1)
    elif mode == "reflect":
        period = max(1, 2 * (size - 1))
        places = places.remainder(period)
        places = torch.where(places >= size, period - places, places)
    else:
        places = places.remainder(size)
    return x.index_select(axis, places.to(x.device))


@operator("Trilu", attributes="upper")
def trilu(node: Node, x: Tensor, k: Tensor | None = None) -> Tensor:
    diagonal = 0 if k is None else int(k)
    return torch.triu(x, diagonal) if node.get("upper", 1) else torch.tril(x, diagonal)


@operator("DepthToSpace", attributes="blocksize mode", refused=only(mode=("DCR", "CRD")))
def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C / b^2, H b, W b); the channels of a block come first, or last (CRD)."""
    rows, channels, high, wide = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") == "DCR":
        parts = x.reshape(rows, b, b, channels // b**2, high, wide).permute(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(rows, channels // b**2, b, b, high, wide).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(rows, channels // b**2, high * b, wide * b)


@operator("SpaceToDepth", attributes="blocksize")
def space_to_depth(node: Node, x: Tensor) -> Tensor:
    rows, channels, high, wide = x.shape
    b = node.get("blocksize")
    parts = x.reshape(rows, channels, high // b, b, wide // b, b).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(rows, channels * b**2, high // b, wide // b)


@operator("ReverseSequence", attributes="batch_axis time_axis")
def reverse_sequence(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    rows = [
        torch.cat([row.narrow(t, 0, n).flip(t), row.narrow(t, n, row.shape[t] - n)], t)
        for row, n in zip(x.unbind(batch), whole(lengths), strict=True)
        for t in [time - (time > batch)]
    ]
    return torch.stack(rows, batch)
