"""Every entry of the table of meanings is exercised: exact ones against torch on whole numbers, free ones by congruence.

An operation in `EXACT` runs on data whose residues are those of whole numbers (or of halves and quarters), and must give the
residues of what torch gives for the numbers themselves. An operation in `FREE` gives equal values for equal arguments, and
different ones for different arguments. `ALSO` are options, layouts and types beyond the one case an operation must have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics.table import MEANINGS, TABLE

aten = torch.ops.aten
F64 = torch.float64
Tensor = torch.Tensor
generator = torch.Generator().manual_seed(7)


def n(*shape: int, low: int = -9, high: int = 10) -> Tensor:
    return torch.randint(low, high, shape, generator=generator).double()


def powers(*shape: int) -> Tensor:
    """Powers of two, whose inverses float64 holds."""
    return torch.exp2(torch.randint(-3, 4, shape, generator=generator).double())


def index(high: int, *shape: int) -> Tensor:
    return torch.randint(0, high, shape, generator=generator)


def mask(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator).bool()


Case = tuple[Any, tuple, dict]


def case(operation: Any, *args: Any, **kwargs: Any) -> Case:
    return operation, args, kwargs


CONV1 = ([2], [1], [2], False, [0], 1)
CONV2 = ([1, 2], [1, 0], [1, 2], False, [0, 0], 2)
FLAGS = (False, False, False, False)

EXACT: dict[str, Case] = {
    # algebra
    "add": case(aten.add.Tensor, n(3, 4), n(4), alpha=3),
    "sub": case(aten.sub.Tensor, n(3, 4), n(3, 1), alpha=2),
    "rsub": case(aten.rsub.Scalar, n(3, 4), 5, 2),
    "neg": case(aten.neg.default, n(3, 4)),
    "mul": case(aten.mul.Tensor, n(3, 4), n(4)),
    "div": case(aten.div.Tensor, n(3, 4), powers(3, 4)),
    "reciprocal": case(aten.reciprocal.default, powers(5)),
    "square": case(aten.square.default, n(5)),
    "addcmul": case(aten.addcmul.default, n(5), n(5), n(5), value=0.5),
    "addcdiv": case(aten.addcdiv.default, n(5), n(5), powers(5), value=2),
    "lerp": case(aten.lerp.Scalar, n(5), n(5), 0.25),
    "pow": case(aten.pow.Tensor_Scalar, n(6), 3),
    "sum": case(aten.sum.dim_IntList, n(3, 4, 5), [0, 2], True),
    "mean": case(aten.mean.dim, n(3, 4, 5), [1]),
    "cumsum": case(aten.cumsum.default, n(3, 4), -1),
    "cumprod": case(aten.cumprod.default, n(3, 4), 1),
    "prod.dim_int": case(aten.prod.dim_int, n(3, 4), 1, True),
    "var.correction": case(aten.var.correction, n(3, 4), [1], correction=0),
    "var_mean.correction": case(aten.var_mean.correction, n(3, 4), [1], correction=0, keepdim=True),
    # products
    "mm": case(aten.mm.default, n(3, 4), n(4, 5)),
    "bmm": case(aten.bmm.default, n(2, 3, 4), n(2, 4, 5)),
    "addmm": case(aten.addmm.default, n(5), n(3, 4), n(4, 5), beta=2, alpha=3),
    "baddbmm": case(aten.baddbmm.default, n(2, 1, 5), n(2, 3, 4), n(2, 4, 5), beta=0.5),
    "addbmm": case(aten.addbmm.default, n(3, 5), n(2, 3, 4), n(2, 4, 5), alpha=0.5),
    "mv": case(aten.mv.default, n(3, 4), n(4)),
    "addmv": case(aten.addmv.default, n(3), n(3, 4), n(4), beta=2),
    "dot": case(aten.dot.default, n(6), n(6)),
    "vdot": case(aten.vdot.default, n(6), n(6)),
    "convolution": case(aten.convolution.default, n(2, 3, 9), n(4, 3, 2), n(4), *CONV1),
    "_convolution": case(aten._convolution.default, n(2, 4, 5, 9), n(6, 2, 3, 2), n(6), *CONV2, *FLAGS),
    # pooling
    "avg_pool1d": case(aten.avg_pool1d.default, n(2, 3, 9), [2], [3], [1]),
    "avg_pool2d": case(aten.avg_pool2d.default, n(2, 3, 7, 9), [2, 4], [2, 3], [1, 2], True, False),
    "avg_pool3d": case(aten.avg_pool3d.default, n(1, 2, 4, 6, 6), [2, 2, 2], [1, 2, 1]),
    "_adaptive_avg_pool2d": case(aten._adaptive_avg_pool2d.default, n(1, 2, 4, 8), [2, 2]),
    "_adaptive_avg_pool3d": case(aten._adaptive_avg_pool3d.default, n(1, 2, 4, 8, 2), [1, 4, 2]),
    "adaptive_avg_pool1d": case(aten.adaptive_avg_pool1d.default, n(1, 2, 5), [3]),
    # what is known without looking
    "isnan": case(aten.isnan.default, n(5)),
    "isinf": case(aten.isinf.default, n(5)),
    "isneginf": case(aten.isneginf.default, n(5)),
    "isposinf": case(aten.isposinf.default, n(5)),
    "isfinite": case(aten.isfinite.default, n(5)),
    "nan_to_num": case(aten.nan_to_num.default, n(5)),
    # moves
    "clone": case(aten.clone.default, n(3, 4)),
    "_to_copy": case(aten._to_copy.default, n(3, 4), dtype=torch.float32),
    "lift_fresh_copy": case(aten.lift_fresh_copy.default, n(3, 4)),
    "_unsafe_view": case(aten._unsafe_view.default, n(3, 4), [2, 6]),
    "cat": case(aten.cat.default, [n(2, 3), n(1, 3)], 0),
    "stack": case(aten.stack.default, [n(2, 3), n(2, 3)], 1),
    "repeat": case(aten.repeat.default, n(2, 3), [2, 1, 3]),
    "roll": case(aten.roll.default, n(4, 5), [2, -1], [0, 1]),
    "flip": case(aten.flip.default, n(4, 5), [1]),
    "index": case(aten.index.Tensor, n(4, 5), [None, index(5, 3)]),
    "index_select": case(aten.index_select.default, n(4, 5), 1, index(5, 3)),
    "gather": case(aten.gather.default, n(4, 5), 1, index(5, 4, 2)),
    "take": case(aten.take.default, n(4, 5), index(20, 3)),
    "take_along_dim": case(aten.take_along_dim.default, n(4, 5), index(5, 4, 2), 1),
    "embedding": case(aten.embedding.default, n(6, 3), index(6, 2, 4)),
    "constant_pad_nd": case(aten.constant_pad_nd.default, n(3, 4), [1, 2, 0, 1], 0.5),
    "reflection_pad1d": case(aten.reflection_pad1d.default, n(2, 3, 5), [2, 1]),
    "reflection_pad2d": case(aten.reflection_pad2d.default, n(2, 3, 5, 5), [2, 1, 1, 0]),
    "reflection_pad3d": case(aten.reflection_pad3d.default, n(1, 2, 4, 4, 4), [1, 1, 1, 0, 2, 1]),
    "replication_pad1d": case(aten.replication_pad1d.default, n(2, 3, 5), [2, 1]),
    "replication_pad2d": case(aten.replication_pad2d.default, n(2, 3, 5, 5), [2, 1, 1, 0]),
    "replication_pad3d": case(aten.replication_pad3d.default, n(1, 2, 4, 4, 4), [1, 1, 1, 0, 2, 1]),
    "pad": case(aten.pad.default, n(3, 4), [1, 1], "constant", 2.0),
    "where": case(aten.where.self, mask(3, 4), n(3, 4), n(4)),
    "masked_fill": case(aten.masked_fill.Scalar, n(3, 4), mask(3, 4), 7),
    "masked_scatter": case(aten.masked_scatter.default, n(3, 4), mask(3, 4), n(12)),
    "masked_select": case(aten.masked_select.default, n(3, 4), mask(3, 4)),
    "index_put": case(aten.index_put.default, n(4, 5), [index(4, 1), None], n(1, 5)),
    "_index_put_impl": case(aten._index_put_impl.default, n(4, 5), [torch.tensor([1, 1, 3]), None], n(3, 5), True),
    "_unsafe_index": case(aten._unsafe_index.Tensor, n(4, 5), [index(4, 3), index(5, 3)]),
    "index_copy": case(aten.index_copy.default, n(4, 5), 0, torch.tensor([2, 0]), n(2, 5)),
    "index_fill": case(aten.index_fill.int_Scalar, n(4, 5), 0, torch.tensor([2, 0]), 3),
    "scatter": case(aten.scatter.src, n(4, 5), 0, torch.tensor([[1, 0, 2, 3, 1]]), n(1, 5)),
    "scatter_add": case(aten.scatter_add.default, n(4, 5), 0, torch.tensor([[1, 1, 2, 3, 1], [1, 0, 2, 0, 1]]), n(2, 5)),
    "index_add": case(aten.index_add.default, n(4, 5), 1, torch.tensor([2, 0, 2]), n(4, 3), alpha=3),
    "linalg_solve_triangular": case(
        aten.linalg_solve_triangular.default, n(2, 4, 4), n(2, 4, 3), upper=False, unitriangular=True
    ),
    "slice_scatter": case(aten.slice_scatter.default, n(4, 5), n(2, 5), 0, 1, 3),
    "select_scatter": case(aten.select_scatter.default, n(4, 5), n(5), 0, 2),
    "diagonal_scatter": case(aten.diagonal_scatter.default, n(4, 4), n(3), 1),
    "tril": case(aten.tril.default, n(4, 5), 1),
    "triu": case(aten.triu.default, n(4, 5)),
    "fill": case(aten.fill.Scalar, n(4, 5), 2.5),
    "copy": case(aten.copy.default, n(4, 5), n(5)),
    "pixel_shuffle": case(aten.pixel_shuffle.default, n(1, 8, 3, 3), 2),
    "pixel_unshuffle": case(aten.pixel_unshuffle.default, n(1, 2, 4, 6), 2),
    "channel_shuffle": case(aten.channel_shuffle.default, n(1, 6, 2, 2), 3),
    "im2col": case(aten.im2col.default, n(1, 2, 5, 6), [2, 3], [1, 2], [1, 0], [2, 1]),
    "upsample_nearest1d": case(aten.upsample_nearest1d.default, n(1, 2, 4), [7]),
    "upsample_nearest2d": case(aten.upsample_nearest2d.default, n(1, 2, 4, 3), [7, 6]),
    "upsample_nearest3d": case(aten.upsample_nearest3d.default, n(1, 2, 2, 3, 2), [4, 6, 3]),
    "_upsample_nearest_exact1d": case(aten._upsample_nearest_exact1d.default, n(1, 2, 4), [7]),
    "_upsample_nearest_exact2d": case(aten._upsample_nearest_exact2d.default, n(1, 2, 4, 3), [7, 5]),
    "_reshape_copy": case(aten._reshape_copy.default, n(3, 4), [2, 6]),
    "view_copy": case(aten.view_copy.default, n(3, 4), [2, 6]),
    "expand_copy": case(aten.expand_copy.default, n(3, 1), [3, 4]),
    "slice_copy": case(aten.slice_copy.Tensor, n(5, 4), 0, 1, 5, 2),
    "diag_embed": case(aten.diag_embed.default, n(2, 3)),
    "repeat_interleave": case(aten.repeat_interleave.self_int, n(3, 2), 2, 0),
    "unsafe_split": case(aten.unsafe_split.Tensor, n(5, 2), 2),
    "unsafe_chunk": case(aten.unsafe_chunk.default, n(6, 2), 3),
    "unsafe_split_with_sizes": case(aten.unsafe_split_with_sizes.default, n(6, 2), [1, 5]),
    "split_with_sizes_copy": case(aten.split_with_sizes_copy.default, n(6, 2), [2, 4]),
    "rot90": case(aten.rot90.default, n(3, 4), 1, [0, 1]),
    "narrow_copy": case(aten.narrow_copy.default, n(5, 2), 0, 1, 3),
    "select_copy": case(aten.select_copy.int, n(5, 2), 0, 3),
    "unfold_copy": case(aten.unfold_copy.default, n(7, 2), 0, 3, 2),
}

UNARY = next(meaning.names for meaning in TABLE if "relu" in meaning.names)
WRITTEN_OUT = ("silu", "gelu", "mish", "hardswish", "hardsigmoid", "log_sigmoid_forward")  # formulas of free functions
FREE: dict[str, Case] = {
    **{name: case(getattr(aten, name).default, n(40, low=2)) for name in UNARY if name not in ("threshold",)},
    "threshold": case(aten.threshold.default, n(40, low=2), 0.5, -3.0),
    **{name: case(getattr(aten, name).default, n(40, low=2)) for name in WRITTEN_OUT},
    "rsqrt": case(aten.rsqrt.default, n(40, low=2)),
    "sqrt": case(aten.sqrt.default, n(40, low=2)),
    "exp": case(aten.exp.default, n(40, low=2)),
    "_prelu_kernel": case(aten._prelu_kernel.default, n(2, 20, low=2), torch.tensor([[0.25], [0.5]], dtype=F64)),
    "clamp": case(aten.clamp.default, n(40, low=2), -1, 4),
    "clamp_min": case(aten.clamp_min.default, n(40, low=2), 2),
    "clamp_max": case(aten.clamp_max.default, n(40, low=2), 2),
    "hardtanh": case(aten.hardtanh.default, n(40, low=2)),
}

# these have a test of their own: what they mean is a program of other operations, see test_rules_*.py
PROGRAMS: dict[str, Callable[..., tuple[Any, Any]]] = {}


def program(*names: str) -> Callable:
    """Decorator: `(lab) -> (results of the operation, results of the program that says what it means)`."""

    def add(function: Callable) -> Callable:
        for name in names:
            PROGRAMS[name] = function
        return function

    return add


def softmax_by_hand(x: Tensor, dim: int) -> Tensor:
    terms = torch.exp(x)
    return terms / sum(terms.unbind(dim)).unsqueeze(dim)


@program("_softmax", "_safe_softmax")
def _softmax(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    results = aten._softmax.default(x, 1, False), aten._safe_softmax.default(x, 1)
    return results, (softmax_by_hand(x, 1),) * 2


@program("_log_softmax")
def _log_softmax(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    return aten._log_softmax.default(x, 1, False), x - torch.log(torch.exp(x).sum(1, keepdim=True))


@program("logsumexp")
def _logsumexp(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    return torch.logsumexp(x, 1), torch.log(torch.exp(x).sum(1))


@program("logaddexp", "logcumsumexp")
def _sums_of_exponentials(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    pairs = torch.logaddexp(x[:, 0], x[:, 1]), torch.logcumsumexp(x, 1)[:, 2]
    return pairs, (torch.log(torch.exp(x[:, :2]).sum(1)), torch.log(torch.exp(x[:, :3]).sum(1)))


@program("atan2")
def _atan2(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    return torch.atan2(x[0] + x[1], x[2]), torch.atan2(x[1] + x[0], x[2])


@program("hypot", "_euclidean_dist", "_cdist_forward")
def _distances(lab) -> tuple[Any, Any]:
    a, b = lab.symbols(3, 4), lab.symbols(2, 4)
    by_hand = torch.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    given = aten._euclidean_dist.default(a, b), aten._cdist_forward.default(a, b, 2.0, None), torch.hypot(a[0], a[1])
    return given, (by_hand, by_hand, torch.sqrt(a[1] * a[1] + a[0] * a[0]))


@program("glu")
def _glu(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 6)
    return aten.glu.default(x, 1), x[:, :3] * torch.sigmoid(x[:, 3:])


@program("std.correction", "std_mean.correction")
def _std(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 6)
    root = torch.sqrt(x.var(1, unbiased=True))
    return (x.std(1), torch.std_mean(x, 1)), (root, (root, x.sum(1) / 6))


@program("linalg_vector_norm")
def _norm(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 6)
    given = torch.linalg.vector_norm(x, dim=1), torch.linalg.vector_norm(x, 1, dim=1)
    return given, (torch.sqrt((x * x).sum(1)), x.abs().sum(1))


@program("_scaled_dot_product_flash_attention_for_cpu")
def _attention(lab) -> tuple[Any, Any]:
    q, k, v = (lab.symbols(2, 2, 5, 4) for _ in range(3))
    given = aten._scaled_dot_product_flash_attention_for_cpu.default(q, k, v)[0]
    scores = q @ k.transpose(-1, -2) / 2
    return given, softmax_by_hand(scores, -1) @ v


@program("amax", "max.dim", "max", "maximum", "max.other", "fmax", "cummax")
def _maxima(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 4)
    row = torch.amax(x, 1)
    pairs = aten.maximum.default(aten.max.other(x[:, 3], x[:, 1]), aten.fmax.default(x[:, 0], x[:, 2]))
    results = torch.max(x, 1).values, torch.cummax(x, 1).values[:, -1], pairs, torch.max(x)
    return results, (row, row, row, torch.amax(row, 0))


@program("sort", "sort.stable", "topk", "kthvalue", "median.dim", "median")
def _order_statistics(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 5)
    turned = torch.stack([x[:, i] for i in (3, 0, 4, 2, 1)], 1)
    row, rows = torch.sort(x, 1).values, torch.sort(turned, 1, descending=True).values
    ends = torch.amin(x, 1), torch.amax(x, 1)
    given = (row, row[:, 0], row[:, -1], row[:, 2], row[:, 1], row[:, 3:], torch.median(x), torch.median(x[:, :1], 1).values)
    three = torch.topk(turned, 2, 1).values
    stable = torch.sort(turned, stable=True, dim=1).values
    expected = (rows.flip(1), *ends, torch.median(turned, 1).values, torch.kthvalue(turned, 2, 1).values, three.flip(1))
    return (*given, stable), (*expected, torch.median(turned.flatten().flip(0)), x[:, 0], row)


@program("cummin")
def _running_minimum(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 4)
    return torch.cummin(x, 1).values[:, -1], torch.amin(x, 1)


@program("amin", "minimum", "min.other", "fmin")
def _minima(lab) -> tuple[Any, Any]:
    x = lab.symbols(3, 4)
    least = torch.amin(x[:, :2], 1)
    pairs = [lab.direct(op, x[:, 1], x[:, 0]) for op in (aten.minimum.default, aten.min.other, aten.fmin.default)]
    return (least, *pairs), (-torch.amax(-x[:, :2], 1),) * 4


@program("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices")
def _max_pools(lab) -> tuple[Any, Any]:
    x, y, z = lab.symbols(1, 2, 6), lab.symbols(1, 2, 4, 6), lab.symbols(1, 2, 2, 4, 6)
    pooled = (
        lab.direct(aten.max_pool1d_with_indices.default, x, [2])[0],
        torch.nn.functional.max_pool2d(y, 2),
        torch.nn.functional.max_pool3d(z, 2),
    )
    by_hand = x.unflatten(2, (3, 2)).amax(3), y.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    return pooled, (*by_hand, z.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).amax((5, 6, 7)))


@program("adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_max_pools(lab) -> tuple[Any, Any]:
    x, y = lab.symbols(1, 2, 5, 4), lab.symbols(1, 2, 2, 4, 6)
    pooled = aten.adaptive_max_pool2d.default(x, [2, 2])[0], aten.adaptive_max_pool3d.default(y, [1, 2, 3])[0]
    rows = torch.stack([x[:, :, 0:3], x[:, :, 2:5]], 2)  # floor(5 i / 2) ... ceil(5 (i + 1) / 2)
    by_hand = rows.unflatten(4, (2, 2)).amax((3, 5))
    return pooled, (by_hand, y.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).amax((5, 6, 7)))


def standardised(x: Tensor, axes: list[int], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + eps)


@program("native_layer_norm")
def _layer_norm(lab) -> tuple[Any, Any]:
    x, w, b = lab.symbols(2, 3, 4), lab.symbols(3, 4), lab.symbols(3, 4)
    return torch.nn.functional.layer_norm(x, (3, 4), w, b, 1e-5), standardised(x, [1, 2], 1e-5) * w + b


@program("native_group_norm")
def _group_norm(lab) -> tuple[Any, Any]:
    x, w, b = lab.symbols(2, 6, 5), lab.symbols(6), lab.symbols(6)
    by_hand = standardised(x.reshape(2, 3, 10), [2], 1e-5).reshape(2, 6, 5)
    return torch.nn.functional.group_norm(x, 3, w, b, 1e-5), by_hand * w[:, None] + b[:, None]


@program("native_batch_norm", "_native_batch_norm_legit_no_training", "_batch_norm_no_update", "cudnn_batch_norm",
         "_native_batch_norm_legit")  # fmt: skip
def _batch_norm(lab) -> tuple[Any, Any]:
    x, (w, b, mean, var) = lab.symbols(2, 3, 5), (lab.symbols(3) for _ in range(4))
    by_hand = (x - mean[:, None]) * torch.rsqrt(var[:, None] + 1e-5) * w[:, None] + b[:, None]
    dispatch = lab.direct
    results = [
        dispatch(aten.native_batch_norm.default, x, w, b, mean, var, False, 0.1, 1e-5)[0],
        dispatch(aten._native_batch_norm_legit_no_training.default, x, w, b, mean, var, 0.1, 1e-5)[0],
        dispatch(aten._batch_norm_no_update.default, x, w, b, mean, var, 0.1, 1e-5)[0],
        dispatch(aten.cudnn_batch_norm.default, x, w, b, mean, var, False, 0.1, 1e-5)[0],
        dispatch(aten._native_batch_norm_legit.no_stats, x, w, b, True, 0.1, 1e-5)[0],
    ]
    of_the_clip = standardised(x, [0, 2], 1e-5) * w[:, None] + b[:, None]
    return results, [by_hand] * 4 + [of_the_clip]


@program("_fused_rms_norm", "rms_norm")
def _rms_norm(lab) -> tuple[Any, Any]:
    x, w = lab.symbols(2, 3, 4), lab.symbols(4)
    by_hand = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w
    results = [
        torch.nn.functional.rms_norm(x, (4,), w, 1e-6),
        lab.direct(aten.rms_norm.default, x, [4], w, 1e-6),
        lab.direct(aten._fused_rms_norm.default, x, [4], w, 1e-6)[0],
    ]
    return results, [by_hand] * 3


def test_every_meaning_is_exercised() -> None:
    assert EXACT.keys() | FREE.keys() | PROGRAMS.keys() == MEANINGS.keys()


def calls(operation: Any, name: str) -> bool:
    """Whether the entry of that name is the one that the operation looks up."""
    packet = operation.overloadpacket.__name__
    return name in (packet, f"{packet}.{operation._overloadname}")


@pytest.mark.parametrize("name", EXACT)
def test_exact(name: str, lab) -> None:
    operation, args, kwargs = EXACT[name]
    assert calls(operation, name)
    plain = [a.clone() if isinstance(a, Tensor) else a for a in args]
    try:
        expected = operation(*plain, **kwargs)
    except NotImplementedError:
        pytest.fail(f"torch itself has no {name} here")
    lab.agree(lab.dispatched(operation, *args, **kwargs), expected)
    assert operation.overloadpacket.__name__ in lab.exact.executed


ALSO: dict[str, Case] = {
    "add of a number": case(aten.add.Tensor, n(3), 2.5),
    "sub of an int tensor": case(aten.sub.Tensor, n(3), index(5, 3)),
    "a bool tensor times data": case(aten.mul.Tensor, n(3, 4), mask(4)),
    "div by an int tensor": case(aten.div.Tensor, n(3), torch.tensor([1, 2, 4])),
    "div of a number by data": case(aten.div.Tensor, torch.tensor(3.0, dtype=F64), powers(4)),
    "lerp with a tensor": case(aten.lerp.Tensor, n(3), n(3), n(3)),
    "negative power": case(aten.pow.Tensor_Scalar, powers(5), -2),
    "power zero": case(aten.pow.Tensor_Scalar, n(5), 0),
    "sum of all": case(aten.sum.default, n(3, 4)),
    "sum of one axis of nothing left": case(aten.sum.dim_IntList, n(3), [0]),
    "sum over an empty list is over all": case(aten.sum.dim_IntList, n(3, 4), []),
    "mean of all": case(aten.mean.default, n(4, 4)),
    "mean over no power of two": case(aten.mean.dim, n(7, 3), [0]),
    "cumsum of a matrix along the first axis": case(aten.cumsum.default, n(3, 4), 0),
    "depthwise": case(aten.convolution.default, n(2, 3, 9), n(3, 1, 2), n(3), [2], [1], [2], False, [0], 3),
    "depthwise in three dimensions": case(
        aten.convolution.default, n(1, 2, 4, 5, 6), n(2, 1, 2, 3, 2), None, [1, 2, 1], [1, 0, 1], [1] * 3, False, [0] * 3, 2
    ),
    "depthwise with two channels out": case(
        aten.convolution.default, n(2, 3, 9), n(6, 1, 2), n(6), [1], [1], [1], False, [0], 3
    ),
    "three dimensions": case(
        aten.convolution.default, n(1, 2, 4, 5, 6), n(3, 2, 2, 3, 2), n(3), [1, 2, 1], [1, 0, 1], [1] * 3, False, [0] * 3, 1
    ),
    "transposed": case(aten.convolution.default, n(2, 3, 5), n(3, 4, 2), n(4), [2], [1], [1], True, [1], 1),
    "transposed in groups": case(
        aten.convolution.default, n(2, 4, 3, 5), n(4, 3, 2, 2), n(6), [2, 1], [0, 1], [1, 2], True, [1, 0], 2
    ),
    "pool with a divisor": case(aten.avg_pool2d.default, n(1, 2, 4, 4), [2, 2], [2, 2], [0, 0], False, True, 8),
    "pool in one dimension that counts no padding": case(aten.avg_pool1d.default, n(2, 3, 8), [4], [2], [2], True, False),
    "pool over three": case(aten.avg_pool1d.default, n(2, 3, 8), [3], [2], [1], True, True),
    "pad with minus infinity": case(aten.constant_pad_nd.default, n(3), [1, 1], -math.inf),
    "masked fill with minus infinity": case(aten.masked_fill.Scalar, n(3, 4), mask(3, 4), -math.inf),
    "masked fill with a tensor": case(aten.masked_fill.Tensor, n(3, 4), mask(3, 4), torch.tensor(2.0, dtype=F64)),
    "where with a number": case(aten.where.ScalarOther, mask(3, 4), n(3, 4), 2.0),
    "where with minus infinity": case(aten.where.ScalarSelf, mask(3, 4), -math.inf, n(3, 4)),
    "minus infinity is classified": case(aten.isneginf.default, torch.tensor([1.0, -math.inf], dtype=F64)),
    "minus infinity is not finite": case(aten.isfinite.default, torch.tensor([1.0, -math.inf], dtype=F64)),
    "index with bools": case(aten.index.Tensor, n(4, 5), [mask(4)]),
    "scatter a number": case(aten.scatter.value, n(4, 5), 0, torch.tensor([[1, 0, 2, 3, 1]]), 2.5),
    "single precision": case(aten.mul.Tensor, n(4).float(), n(4).float()),
    "single and double": case(aten.add.Tensor, n(4).float(), n(4)),
    "embedding with a padding index": case(aten.embedding.default, n(6, 3), index(6, 4), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", ALSO)
def test_exact_options(name: str, lab) -> None:
    operation, args, kwargs = ALSO[name]
    lab.agree(lab.dispatched(operation, *args, **kwargs), operation(*args, **kwargs))


def first(result: Any) -> Tensor:
    return result[0] if isinstance(result, (tuple, list)) else result


@pytest.mark.parametrize("name", FREE)
def test_free(name: str, lab) -> None:
    """A function of the argument, and one-to-one on the few arguments tried; no two functions are alike."""
    operation, (x, *options), kwargs = FREE[name]
    assert calls(operation, name)
    once = lab.planes(first(lab.dispatched(operation, x, *options, **kwargs)))
    again = lab.planes(first(lab.dispatched(operation, x.clone(), *options, **kwargs)))
    assert torch.equal(once, again)
    images = once.flatten(1).unique(dim=1).shape[1]
    pairs = x.unique().numel() if name != "_prelu_kernel" else sum(row.unique().numel() for row in x)
    assert images == pairs
    others = [key for key in FREE if key not in (name, "special_expit", "_prelu_kernel", "log_sigmoid_forward")]
    if name in ("relu", "abs"):  # the arguments are positive numbers: both leave those as they are
        others = [key for key in others if key not in ("relu", "abs")]
    if name not in ("special_expit", "_prelu_kernel"):
        for other in others:
            packet, (_, *more), named = FREE[other]
            assert not bool((lab.planes(first(lab.dispatched(packet, x, *more, **named))) == once).all(0).any()), other


@pytest.mark.parametrize(
    "name", [k for k, v in FREE.items() if k not in ("rsqrt", "_prelu_kernel", "threshold", "clamp_min")]
)
def test_free_at_zero(name: str, lab) -> None:
    """Where a value at zero is known it is torch's; elsewhere it is a value like any other."""
    operation, (_, *options), kwargs = FREE[name]
    zero = torch.zeros(3, dtype=F64)
    truth = first(operation(zero, *options, **kwargs))
    got = lab.planes(first(lab.dispatched(operation, zero, *options, **kwargs)))
    if name in ("acos", "log", "log2", "log10", "logit", "softplus", "log_sigmoid_forward", "hardsigmoid"):
        assert not bool((got == 0).all())
    else:
        assert torch.equal(got, lab.field.constants(truth).planes)


