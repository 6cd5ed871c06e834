"""Sums, means, norms and extremes along axes."""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse, whole

Tensor = torch.Tensor


@operator(
    *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
    *("ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"),
    attributes="axes keepdims noop_with_empty_axes",
    refused=lambda node: None if node.inputs[1:] or node.get("axes") else _unmeant(node),
)
def reduce(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Over the axes that an attribute or an input names; over all where none does."""
    named = whole(axes) if axes is not None else list(node.get("axes") or [])
    if not named and node.get("noop_with_empty_axes", 0):
        return _each(node, x)
    over, keep = [a % x.dim() for a in named] or list(range(x.dim())), bool(node.get("keepdims", 1))
    return _reduced(node.kind, x, over, keep)


def _unmeant(node: Node) -> str | None:
    """Without axes."""
    same = node.kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd")
    return "no axes, with noop_with_empty_axes" if node.get("noop_with_empty_axes", 0) and not same else None


def _each(node: Node, x: Tensor) -> Tensor:
    if why := _unmeant(node):
        raise refuse(node, why)
    return x


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


@operator("ArgMax", "ArgMin", attributes="axis keepdims select_last_index", refused=only(select_last_index=(0,)))
def argument(node: Node, x: Tensor) -> Tensor:
    return (torch.argmax if node.kind == "ArgMax" else torch.argmin)(x, node.get("axis", 0), bool(node.get("keepdims", 1)))


@operator("TopK", attributes="axis largest sorted", refused=only(sorted=(1,)))
def topk(node: Node, x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Of equal numbers the one with the lower index comes first; torch.topk promises no order among them."""
    count, axis, largest = int(k.reshape(()).item()), node.get("axis", -1), bool(node.get("largest", 1))
    values, places = torch.topk(x, count, axis, largest)
    if node.outputs[1:] and node.outputs[1] not in ("", *node.unread):  # a sort costs more than the values need
        places = torch.sort(x, dim=axis, descending=largest, stable=True).indices.narrow(axis, 0, count)
    return values, places
