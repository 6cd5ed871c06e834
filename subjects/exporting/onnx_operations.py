"""The table of torch's operations that have an operator of ONNX: what is not in it is refused by its name."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import torch

from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.onnx_writer import Writer, shape_of

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
SAME = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "erf": "Erf", "sqrt": "Sqrt",
        "neg": "Neg", "abs": "Abs", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos", "mm": "MatMul", "bmm": "MatMul",
        "where.self": "Where", "maximum": "Max", "minimum": "Min"}  # fmt: skip
BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "ge": "GreaterOrEqual", "gt": "Greater",
          "le": "LessOrEqual", "lt": "Less", "eq": "Equal"}  # fmt: skip
MOVED = ("clone", "alias", "detach", "lift_fresh_copy", "contiguous")


def written(writer: Writer, node: Any) -> Any:
    """What stands for a call of torch: the name of a tensor, or a list of names. BadSubject: it has no operator here."""
    target = str(getattr(node.target, "__name__", node.target))
    if target == "getitem":
        return writer.value[node.args[0]][node.args[1]]
    if target.startswith(("sym_size", "_assert_tensor_metadata")) or not hasattr(node.target, "_schema"):
        return None  # a size: sizes that vary are inferred where they are used
    name = target.removesuffix(".default")
    rule = RULES.get(name) or RULES.get(name.partition(".")[0])
    if rule is None:
        raise BadSubject(f"the operation {name} (node {node.name}) has no operator of ONNX here: export it --to pt2")
    try:
        return rule(writer, node, *node.args, **node.kwargs)
    except TypeError as error:  # an argument that the rule does not know
        raise BadSubject(f"the operation {name} (node {node.name}) has no operator of ONNX here: {error}") from None


def writes(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of operations: writer, node and the arguments of the call -> the name of the result."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def _operand(w: Writer, node: Any, x: Any) -> str:
    """A tensor, or a number in the format that the operands are promoted to."""
    if isinstance(x, torch.fx.Node):
        return w.value[x]
    like = next(a.meta["val"] for a in node.args if isinstance(a, torch.fx.Node))
    return w.number(x, like)


@writes(*SAME)
def same(w: Writer, node: Any, *given: Any) -> str:
    name = node.target.__name__.removesuffix(".default")
    return w.add(SAME[name], *given)


@writes("silu")
def silu(w: Writer, node: Any, x: Any) -> str:
    return w.add("Mul", x, w.add("Sigmoid", x))


@writes(*MOVED)
def moved(w: Writer, node: Any, x: Any, **options: Any) -> str:
    return w.value[x]


@writes(*BINARY)
def binary(w: Writer, node: Any, a: Any, b: Any, *, alpha: Any = 1, rounding_mode: str | None = None) -> str:
    kind = BINARY[node.target.__name__.partition(".")[0]]
    if rounding_mode is not None:
        raise BadSubject(f"a division that rounds (node {node.name}) has no operator of ONNX here")
    right = _operand(w, node, b)
    if alpha != 1:
        right = w.add("Mul", right, w.number(alpha, node.meta["val"]))
    return w.add(kind, _operand(w, node, a), right)


@writes("rsqrt")
def rsqrt(w: Writer, node: Any, x: Any) -> str:
    return w.add("Reciprocal", w.add("Sqrt", x))


@writes("pow.Tensor_Scalar")
def power(w: Writer, node: Any, x: Any, exponent: Any) -> str:
    return w.add("Mul", x, x) if exponent == 2 else w.add("Pow", x, w.number(exponent, node.meta["val"]))


@writes("gelu")
def gelu(w: Writer, node: Any, x: Any, *, approximate: str = "none") -> str:
    if approximate != "none":
        raise BadSubject(f"gelu by tanh (node {node.name}) has no operator of ONNX here")
    like = node.meta["val"]
    gate = w.add("Add", w.add("Erf", w.add("Mul", x, w.number(math.sqrt(0.5), like))), w.number(1.0, like))
    return w.add("Mul", w.add("Mul", x, gate), w.number(0.5, like))


@writes("leaky_relu")
def leaky_relu(w: Writer, node: Any, x: Any, slope: float = 0.01) -> str:
    return w.add("LeakyRelu", x, alpha=float(slope))


@writes("clamp", "hardtanh")
def clamp(w: Writer, node: Any, x: Any, low: Any = None, high: Any = None) -> str:
    like = node.meta["val"]
    if low is not None and high is not None:  # one operator, as ReLU6 is one: exact arithmetic does not take it apart
        return w.add("Clip", x, w.number(low, like), w.number(high, like))
    given = w.value[x] if low is None else w.add("Max", x, w.number(low, like))
    return given if high is None else w.add("Min", given, w.number(high, like))


@writes("addmm")
def addmm(w: Writer, node: Any, bias: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> str:
    return w.add("Gemm", a, b, bias, alpha=float(alpha), beta=float(beta))


@writes("linear")
def linear(w: Writer, node: Any, x: Any, weight: Any, bias: Any = None) -> str:
    product = w.add("MatMul", x, w.add("Transpose", weight, perm=[1, 0]))
    return product if bias is None else w.add("Add", product, bias)


@writes("convolution")
def convolution(w: Writer, node: Any, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
                transposed: bool, output_padding: Any, groups: int) -> str:  # fmt: skip
    if transposed:
        raise BadSubject(f"a transposed convolution (node {node.name}) has no operator of ONNX here")
    given = [x, weight] if bias is None else [x, weight, bias]
    sizes = {"strides": stride, "dilations": dilation, "pads": [*padding, *padding]}
    return w.add("Conv", *given, group=groups, kernel_shape=shape_of(weight)[2:], **{k: list(v) for k, v in sizes.items()})


@writes("_native_batch_norm_legit_no_training")
def batch_norm(w: Writer, node: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, momentum: float,
               epsilon: float) -> list[str]:  # fmt: skip
    if weight is None or bias is None:
        count, like = shape_of(mean)[0], mean.meta["val"]
        ones, zeros = (w.constant(torch.full((count or 0,), v, dtype=like.dtype).numpy()) for v in (1.0, 0.0))
        weight, bias = weight or ones, bias or zeros
    return [w.add("BatchNormalization", x, weight, bias, mean, variance, epsilon=float(epsilon))]


@writes("native_layer_norm")
def layer_norm(w: Writer, node: Any, x: Any, shape: Any, weight: Any, bias: Any, epsilon: float) -> list[str]:
    if weight is None:
        weight = w.constant(torch.ones(tuple(shape), dtype=x.meta["val"].dtype).numpy())
    given = [x, weight] if bias is None else [x, weight, bias]
    return [w.add("LayerNormalization", *given, axis=-len(shape), epsilon=float(epsilon))]


@writes("_softmax", "_log_softmax")
def softmax(w: Writer, node: Any, x: Any, axis: int, half: bool) -> str:
    return w.add("Softmax" if node.target.__name__.startswith("_softmax") else "LogSoftmax", x, axis=axis)


# -- moves ------------------------------------------------------------------------------------------------------------------


@writes("view", "reshape", "_unsafe_view")
def view(w: Writer, node: Any, x: Any, shape: Any) -> str:
    sizes = [n if isinstance(n, int) else -1 for n in shape]
    if sizes.count(-1) > 1:
        raise BadSubject(f"a shape with two sizes that vary (node {node.name}) has no operator of ONNX here")
    return w.add("Reshape", x, sizes)


@writes("permute")
def permute(w: Writer, node: Any, x: Any, axes: Any) -> str:
    return w.add("Transpose", x, perm=[a % len(axes) for a in axes])


@writes("unsqueeze")
def unsqueeze(w: Writer, node: Any, x: Any, axis: int) -> str:
    return w.add("Unsqueeze", x, [axis % len(shape_of(node))])


@writes("squeeze.dims", "squeeze.dim")
def squeeze(w: Writer, node: Any, x: Any, axes: Any) -> str:
    shape = shape_of(x)
    places = [a % len(shape) for a in (axes if isinstance(axes, (list, tuple)) else [axes])]
    return w.add("Squeeze", x, [a for a in places if shape[a] == 1])


@writes("cat")
def cat(w: Writer, node: Any, tensors: Any, axis: int = 0) -> str:
    return w.add("Concat", *tensors, axis=axis)


@writes("slice.Tensor")
def part(w: Writer, node: Any, x: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> str:
    return w.add("Slice", x, [start or 0], [sys.maxsize if end is None else end], [axis], [step])


@writes("select.int")
def select(w: Writer, node: Any, x: Any, axis: int, index: int) -> str:
    return w.add("Gather", x, w.constant(torch.tensor(index).numpy()), axis=axis)


@writes("split_with_sizes")
def split(w: Writer, node: Any, x: Any, sizes: Any, axis: int = 0) -> list[str]:
    return w.several("Split", len(sizes), x, list(sizes), axis=axis)


@writes("constant_pad_nd")
def pad(w: Writer, node: Any, x: Any, pads: Any, value: float = 0.0) -> str:
    rank = len(shape_of(x))
    pairs = [(pads[2 * i], pads[2 * i + 1]) for i in range(len(pads) // 2)][::-1]  # torch counts axes from the last
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs
    return w.add("Pad", x, [a for a, _ in pairs] + [b for _, b in pairs], w.number(value, node.meta["val"]), mode="constant")


@writes("expand")
def expand(w: Writer, node: Any, x: Any, shape: Any, **options: Any) -> str:
    before = [*[1] * (len(shape) - len(shape_of(x))), *shape_of(x)]
    grown = [not isinstance(n, int) and old == 1 for n, old in zip(shape, before, strict=True)]
    if not any(grown):
        sizes = [n if isinstance(n, int) and n != -1 else 1 for n in shape]  # a size of one leaves what is there
        return w.add("Expand", x, sizes)
    parts = [_rows(w, node, n) if more else w.whole([n if isinstance(n, int) and n != -1 else 1])
             for n, more in zip(shape, grown, strict=True)]  # fmt: skip
    return w.add("Expand", x, w.add("Concat", *parts, axis=0))


def _rows(w: Writer, node: Any, size: Any) -> str:
    """A size that varies, as a tensor of one number."""
    if not str(getattr(size, "target", "")).startswith("aten.sym_size"):
        raise BadSubject(f"a size that is computed (node {node.name}) has no operator of ONNX here")
    source, axis = size.args
    return w.add("Shape", source, start=axis, end=axis + 1)


@writes("mean.dim", "sum.dim_IntList")
def reduced(w: Writer, node: Any, x: Any, axes: Any, keep: bool = False, **options: Any) -> str:
    kind = "ReduceMean" if node.target.__name__.startswith("mean") else "ReduceSum"
    return w.add(kind, x, list(axes), keepdims=int(keep))


@writes("unfold")
def unfold(w: Writer, node: Any, x: Any, axis: int, size: int, step: int) -> str:
    """Windows along an axis, whose elements become the last one."""
    axis, length = axis % len(shape_of(x)), shape_of(x)[axis]
    if length is None:
        raise BadSubject(f"windows along an axis whose size varies (node {node.name}) have no operator of ONNX here")
    places = step * torch.arange((length - size) // step + 1)[:, None] + torch.arange(size)
    order = [i for i in range(len(shape_of(x)) + 1) if i != axis + 1]
    return w.add("Transpose", w.add("Gather", x, w.constant(places.numpy()), axis=axis), perm=[*order, axis + 1])


@writes("as_strided")
def strided(w: Writer, node: Any, x: Any, shape: Any, strides: Any, offset: Any = None) -> str:
    """Windows of each row, whose elements are looked up by their places in the memory of the row."""
    sizes, (_, *counts), (apart, *steps) = shape_of(x)[1:], shape, strides
    known = all(isinstance(n, int) for n in (*sizes, *counts, *steps))
    if not known or apart != math.prod(n or 0 for n in sizes) or offset or not x.meta["val"].is_contiguous():
        raise BadSubject(f"a view by strides that are not those of rows (node {node.name}) has no operator of ONNX here")
    places = torch.zeros(counts, dtype=torch.int64)
    for axis, (count, step) in enumerate(zip(counts, steps, strict=True)):
        places += (step * torch.arange(count)).reshape([-1 if i == axis else 1 for i in range(len(counts))])
    return w.add("Gather", w.add("Reshape", x, [-1, apart]), w.constant(places.numpy()), axis=1)


@writes("avg_pool2d", "avg_pool1d", "avg_pool3d")
def average(w: Writer, node: Any, x: Any, kernel: Any, stride: Any = None, padding: Any = 0, ceil: bool = False,
            counted: bool = True, divisor: Any = None) -> str:  # fmt: skip
    if divisor is not None or ceil:
        raise BadSubject(f"an average with its own divisor or rounding up (node {node.name}) has no operator of ONNX here")
    pads = list(padding) if isinstance(padding, (list, tuple)) else [padding] * len(kernel)
    sizes = {"kernel_shape": list(kernel), "strides": list(stride or kernel), "pads": [*pads, *pads]}
    return w.add("AveragePool", x, count_include_pad=int(counted), **sizes)


@writes("max_pool2d_with_indices", "max_pool3d_with_indices")
def maximum(w: Writer, node: Any, x: Any, kernel: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
            ceil: bool = False) -> list[str]:  # fmt: skip
    def each(value: Any) -> list[int]:
        return list(value) if isinstance(value, (list, tuple)) else [value] * len(kernel)

    pads = each(padding)
    sizes = {"kernel_shape": list(kernel), "strides": each(stride or kernel), "dilations": each(dilation)}
    return [w.add("MaxPool", x, pads=[*pads, *pads], ceil_mode=int(ceil), **sizes)]
