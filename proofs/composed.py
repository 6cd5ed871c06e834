"""Operators of ONNX that are made of others: the second part of the checker of certificates.

Each is an equation: `op("MatMul", x, y)` is that operator, of the checker (`checker.py`) or of anybody who computes with
floats. `at` are the attributes of the node and its `kind`; whole numbers are arrays of NumPy, and what is left out is None.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Op = Callable[..., Any]
EPSILON = float(np.float32(1e-5))


def whole(*numbers: Any) -> np.ndarray:
    """Whole numbers that say how something is moved."""
    return np.array(numbers, np.int64)


def mean(op: Op, at: dict, x: Any, axes: Any = None) -> Any:
    shape = op("Shape", x)
    axes = whole(*at["axes"]) if "axes" in at else np.arange(shape.size) if axes is None else axes
    return op("Div", op("ReduceSum", x, axes, keepdims=at.get("keepdims", 1)), float(np.prod(shape[axes])))


def softmax(op: Op, at: dict, x: Any) -> Any:
    powers = op("Exp", x)
    return op("Div", powers, op("ReduceSum", powers, whole(at.get("axis", -1))))


def standardised(op: Op, at: dict, x: Any, variance: Any, scale: Any, bias: Any) -> Any:
    """`x / sqrt(variance + epsilon) scale + bias`."""
    y = op("Div", x, op("Sqrt", op("Add", variance, at.get("epsilon", EPSILON))))
    return op("Mul", y, scale) if bias is None else op("Add", op("Mul", y, scale), bias)


def batch_norm(op: Op, at: dict, x: Any, *given: Any) -> Any:
    places = np.arange(1, op("Shape", x).size - 1)
    scale, bias, centre, variance = (op("Unsqueeze", v, places) for v in given)
    return standardised(op, at, op("Sub", x, centre), variance, scale, bias)


def layer_norm(op: Op, at: dict, x: Any, scale: Any, bias: Any = None) -> Any:
    rank = op("Shape", x).size
    axes = np.arange(at.get("axis", -1) % rank, rank)
    x = x if at["kind"] == "RMSNormalization" else op("Sub", x, op("ReduceMean", x, axes))
    return standardised(op, at, x, op("ReduceMean", op("Mul", x, x), axes), scale, bias)


def gemm(op: Op, at: dict, x: Any, y: Any, z: Any = None) -> Any:
    x, y = (op("Transpose", v, perm=[1, 0]) if at.get(key) else v for v, key in ((x, "transA"), (y, "transB")))
    product = op("Mul", op("MatMul", x, y), at.get("alpha", 1.0))
    return product if z is None else op("Add", product, op("Mul", z, at.get("beta", 1.0)))


def taps(op: Op, at: dict, x: Any, kernel: Any, beyond: float) -> Iterator[tuple[np.ndarray, Any]]:
    """For each place in a kernel the elements `x[..., j S + k D - P]` under it; padding holds `beyond`."""
    rank = len(kernel)
    strides, dilations, pads = (
        np.array(at.get(k, [v] * 2 * rank)) for k, v in (("strides", 1), ("dilations", 1), ("pads", 0))
    )
    if pads.any():
        x = op("Pad", x, whole(0, 0, *pads[:rank], 0, 0, *pads[rank:]), beyond)
    strides, dilations, sizes = strides[:rank], dilations[:rank], op("Shape", x)[2:]
    last = (sizes - dilations * (np.array(kernel) - 1) - 1) // strides * strides
    for place in map(np.array, itertools.product(*map(range, kernel))):
        starts = place * dilations
        yield place, op("Slice", x, starts, starts + last + 1, np.arange(2, rank + 2), strides)


def convolution(op: Op, at: dict, x: Any, w: Any, bias: Any = None) -> Any:
    """`y[b, o, j] = bias[o] + sum over c and k of w[o, c, k] x[b, c, j S + k D - P]`, place by place."""
    groups, (_, inner, *kernel) = at.get("group", 1), op("Shape", w)
    axes, total = np.arange(len(kernel)) + 2, None
    for place, under in taps(op, at, x, kernel, 0.0):
        rows, _, *extent = op("Shape", under)
        weight = op("Reshape", op("Slice", w, place, place + 1, axes), whole(1, groups, -1, inner))
        product = op("MatMul", weight, op("Reshape", under, whole(rows, groups, inner, math.prod(extent))))
        total = product if total is None else op("Add", total, product)
    made = op("Reshape", total, whole(rows, -1, *extent))
    return made if bias is None else op("Add", made, op("Unsqueeze", bias, np.arange(len(kernel)) + 1))


def max_pool(op: Op, at: dict, x: Any) -> Any:
    return functools.reduce(lambda a, b: op("Max", a, b), (y for _, y in taps(op, at, x, at["kernel_shape"], -math.inf)))


def least(op: Op, at: dict, x: Any, y: Any) -> Any:
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return np.minimum(x, y)
    return op("Neg", op("Max", op("Neg", x), op("Neg", y)))


def average_pool(op: Op, at: dict, x: Any) -> Any:
    """A convolution with ones, over how many elements there are."""
    kernel, shape = at["kernel_shape"], op("Shape", x)
    sizes = {name: at[name] for name in ("kernel_shape", "pads", "strides") if name in at}
    ones = op("Expand", 1.0, whole(shape[1], 1, *kernel))
    total = op("Conv", x, ones, group=int(shape[1]), **sizes)
    if at.get("count_include_pad", 0):
        return op("Div", total, float(math.prod(kernel)))
    return op("Div", total, op("Conv", op("Expand", 1.0, shape), ones, group=int(shape[1]), **sizes))


def clip(op: Op, at: dict, x: Any, low: Any = None, high: Any = None) -> Any:
    x = x if low is None else op("Max", x, low)
    return x if high is None else op("Min", x, high)


def unsqueeze(op: Op, at: dict, x: Any, axes: Any) -> Any:
    return op("Reshape", x, whole(*np.expand_dims(np.empty(op("Shape", x)), tuple(axes)).shape))


def squeeze(op: Op, at: dict, x: Any, axes: Any) -> Any:
    return op("Reshape", x, whole(*np.squeeze(np.empty(op("Shape", x)), tuple(axes)).shape))


def split(op: Op, at: dict, x: Any, sizes: Any) -> list[Any]:
    ends, axis = np.cumsum(sizes), whole(at.get("axis", 0))
    return [op("Slice", x, whole(end - size), whole(end), axis) for size, end in zip(sizes, ends, strict=True)]


def flatten(op: Op, at: dict, x: Any) -> Any:
    shape = op("Shape", x)
    axis = at.get("axis", 1)
    return op("Reshape", x, whole(np.prod(shape[:axis]), np.prod(shape[axis:])))


def scatter(op: Op, at: dict, x: Any, places: Any, rows: Any) -> Any:
    """Rows of x, and other rows at places that are whole numbers: gathered from both, one below the other."""
    shape, depth = op("Shape", x), places.shape[-1]
    sizes, row, count = shape[:depth], shape[depth:], int(np.prod(shape[:depth]))
    found = np.ravel_multi_index(tuple(np.moveaxis(np.where(places < 0, places + sizes, places), -1, 0)), sizes).ravel()
    if len({*found.tolist()}) < found.size:
        raise ValueError("two rows for one place have no meaning here")
    chosen = np.arange(count)
    chosen[found] = count + np.arange(found.size)
    both = [op("Reshape", v, whole(-1, *row)) for v in (x, rows)]
    return op("Reshape", op("Gather", op("Concat", *both, axis=0), chosen, axis=0), shape)


def rnn(op: Op, at: dict, given: Any, past: Any, h: Any, c: Any, back: Any) -> tuple[Any, Any]:
    return op("Tanh", op("Add", given, past)), c


def lstm(op: Op, at: dict, given: Any, past: Any, h: Any, c: Any, back: Any) -> tuple[Any, Any]:
    i, o, f, g = op("Split", op("Add", given, past), whole(*[at["hidden_size"]] * 4), axis=1)
    c = op("Add", op("Mul", op("Sigmoid", f), c), op("Mul", op("Sigmoid", i), op("Tanh", g)))
    return op("Mul", op("Sigmoid", o), op("Tanh", c)), c


def gru(op: Op, at: dict, given: Any, past: Any, h: Any, c: Any, back: Any) -> tuple[Any, Any]:
    """Without `linear_before_reset` the reset gate acts on h before the product with its weight."""
    sizes = whole(*[at["hidden_size"]] * 3)
    (uz, ur, un), (vz, vr, vn) = (op("Split", v, sizes, axis=1) for v in (given, past))
    update, reset = op("Sigmoid", op("Add", uz, vz)), op("Sigmoid", op("Add", ur, vr))
    if at.get("linear_before_reset", 0):
        new = op("Mul", reset, vn)
    else:
        new = op("Split", back(op("Mul", reset, h)), sizes, axis=1)[2]
    new = op("Tanh", op("Add", un, new))
    return op("Add", new, op("Mul", update, op("Sub", h, new))), c


CELLS = {"RNN": rnn, "LSTM": lstm, "GRU": gru}


def recurrent(
    op: Op, at: dict, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None, c: Any = None
) -> Any:
    """One direction: of x `(T, B, I)` the outputs `(T, 1, B, H)`, and the last states."""
    if lengths is not None:
        raise ValueError("sequences of their own lengths have no meaning here")
    frames, rows, _ = (int(n) for n in op("Shape", x))
    w, r = (op("Transpose", op("Squeeze", v, whole(0)), perm=[1, 0]) for v in (w, r))
    width = int(op("Shape", w)[1])
    biases = (0.0, 0.0) if b is None else op("Split", b, whole(width, width), axis=1)
    h, c = (op("Expand", 0.0, whole(rows, at["hidden_size"])) if v is None else op("Squeeze", v, whole(0)) for v in (h, c))

    def back(h: Any) -> Any:
        return op("Add", op("MatMul", h, r), biases[1])

    outputs = []
    for t in range(frames):
        given = op("Add", op("MatMul", op("Gather", x, np.array(t), axis=0), w), biases[0])
        h, c = CELLS[at["kind"]](op, at, given, back(h), h, c, back)
        outputs.append(op("Unsqueeze", h, whole(0, 1)))
    return [op("Concat", *outputs, axis=0), op("Unsqueeze", h, whole(0)), op("Unsqueeze", c, whole(0))]


# fmt: off
COMPOSED: dict[str, tuple[str, Callable[..., Any]]] = {  # operator -> attributes that are honoured, what it is
    "ReduceMean": ("axes keepdims", mean),
    "GlobalAveragePool": ("", lambda op, at, x: op("ReduceMean", x, np.arange(2, op("Shape", x).size))),
    "Conv": ("dilations group kernel_shape pads strides", convolution),
    "MaxPool": ("dilations kernel_shape pads strides", max_pool),
    "Min": ("", least),
    "AveragePool": ("count_include_pad kernel_shape pads strides", average_pool),
    "Softmax": ("axis", softmax),
    "BatchNormalization": ("epsilon momentum", batch_norm),
    "LayerNormalization": ("axis epsilon stash_type", layer_norm),
    "RMSNormalization": ("axis epsilon stash_type", layer_norm),
    "Gemm": ("alpha beta transA transB", gemm),
    "Clip": ("", clip), "Neg": ("", lambda op, at, x: op("Sub", 0.0, x)),
    "Unsqueeze": ("", unsqueeze), "Squeeze": ("", squeeze), "Split": ("axis", split), "Flatten": ("axis", flatten),
    "ScatterND": ("", scatter),
    "RNN": ("hidden_size", recurrent), "LSTM": ("hidden_size", recurrent),
    "GRU": ("hidden_size linear_before_reset", recurrent),
}
