"""What every operation of torch's dispatcher costs: tables by the name of the aten operation.

    PRODUCTS       operands -> multiply-adds, by the shapes                   convolution, matrix products, attention
    ELEMENTWISE    (class, mul, add, div, exp, compare) for each output       add, relu, gelu, ...
    REDUCTIONS     the same for each input that is not an output              sum, mean, amax, pooling
    NORMS          by the equations of `norm.py`
    COPIES         nothing computed, numbers moved                            cat, clone, index, padding
    VIEWS          nothing computed, nothing moved                            view, transpose, slice, empty

An operation that touches floating-point numbers and is in no table raises Uncounted: it never counts as zero. Operations on
integers and booleans alone (indices, counters, masks) are bookkeeping, and are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coequal.proofs.cost.activation import PER_ELEMENT, RECTIFIERS
from coequal.proofs.cost.cost import Cost, CostError, Size
from coequal.proofs.cost.norm import _standardised
from coequal.proofs.cost.softmax import rows
from coequal.proofs.cost.symbols import product

Shape = tuple[Size, ...]


class Uncounted(CostError):
    """An operation that computes with floats and is in no table."""


def _convolution(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    x, weight, bias = shapes[0], shapes[1], shapes[2] if len(shapes) > 2 else None
    transposed = len(args) > 6 and args[6] is True
    mul = product(x if transposed else out) * product(weight[1:])
    summed = Cost.of("conv", mul=mul, add=mul - product(out))
    return summed if bias is None else summed + Cost.of("conv bias", add=product(out))


def _matmul(rows_: Size, inner: Size, columns: Size, kind: str = "linear") -> Cost:
    return Cost.of(kind, mul=rows_ * inner * columns, add=rows_ * (inner - 1) * columns)


def _addmm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    return _matmul(product(shapes[1][:-1]), shapes[1][-1], shapes[2][-1]) + Cost.of("linear bias", add=product(out))


def _attention(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    q, k, v = shapes[:3]
    scores, queries = product(q[:-1]) * k[-2], product(q[:-1])
    products = Cost.of(
        "attention", mul=scores * (q[-1] + v[-1]), add=scores * (q[-1] - 1) + (scores - queries) * v[-1]
    )
    return products + Cost.of("scale", mul=scores) + rows("attention softmax", scores, queries)


def _batched(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    return _matmul(product(shapes[0][:-1]), shapes[0][-1], shapes[1][-1], "attention")


# (shapes of the arguments, the arguments, shape of the output) -> cost
PRODUCTS: dict[str, Callable[[list[Any], tuple, Shape], Cost]] = {
    **dict.fromkeys(("convolution", "_convolution", "mkldnn_convolution", "convolution_overrideable"), _convolution),
    "mm": lambda shapes, args, out: _matmul(*shapes[0], shapes[1][-1]),
    "mv": lambda shapes, args, out: _matmul(*shapes[0], 1),
    "dot": lambda shapes, args, out: _matmul(1, shapes[0][0], 1),
    "addmm": _addmm,
    "addmv": lambda shapes, args, out: _matmul(*shapes[1], 1) + Cost.of("linear bias", add=product(out)),
    "bmm": _batched,
    "baddbmm": lambda shapes, args, out: _batched(shapes[1:], args, out) + Cost.of("mask", add=product(out)),
    **dict.fromkeys(
        (
            *("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention"),
            *("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention"),
        ),
        _attention,
    ),
}

SNAKE = {"leaky_relu": "LeakyReLU", "hardtanh": "Hardtanh", "elu": "ELU", "prelu": "PReLU", "_prelu_kernel": "PReLU"}
ACTIVATIONS = {
    **{name.lower(): name for name in PER_ELEMENT if " " not in name},
    **{"log_sigmoid_forward": "LogSigmoid", "rrelu_with_noise": "RReLU", "rrelu_with_noise_functional": "RReLU", **SNAKE},
}

# name -> (class, multiplications, additions, divisions, transcendentals, comparisons) for each element of the output
ELEMENTWISE: dict[str, tuple[str, int, int, int, int, int]] = {
    **{
        aten: ("rectifier" if name in RECTIFIERS else "activation", *PER_ELEMENT[name])
        for aten, name in ACTIVATIONS.items()
    },
    **dict.fromkeys(("add", "sub", "rsub"), ("elementwise", 0, 1, 0, 0, 0)),
    **dict.fromkeys(("mul",), ("elementwise", 1, 0, 0, 0, 0)),
    **dict.fromkeys(("div", "reciprocal"), ("elementwise", 0, 0, 1, 0, 0)),
    **dict.fromkeys(("addcmul", "lerp"), ("elementwise", 2, 1, 0, 0, 0)),
    **dict.fromkeys(("addcdiv",), ("elementwise", 1, 1, 1, 0, 0)),
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "log2", "sqrt", "erf", "sin", "cos", "exp2"), ("elementwise", 0, 0, 0, 1, 0)),
    **dict.fromkeys(("rsqrt",), ("elementwise", 0, 0, 1, 1, 0)),
    **dict.fromkeys(("pow",), ("elementwise", 0, 0, 0, 1, 0)),
    **dict.fromkeys(("square",), ("elementwise", 1, 0, 0, 0, 0)),
    **dict.fromkeys(("maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "clamp_min", "clamp_max"), ("elementwise", 0, 0, 0, 0, 1)),
    **dict.fromkeys(("clamp",), ("elementwise", 0, 0, 0, 0, 2)),
    **dict.fromkeys(("neg", "abs", "sign", "where", "masked_fill", "floor", "round", "bernoulli"), ("elementwise", 0, 0, 0, 0, 0)),
    **dict.fromkeys(("cumsum",), ("elementwise", 0, 1, 0, 0, 0)),
    **dict.fromkeys(("cummax", "cummin"), ("elementwise", 0, 0, 0, 0, 1)),
    **dict.fromkeys(("isnan", "isinf", "isneginf", "logical_not", "logical_and", "logical_or"), ("elementwise", 0, 0, 0, 0, 1)),
}

# name -> (class, the count of each input that is not an output, divisions for each output)
REDUCTIONS: dict[str, tuple[str, str, int]] = {
    "sum": ("elementwise", "add", 0),
    "mean": ("pool", "add", 1),
    **dict.fromkeys(("amax", "amin", "max", "min", "argmax", "any", "all"), ("elementwise", "compare", 0)),
    **dict.fromkeys(("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d"), ("pool", "add", 1)),
    **dict.fromkeys(("adaptive_max_pool2d", "adaptive_max_pool3d"), ("pool", "compare", 0)),
}

# name -> (count of each term of a window but the first, divisions for each output, where the kernel stands)
POOLS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), ("add", 1)),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), ("compare", 0)),
}


def _batch_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    size, affine = product(out), shapes[1] is not None
    kind = "norm" if affine else "norm without affine"
    return Cost.of(kind, add=size * (1 + affine) + out[1], mul=size * int(affine), div=size, exp=out[1])


def _layer_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    inner = product(out[len(out) - len(args[1]) :])
    weight, bias = (int(shape is not None) for shape in shapes[2:4])
    size = product(out)
    return _standardised("token norm", _quotient(size, inner), inner) + Cost.of("token norm", mul=size * weight, add=size * bias)


def _group_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    sets, size, affine = out[0] * args[6], product(out), int(shapes[1] is not None)
    kind = "norm" if affine else "norm without affine"
    return _standardised(kind, sets, _quotient(size, sets)) + Cost.of(kind, mul=size * affine, add=size * affine)


def _rms_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    inner, size = product(out[len(out) - len(args[1]) :]), product(out)
    return _standardised("token norm", _quotient(size, inner), inner, 0) + Cost.of("token norm", mul=size)


def _softmax(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    return rows("softmax", product(out), _quotient(product(out), out[args[1]]))


def _quotient(size: Size, by: Size) -> Size:
    return size // by if isinstance(size, int) and isinstance(by, int) else size / by


NORMS: dict[str, Callable[[list[Any], tuple, Shape], Cost]] = {
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "cudnn_batch_norm"),
        _batch_norm,
    ),
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm,
    **dict.fromkeys(("_softmax", "_log_softmax", "_safe_softmax"), _softmax),
}

COPIES = {
    *("cat", "stack", "clone", "copy", "_to_copy", "contiguous", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d"),
    *("reflection_pad3d", "replication_pad1d", "replication_pad2d", "replication_pad3d", "index", "index_put", "_index_put_impl"),
    *("index_select", "gather", "scatter", "embedding", "roll", "flip", "repeat", "masked_select", "select_scatter"),
    *("slice_scatter", "im2col", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "upsample_nearest2d", "tril", "triu"),
    *("upsample_nearest3d", "native_dropout", "unfold_copy", "repeat_interleave", "index_copy", "index_fill", "_reshape_copy"),
}
VIEWS = {
    *("view", "_unsafe_view", "reshape", "transpose", "t", "permute", "expand", "slice", "select", "squeeze", "unsqueeze"),
    *("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "unbind", "chunk", "alias", "detach", "unfold"),
    *("as_strided", "_reshape_alias", "lift_fresh", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    *("zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "fill", "zero"),
    *("scalar_tensor", "arange", "linspace", "eye", "randn", "rand", "randint", "normal", "uniform", "_local_scalar_dense"),
    *("view_as_real", "view_as_complex", "sym_size", "sym_stride", "sym_numel", "size", "stride", "numel", "item", "is_same_size", "diagonal", "movedim"),
    *("lift", "resolve_conj", "resolve_neg", "set", "resize", "_has_compatible_shallow_copy_type", "narrow", "real", "imag"),
}


def cost_of(name: str, shapes: list[Any], args: tuple, outputs: list[Shape]) -> Cost:
    """Operations of one call: `name` without namespace and trailing underscore, shapes of its arguments and outputs."""
    out = outputs[0] if outputs else ()
    if name in PRODUCTS:
        return PRODUCTS[name](shapes, args, out)
    if name in NORMS:
        return NORMS[name](shapes, args, out)
    if name in ELEMENTWISE:
        kind, mul, add, div, exp, compare = ELEMENTWISE[name]
        return Cost.of(kind, mul=mul, add=add, div=div, exp=exp, compare=compare, writes=1) * product(out)
    if name in REDUCTIONS:
        kind, count, divisions = REDUCTIONS[name]
        return Cost.of(kind, **{count: product(shapes[0] or ()) - product(out)}) + Cost.of(kind, div=divisions * product(out))
    if name in POOLS:
        count, divisions = POOLS[name]
        return Cost.of("pool", **{count: product(out) * (product(args[1]) - 1)}) + Cost.of("pool", div=divisions * product(out))
    if name in COPIES or name in VIEWS:
        return Cost({})
    raise Uncounted(
        f"the operation {name if '::' in name else f'aten.{name}'} computes with floats and is in no table: nobody has said what it costs"
        " (coequal.proofs.cost.aten)"
    )
