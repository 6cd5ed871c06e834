"""What every operation of torch's dispatcher costs, by the name of the aten operation.

    products       multiply-adds, by the shapes of the operands         convolution, matrix products, attention
    norms          by the equations of `norm.py` and `softmax.py`
    the rest       by name: `aten_tables.py`

An operation that touches floating-point numbers and is in no table raises Uncounted: it never counts as zero. Operations on
integers and booleans alone (indices, counters, masks) are bookkeeping, and are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, CostError, Size
from coequal.proofs.cost.algebra.symbols import product
from coequal.proofs.cost.executed.aten_tables import COPIES, ELEMENTWISE, POOLS, REDUCTIONS, VIEWS, words
from coequal.proofs.cost.formulas.norm import standardised
from coequal.proofs.cost.formulas.softmax import rows

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
    return _matmul(product(shapes[1][:-1]), shapes[1][-1], shapes[2][-1]) + _bias(out)


def _bias(out: Shape) -> Cost:
    return Cost.of("linear bias", add=product(out), weights=out[-1])


def _attention(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    q, k, v = shapes[:3]
    scores, queries = product(q[:-1]) * k[-2], product(q[:-1])
    added = scores * (q[-1] - 1) + (scores - queries) * v[-1]
    products = Cost.of("attention", mul=scores * (q[-1] + v[-1]), add=added)
    return products + Cost.of("scale", mul=scores) + rows("attention softmax", scores, queries)


def _batched(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    return _matmul(product(shapes[0][:-1]), shapes[0][-1], shapes[1][-1], "attention")


# (shapes of the arguments, the arguments, shape of the output) -> cost
PRODUCTS: dict[str, Callable[[list[Any], tuple, Shape], Cost]] = {
    **dict.fromkeys(words("convolution _convolution mkldnn_convolution convolution_overrideable"), _convolution),
    "mm": lambda shapes, args, out: _matmul(shapes[0][0], shapes[0][1], shapes[1][-1]),
    "mv": lambda shapes, args, out: _matmul(shapes[0][0], shapes[0][1], 1),
    "dot": lambda shapes, args, out: _matmul(1, shapes[0][0], 1),
    "addmm": _addmm,
    "addmv": lambda shapes, args, out: _matmul(shapes[1][0], shapes[1][1], 1) + _bias(out),
    "bmm": _batched,
    "baddbmm": lambda shapes, args, out: _batched(shapes[1:], args, out) + Cost.of("mask", add=product(out)),
    **dict.fromkeys(
        words(
            "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention"
            " _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention"
        ),
        _attention,
    ),
}


def _batch_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    size, affine = product(out), shapes[1] is not None
    kind = "norm" if affine else "norm without affine"
    return Cost.of(kind, add=size * (1 + affine) + out[1], mul=size * int(affine), div=size, exp=out[1])


def _layer_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    inner = product(out[len(out) - len(args[1]) :])
    weight, bias = (int(shape is not None) for shape in shapes[2:4])
    size = product(out)
    affine = Cost.of("token norm", mul=size * weight, add=size * bias)
    return standardised("token norm", _quotient(size, inner), inner) + affine


def _group_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    sets, size, affine = out[0] * args[6], product(out), int(shapes[1] is not None)
    kind = "norm" if affine else "norm without affine"
    return standardised(kind, sets, _quotient(size, sets)) + Cost.of(kind, mul=size * affine, add=size * affine)


def _rms_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    inner, size = product(out[len(out) - len(args[1]) :]), product(out)
    return standardised("token norm", _quotient(size, inner), inner, 0) + Cost.of("token norm", mul=size)


def _softmax(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    return rows("softmax", product(out), _quotient(product(out), out[args[1]]))


def _weight_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    size, sets = product(shapes[0]), product(shapes[1])
    return Cost.of("elementwise", mul=2 * size, add=size - sets, exp=sets, div=sets)


def _vector_norm(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    if args[1:2] and args[1] != 2:
        raise Uncounted(f"no count for aten.linalg_vector_norm of order {args[1]}: nobody has said what it costs")
    size, sets = product(shapes[0]), product(out)
    return Cost.of("elementwise", mul=size, add=size - sets, exp=sets)


def _topk(shapes: list[Any], args: tuple, out: Shape) -> Cost:
    axis = args[2] if len(args) > 2 else -1
    return Cost.of("elementwise", compare=product(out) * (shapes[0][axis] - 1))  # a maximum for each


def _quotient(size: Size, by: Size) -> Size:
    return size // by if isinstance(size, int) and isinstance(by, int) else size / by


NORMS: dict[str, Callable[[list[Any], tuple, Shape], Cost]] = {
    **dict.fromkeys(
        words("native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit cudnn_batch_norm"),
        _batch_norm,
    ),
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm,
    **dict.fromkeys(words("_softmax _log_softmax _safe_softmax"), _softmax),
    "_weight_norm_interface": _weight_norm,
    "linalg_vector_norm": _vector_norm,
    "topk": _topk,
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
        return _reduced(kind, count, product(shapes[0] or ()) - product(out), divisions * product(out))
    if name in POOLS:
        count, divisions = POOLS[name]
        return _reduced("pool", count, product(out) * (product(args[1]) - 1), divisions * product(out))
    if name in COPIES or name in VIEWS:
        return Cost({})
    raise Uncounted(
        f"no count for the operation {name if '::' in name else f'aten.{name}'}, which computes with floats: nobody has said"
        " what it costs (coequal/proofs/cost/executed/aten_tables.py)"
    )


def _reduced(kind: str, count: str, operations: Size, divisions: Size) -> Cost:
    return Cost.of(kind, **{count: operations}) + Cost.of(kind, div=divisions)