UNKNOWN_AT_MINUS_INFINITY = {  # refused, though torch has a value there
    "elu", "celu", "threshold", "atan", "erfc", "special_expit", "log_sigmoid_forward", "softshrink",
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_free_at_minus_infinity(name: str, lab) -> None:
    """Torch's limit there, or a refusal."""
    operation, (_, *options), kwargs = FREE[name]
    masked = torch.tensor([2.0, -math.inf], dtype=F64)
    truth = first(operation(masked, *options, **kwargs))[1]
    if math.isfinite(truth) and name not in UNKNOWN_AT_MINUS_INFINITY:
        got = lab.planes(first(lab.dispatched(operation, masked, *options, **kwargs)))[:, 1]
        assert torch.equal(got, lab.field.constants(truth[None]).planes[:, 0])
    else:
        with pytest.raises(NotDecided, match=f"{name} of minus infinity"):
            lab.dispatched(operation, masked, *options, **kwargs)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, lab) -> None:
    with lab.running():
        results, expected = PROGRAMS[name](lab)
        for result, truth in zip(
            torch.utils._pytree.tree_leaves(results), torch.utils._pytree.tree_leaves(expected), strict=True
        ):
            assert lab.equal(result, truth)
    executed = lab.exact.executed
    assert name.partition(".")[0] in executed


