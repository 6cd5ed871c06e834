"""Sums, means, norms and extremes along axes."""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.table import Node, operator, refuse, whole

Tensor = torch.Tensor


@operator(
    *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
    *("ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"),
    attributes="axes keepdims noop_with_empty_axes",
)
def reduce(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Over the axes that an attribute or an input names; over all where none does."""
    named = whole(axes) if axes is not None else list(node.get("axes") or [])
    if not named and node.get("noop_with_empty_axes", 0):
        return _each(node, x)
    over, keep = [a % x.dim() for a in named] or list(range(x.dim())), bool(node.get("keepdims", 1))
    return _reduced(node.kind, x, over, keep)


def _each(node: Node, x: Tensor) -> Tensor:
    if node.kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
        return x
    raise refuse(node, "no axes, with noop_with_empty_axes")


def _reduced(kind: str, x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if kind == "ReduceProd":
        for axis in sorted(axes, reverse=True):
            x = torch.prod(x, axis, keepdim=keep)
        return x
    if kind in ("ReduceMax", "ReduceMin"):
        return (torch.amax if kind == "ReduceMax" else torch.amin)(x, axes, keepdim=keep)
    if kind == "ReduceMean":
        return x.mean(axes, keepdim=keep)
    if kind == "ReduceL2":
        return torch.sqrt((x * x).sum(axes, keepdim=keep))
    if kind == "ReduceLogSumExp":
        return torch.logsumexp(x, axes, keepdim=keep)
    terms = {"ReduceL1": torch.abs, "ReduceSumSquare": torch.square}.get(kind, torch.clone)(x)
    total = terms.sum(axes, keepdim=keep).to(x.dtype)
    return torch.log(total) if kind == "ReduceLogSum" else total


@operator("CumSum", attributes="exclusive reverse")
def cumsum(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    along = int(axis.reshape(()).item())
    x = x.flip(along) if node.get("reverse", 0) else x
    total = x.cumsum(along)
    total = total - x if node.get("exclusive", 0) else total
    return total.flip(along) if node.get("reverse", 0) else total


@operator("ArgMax", "ArgMin", attributes="axis keepdims select_last_index")
def argument(node: Node, x: Tensor) -> Tensor:
    if node.get("select_last_index", 0):
        raise refuse(node, "select_last_index")
    return (torch.argmax if node.kind == "ArgMax" else torch.argmin)(x, node.get("axis", 0), bool(node.get("keepdims", 1)))


@operator("TopK", attributes="axis largest sorted")
def topk(node: Node, x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    values, places = torch.topk(x, int(k.reshape(()).item()), node.get("axis", -1), bool(node.get("largest", 1)))
    return values, places
