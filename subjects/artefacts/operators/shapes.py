"""Shapes, formats, and what is made from nothing."""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.table import Node, operator, whole

Tensor = torch.Tensor


@operator("Constant", attributes="value value_float value_floats value_int value_ints")
def constant(node: Node) -> Tensor:
    """What stands in the file: the reader has made tensors of it."""
    (value,) = node.attributes.values()
    return value


@operator("Shape", attributes="start end")
def shape(node: Node, x: Tensor) -> Tensor:
    return torch.tensor(list(x.shape)[slice(node.get("start", 0), node.get("end"))], dtype=torch.int64)


@operator("Size")
def size(node: Node, x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64)


@operator("ConstantOfShape", attributes="value")
def constant_of_shape(node: Node, sizes: Tensor) -> Tensor:
    value = node.get("value")
    filler = torch.zeros(1, dtype=node.formats.of(torch.float32)) if value is None else value
    return torch.full(whole(sizes), filler.reshape(()).item(), dtype=filler.dtype)


@operator("Range", attributes="stash_type")
def range_(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """From start to before the limit; nothing where the limit lies on the other side."""
    first, end, by = (x.reshape(()).item() for x in (start, limit, delta))
    return torch.arange(first, end if (end - first) * by > 0 else first, by, dtype=start.dtype)


@operator("Cast", attributes="to saturate round_mode")
def cast(node: Node, x: Tensor) -> Tensor:
    """To the format that stands for the file's; floats become whole numbers towards zero."""
    return x.to(node.formats.of(node.get("to")))


@operator("CastLike", attributes="saturate round_mode")
def cast_like(node: Node, x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype)


@operator("EyeLike", attributes="dtype k")
def eye_like(node: Node, x: Tensor) -> Tensor:
    kind = node.formats.of(node.get("dtype")) if node.get("dtype") is not None else x.dtype
    rows, columns = torch.arange(x.shape[0])[:, None], torch.arange(x.shape[1])[None]
    return (columns - rows == node.get("k", 0)).to(kind)


@operator("NonZero")
def nonzero(node: Node, x: Tensor) -> Tensor:
    return torch.nonzero(x).T


@operator("OneHot", attributes="axis")
def one_hot(node: Node, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """Off and on values: where an index says so. Negative ones count from the end; those beyond either end are nowhere."""
    count, axis = int(depth.reshape(()).item()), node.get("axis", -1)
    places = indices.to(torch.int64)
    places = torch.where(places < 0, places + count, places).unsqueeze(axis)
    axis = axis % places.dim()
    line = torch.arange(count).reshape([-1 if i == axis else 1 for i in range(places.dim())])
    return torch.where(places == line, values[1], values[0])