def test_options_of_a_function_enter_it(lab) -> None:
    x = lab.symbols(10)
    with lab.running():
        functional = torch.nn.functional
        assert lab.different(functional.gelu(x), functional.gelu(x, approximate="tanh"))
        assert lab.different(functional.leaky_relu(x, 0.01), functional.leaky_relu(x, 0.02))
        assert lab.equal(functional.leaky_relu(x), functional.leaky_relu(x, negative_slope=0.01))
        assert lab.different(functional.softplus(x, 1.0), functional.softplus(x, 2.0))
        assert lab.equal(functional.elu(x), functional.elu(x, 1.0))
        assert lab.different(torch.clamp(x, -1, 1), torch.clamp(x, -1, 2))
        assert lab.equal(torch.clamp(x, min=0), torch.relu(x))
        assert lab.equal(functional.hardtanh(x), torch.clamp(x, -1.0, 1.0))
        assert lab.equal(functional.relu6(x), torch.clamp(x, 0.0, 6.0))
        assert lab.equal(torch.sqrt(x) * torch.rsqrt(x), torch.ones(10, dtype=F64))
        assert lab.equal(x**0.5, torch.sqrt(x))
        assert lab.equal(x**-0.5, torch.rsqrt(x))
        assert lab.equal(x**0.3, x**0.3)
        assert lab.different(x**0.3, x**0.4)
        assert lab.equal(2.0**x, 2.0**x)
