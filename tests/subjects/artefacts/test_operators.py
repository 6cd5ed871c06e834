"""Every ONNX operator that has a meaning here, against onnxruntime, on random inputs and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

import coequal
from coequal.process.exported import load
from coequal.subjects.artefacts.operators.table import OPERATORS, Refused
from coequal.subjects.errors import BadSubject

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402

RANDOM = np.random.default_rng(7)


def f(*shape: int) -> np.ndarray:
    """Random floats."""
    return RANDOM.standard_normal(shape).astype(np.float32)


def p(*shape: int) -> np.ndarray:
    """Random floats between 0.1 and 0.9."""
    return RANDOM.uniform(0.1, 0.9, shape).astype(np.float32)


def i(*numbers: Any) -> np.ndarray:
    """Whole numbers of 64 bits."""
    return np.array(numbers, dtype=np.int64)


def u(low: int, high: int, *shape: int, kind: type = np.uint8) -> np.ndarray:
    """Random whole numbers."""
    return RANDOM.integers(low, high, shape).astype(kind)


def s(number: float) -> np.ndarray:
    """A scale."""
    return np.array(number, dtype=np.float32)


@dataclass
class Case:
    """One node; `steps` is the number of roundings on its longest path, 0 where it must be the very numbers."""

    kind: str
    inputs: tuple
    steps: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    opset: int = 17
    linear: bool = False  # the bound is that of sums of products: the operator on magnitudes
    fixed: tuple[int, ...] = ()  # inputs that are no data: as they are when magnitudes are taken

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(f'{k}={v}' for k, v in self.attributes.items())}".strip()


def many(kinds: str, inputs: tuple, steps: int = 0, **given: Any) -> list[Case]:
    return [Case(kind, inputs, steps, **given) for kind in kinds.split()]


def window(kind: str, steps: int, *inputs: Any, **attributes: Any) -> Case:
    return Case(kind, inputs, steps, attributes, linear=True)


PLACES = "coordinate_transformation_mode"
REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
              "ReduceLogSum", "ReduceLogSumExp")  # fmt: skip
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(kind: str, directions: int = 1, bias: bool = True, states: bool = True, **attributes: Any) -> Case:
    gates, rows, size, hidden = GATES[kind], 2, 3, 4
    b = f(directions, 2 * gates * hidden) if bias else None
    start = (f(directions, rows, hidden),) if states else ()
    inputs = (f(5, rows, size), f(directions, gates * hidden, size), f(directions, gates * hidden, hidden), b)
    inputs += (None, *(start * (2 if kind == "LSTM" else 1))) if states else ()
    return Case(kind, inputs, 400, {"hidden_size": hidden, **attributes}, 3 if kind == "LSTM" else 2)


CASES: list[Case] = [
    *many("Neg Abs Floor Ceil Round Sign Relu IsNaN", (f(3, 4),)),
    *many("Sqrt Exp Log Reciprocal Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Atanh", (p(3, 5),), 12),
    Case("Acosh", (p(3, 4) + 2,), 12),
    *many("Sigmoid Tanh HardSwish Softsign Mish Softplus LeakyRelu ThresholdedRelu", (f(3, 5),), 16, opset=18),
    *many("HardSigmoid Elu Celu Selu", (f(3, 5),), 16),
    *many("Add Sub Mul", (f(3, 1, 4), f(2, 4)), 1),
    *many("Div Pow", (p(3, 1, 4), p(2, 4)), 12),
    *[Case("Pow", (p(3, 4), np.array(e, np.float32)), 12) for e in (2, 3, 0.5, -1)],
    Case("Div", (i(7, -7, 9), i(2, 2, -4))),
    Case("Mod", (i(7, -7, 9), i(3, 3, -4))),
    Case("Mod", (f(4), p(4)), 8, {"fmod": 1}),
    *many("And Or Xor", (f(3, 4) > 0, f(4) > 0)),
    Case("Not", (f(3, 4) > 0,)),
    *many("Equal Less Greater LessOrEqual GreaterOrEqual", (u(0, 3, 3, 4, kind=np.int64), u(0, 3, 4, kind=np.int64))),
    Case("IsInf", (np.array([1, np.inf, -np.inf, np.nan], np.float32),)),
    *many("Sum Max Min Mean", (f(3, 4), f(4), f(3, 1)), 4),
    Case("Clip", (f(3, 4), np.array(-0.3, np.float32), np.array(0.4, np.float32))),
    Case("Clip", (f(3, 4), None, np.array(0.4, np.float32))),
    Case("Where", (f(3, 4) > 0, f(4), f(3, 1))),
    *[Case("BitShift", (u(0, 9, 4), u(0, 3, 4)), attributes={"direction": d}) for d in ("LEFT", "RIGHT")],
    # activations with attributes
    Case("LeakyRelu", (f(3, 4),), 4, {"alpha": 0.2}),
    Case("ThresholdedRelu", (f(3, 4),), 0, {"alpha": 0.3}),
    Case("HardSigmoid", (3 * f(3, 4),), 6, {"alpha": 1 / 6, "beta": 0.5}),
    *many("Elu Celu", (f(3, 4),), 16, attributes={"alpha": 0.7}),
    Case("Selu", (f(3, 4),), 16, {"alpha": 1.1, "gamma": 0.9}),
    *[Case("Gelu", (f(3, 40),), 60, {"approximate": a}, opset=20) for a in ("none", "tanh")],
    Case("PRelu", (f(3, 4, 5), p(4, 1)), 2),
    Case("PRelu", (f(3, 4), p(4)), 2),
    *[Case(k, (f(2, 3, 4),), 30, {"axis": a}) for k in ("Softmax", "LogSoftmax") for a in (0, 1, -1)],
    *many("Softmax LogSoftmax", (f(2, 3, 4),), 30, opset=13),
    Case("Dropout", (f(3, 4),)),
    # products
    Case("MatMul", (f(2, 3, 4), f(4, 5)), 5, linear=True),
    Case("MatMul", (f(4), f(2, 4, 3)), 5, linear=True),
    *[
        Case("Gemm", (f(*(3, 4)[:: 1 - 2 * a]), f(*(4, 5)[:: 1 - 2 * b]), f(5)), 8, {"transA": a, "transB": b}, linear=True)
        for a in (0, 1)
        for b in (0, 1)
    ],
    Case("Gemm", (f(3, 4), f(4, 5)), 8, {"alpha": 0.5}, linear=True),
    Case("Gemm", (f(3, 4), f(4, 5), f(3, 1)), 8, {"alpha": 0.5, "beta": 1.5}, linear=True),
    Case("Einsum", (f(2, 3, 4), f(2, 4, 5)), 6, {"equation": "bij,bjk->bik"}, linear=True),
    window("Conv", 12, f(2, 3, 9), f(4, 3, 3), f(4)),
    window("Conv", 12, f(2, 4, 9), f(6, 2, 3), f(6), group=2, strides=[2], dilations=[2], pads=[2, 1]),
    window("Conv", 40, f(1, 3, 6, 7), f(2, 3, 3, 2), pads=[1, 0, 1, 2], strides=[2, 1]),
    window("Conv", 80, f(1, 2, 4, 5, 4), f(2, 2, 3, 2, 2), pads=[1, 1, 0, 1, 1, 0]),
    *[window("Conv", 12, f(1, 3, 8), f(4, 3, 4), auto_pad=a, strides=[2]) for a in ("SAME_UPPER", "SAME_LOWER", "VALID")],
    window("ConvTranspose", 20, f(2, 3, 5), f(3, 4, 3), f(4), strides=[2], pads=[1, 1], output_padding=[1]),
    window("ConvTranspose", 20, f(2, 4, 5), f(4, 2, 3), group=2, dilations=[2], pads=[1, 2]),
    window("ConvTranspose", 40, f(1, 3, 4, 3), f(3, 2, 2, 3), strides=[2, 1], pads=[0, 1, 1, 0]),
    Case("MatMulInteger", (u(0, 255, 3, 4), u(0, 255, 4, 5), np.array(7, np.uint8), np.array(3, np.uint8))),
    # norms
    *[Case("BatchNormalization", (f(2, 3, 4), f(3), f(3), f(3), p(3)), 12, a) for a in ({}, {"epsilon": 1e-3})],
    *[Case("LayerNormalization", (f(2, 3, 4), f(4), f(4)), 40, {"axis": -1, **a}) for a in ({}, {"epsilon": 1e-2})],
    Case("LayerNormalization", (f(2, 3, 4), f(3, 4)), 60, {"axis": 1}),
    Case("InstanceNormalization", (f(2, 3, 6), f(3), f(3)), 40, {"epsilon": 1e-3}),
    Case("GroupNormalization", (f(2, 4, 6), f(4), f(4)), 60, {"num_groups": 2}, opset=21),
    Case("RMSNormalization", (f(2, 3, 4), f(4)), 30, {"axis": -1}, opset=23),
    *[Case("LpNormalization", (f(2, 3, 4),), 20, {"axis": 1, "p": n}) for n in (1, 2)],
    # moves
    Case("Identity", (f(3, 4),)),
    *[Case("Reshape", (f(2, 3, 4), i(*s))) for s in ((6, 4), (0, -1), (-1, 2), (4, 0, 2))],
    *[Case("Flatten", (f(2, 3, 4),), attributes={"axis": a}) for a in (0, 1, 2, -1)],
    *[Case("Transpose", (f(2, 3, 4),), attributes=a) for a in ({}, {"perm": [1, 2, 0]})],
    Case("Squeeze", (f(1, 3, 1), i(0, -1))),
    Case("Squeeze", (f(1, 3, 1),)),
    *[Case("Unsqueeze", (f(3, 4), i(*a))) for a in ((0,), (1, 3), (-1, 0))],
    *[Case("Expand", (f(3, 1), i(*s))) for s in ((2, 3, 4), (3, 1), (1, 4))],
    Case("Tile", (f(2, 3), i(2, 1))),
    *[Case("Concat", (f(2, 3), f(2, 3)), attributes={"axis": a}) for a in (0, 1, -1)],
    Case("Split", (f(2, 7), i(3, 4)), attributes={"axis": 1}, outputs=2),
    Case("Split", (f(2, 7),), attributes={"axis": 1, "num_outputs": 3}, outputs=3, opset=18),
    Case("Split", (f(2, 6),), attributes={"axis": 1, "num_outputs": 4}, outputs=4, opset=18),
    Case("Split", (f(2, 6),), attributes={"axis": 1}, outputs=3),
    *[
        Case("Slice", (f(5, 6), i(*a), i(*b), i(*c), i(*s)))
        for a, b, c, s in (
            ((1,), (4,), (0,), (1,)),
            ((-3,), (2**62,), (1,), (2,)),
            ((4, -1), (0, -(2**62)), (0, 1), (-2, -1)),
            ((3,), (1,), (1,), (1,)),
        )
    ],
    Case("Slice", (f(5, 6), i(1, 2), i(-1, 6))),
    Case("Slice", (f(5, 6), i(-7), i(-7), i(0), i(-2))),
    *[Case("Gather", (f(3, 4, 2), np.array([[0, -1], [1, 2]], np.int64)), attributes={"axis": a}) for a in (0, 1)],
    Case("Gather", (f(3, 4), np.array(1, np.int64)), attributes={"axis": 1}),
    Case("GatherElements", (f(3, 4), u(0, 3, 2, 4, kind=np.int64)), attributes={"axis": 0}),
    Case("GatherND", (f(3, 4, 2), np.array([[0, 1], [2, 3]], np.int64))),
    Case("ScatterND", (f(4, 3), np.array([[1], [3]], np.int64), f(2, 3))),
    Case("ScatterElements", (f(3, 4), np.array([[0, 1, -1, 0]], np.int64), f(1, 4)), attributes={"axis": 0}, opset=18),
    *[Case("Pad", (f(3, 4), i(0, 2, 1, 1), np.array(0.5, np.float32)), attributes={"mode": "constant"}) for _ in (0,)],
    *[Case("Pad", (f(3, 5), i(1, 2, 1, 3)), attributes={"mode": m}) for m in ("constant", "reflect", "edge")],
    Case("Pad", (f(3, 5), i(0, -1, 1, -2))),
    Case("Pad", (f(3, 5), i(2, 1), None, i(1)), opset=18),
    *[Case("Trilu", (f(4, 4), np.array(k, np.int64)), attributes={"upper": up}) for k in (-1, 0, 1) for up in (0, 1)],
    *[Case("DepthToSpace", (f(1, 8, 2, 3),), attributes={"blocksize": 2, "mode": m}) for m in ("DCR", "CRD")],
    Case("SpaceToDepth", (f(1, 2, 4, 6),), attributes={"blocksize": 2}),
    Case("ReverseSequence", (f(4, 2), i(3, 4)), attributes={"time_axis": 0, "batch_axis": 1}),
    # shapes
    *[Case("Shape", (f(2, 3, 4),), attributes=a) for a in ({}, {"start": 1}, {"start": -2, "end": -1})],
    Case("Size", (f(2, 3),)),
    Case("ConstantOfShape", (i(2, 3),)),
    Case("ConstantOfShape", (i(2, 3),), attributes={"value": onnx.helper.make_tensor("v", 7, [1], [5])}),
    Case("Range", (np.array(1, np.int64), np.array(9, np.int64), np.array(3, np.int64))),
    Case("Range", (np.array(1, np.int64), np.array(-4, np.int64), np.array(3, np.int64))),
    Case("Range", (np.array(1, np.float32), np.array(-1, np.float32), np.array(-0.3, np.float32)), 2),
    *[Case("Cast", (3 * f(3, 4),), attributes={"to": t}) for t in (1, 6, 7, 9, 10, 11)],
    Case("CastLike", (3 * f(3, 4), i(1))),
    Case("EyeLike", (f(3, 4),), attributes={"k": 1}),
    Case("NonZero", (u(0, 2, 3, 4, kind=np.int64),)),
    *[Case("OneHot", (i(0, 2, -1), np.array(3, np.int64), p(2)), attributes={"axis": a}) for a in (-1, 0)],
    Case("OneHot", (i(-5, -4, -3, -1, 0, 3, 4, 7), np.array(4, np.int64), p(2))),
    # reductions
    *[Case(kind, (p(2, 3, 4),), 40, {"axes": [1], "keepdims": keep}, opset=13) for kind in REDUCTIONS for keep in (0, 1)],
    *[Case("ReduceSum", (p(2, 3, 4), i(0, -1)), 20, {"keepdims": keep}) for keep in (0, 1)],
    Case("ReduceMean", (p(2, 3, 4), i(2)), 20, opset=18),
    Case("ReduceSum", (p(2, 3, 4),), 40),
    Case("ReduceSum", (p(2, 3, 4),), 0, {"noop_with_empty_axes": 1}),
    *[Case("CumSum", (p(3, 4), np.array(1, np.int64)), 6, {"exclusive": e, "reverse": r}) for e in (0, 1) for r in (0, 1)],
    *[Case(k, (f(3, 4),), attributes={"axis": 1, "keepdims": d}) for k in ("ArgMax", "ArgMin") for d in (0, 1)],
    *[Case("TopK", (f(3, 6), i(2)), attributes={"axis": 1, "largest": g}, outputs=2) for g in (0, 1)],
    *[
        Case("TopK", (u(0, 3, 4, 40, kind=kind), i(n)), attributes={"axis": -1, "largest": g}, outputs=2)
        for kind in (np.float32, np.int64)
        for n in (1, 5, 40)
        for g in (0, 1)
    ],
    # pooling
    *many("GlobalAveragePool GlobalMaxPool", (p(2, 3, 5),), 8),
    *[Case("AveragePool", (p(1, 2, 8),), 8, {"kernel_shape": [3], "pads": [1, 1], "count_include_pad": c}) for c in (0, 1)],
    Case("AveragePool", (p(1, 2, 7, 6),), 12, {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]}),
    Case("MaxPool", (f(1, 2, 8),), 0, {"kernel_shape": [3], "pads": [1, 1], "strides": [2]}),
    Case("MaxPool", (f(1, 2, 7, 6),), 0, {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "dilations": [1, 2]}),
    # resize
    *[
        Case("Resize", (p(1, 2, 4, 5), None, np.array([1, 1, *s], np.float32)), 10, {"mode": m, PLACES: c, **n})
        for s in ((2, 1), (0.5, 2))
        for m, c, n in (
            ("nearest", "asymmetric", {"nearest_mode": "floor"}),
            ("nearest", "half_pixel", {}),
            ("linear", "half_pixel", {}),
            ("linear", "align_corners", {}),
            ("linear", "asymmetric", {}),
            ("linear", "pytorch_half_pixel", {}),
        )
    ],
    Case(
        "Resize",
        (p(1, 2, 4), None, None, i(1, 2, 7)),
        10,
        {"mode": "nearest", "nearest_mode": "floor", PLACES: "asymmetric"},
    ),
    # recurrent layers
    *[recurrent(kind) for kind in GATES],
    *[recurrent(kind, bias=False, states=False) for kind in GATES],
    *[recurrent(kind, 2, direction="bidirectional") for kind in GATES],
    *[recurrent(kind, direction="reverse") for kind in GATES],
    recurrent("GRU", linear_before_reset=1),
    recurrent("GRU", 2, direction="bidirectional", linear_before_reset=1),
    recurrent("RNN", activations=["Relu"]),
    recurrent("LSTM", activations=["Sigmoid", "Relu", "Tanh"]),
    Case("LpNormalization", (np.array([[3, -4], [0, 0]], np.float32),), 4, {"axis": 1, "p": 2}),
    # quantised
    *[Case("QuantizeLinear", (3 * f(2, 3, 4), np.array(0.1, np.float32), np.array(z))) for z in (np.uint8(7), np.int8(-3))],
    Case("QuantizeLinear", (3 * f(2, 3, 4), p(3), u(0, 9, 3)), attributes={"axis": 1}),
    Case("DequantizeLinear", (u(0, 255, 2, 3, 4), np.array(0.1, np.float32), np.array(7, np.uint8)), 2),
    Case("DequantizeLinear", (u(-9, 9, 2, 3, 4, kind=np.int8), p(3), u(-3, 3, 3, kind=np.int8)), 2, {"axis": 1}),
    Case("DequantizeLinear", (u(0, 9, 5, 2), p(3, 2), u(0, 9, 3, 2)), 2, {"axis": 0, "block_size": 2}, opset=21),
    Case("DequantizeLinear", (u(0, 9, 2, 4), p(2, 1)), 2, {"axis": -1, "block_size": 4}, opset=21),
    Case(
        "DequantizeLinear",
        (u(0, 255, 4), np.array(0.1, np.float32), np.array(7, np.uint8)),
        2,
        {"output_dtype": 10},
        opset=23,
    ),
    *[Case("DynamicQuantizeLinear", (x,), 2, outputs=3) for x in (f(3, 4), p(3, 4), np.zeros((2, 3), np.float32))],
    # sums of products of whole numbers, which are exact, and requantised
    *[
        Case(
            "ConvInteger",
            (u(0, 256, 2, 3, 9), u(*r, 4, 3, 3, kind=k), np.array(9, np.uint8), np.array(z, k)),
            0,
            {"pads": [2, 0]},
        )
        for k, r, z in ((np.uint8, (0, 256), 30), (np.int8, (-128, 128), 0))
    ],
    Case("ConvInteger", (u(0, 256, 2, 4, 9), u(0, 256, 6, 2, 3)), 0, {"group": 2, "strides": [2], "dilations": [2]}),
    *[
        Case(
            "QLinearConv",
            (
                u(0, 256, 2, 3, 9, 5),
                s(0.05),
                np.array(9, np.uint8),
                u(-128, 128, 4, 3, 3, 2, kind=np.int8),
                w,
                np.zeros(w.shape, np.int8),
                s(0.3),
                np.array(100, np.uint8),
                *b,
            ),
            0,
            {"pads": [2, 0, 0, 1]},
        )
        for w in (s(0.01), p(4) / 50)
        for b in ((), (u(-999, 999, 4, kind=np.int32),))
    ],
    Case(
        "QLinearMatMul",
        (
            u(0, 256, 2, 3, 9),
            s(0.05),
            np.array(9, np.uint8),
            u(-128, 128, 9, 4, kind=np.int8),
            s(0.02),
            np.array(3, np.int8),
            s(0.2),
            np.array(100, np.uint8),
        ),
    ),
]


def model_of(case: Case) -> Any:
    """A model of one node: shapes of its outputs are left open."""
    helper = onnx.helper
    names = [f"x{n}" if x is not None else "" for n, x in enumerate(case.inputs)]
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in zip(names, case.inputs, strict=True)
        if x is not None
    ]
    outputs = [f"y{n}" for n in range(case.outputs)]
    node = helper.make_node(case.kind, names, outputs, name="node", **case.attributes)
    kinds = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "graph", given, kinds)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model)  # says of which format the outputs are
    for output in model.graph.output:
        if output.type.WhichOneof("value") is None:  # nothing is inferred
            output.CopyFrom(helper.make_tensor_value_info(output.name, 1, None))
    return model


def run_by_runtime(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([x.name for x in session.get_inputs()], inputs, strict=True)))


def run_here(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    return [x.numpy() for x in OnnxProgram(model, "model")(*(torch.from_numpy(np.asarray(x).copy()) for x in inputs))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_node_computes_what_the_runtime_computes(case: Case, within: Any) -> None:
    inputs = [x for x in case.inputs if x is not None]
    model = model_of(case)
    expected, got = run_by_runtime(model, inputs), run_here(model, inputs)
    assert len(got) == len(expected)
    magnitudes = run_here(model, [np.abs(x) for x in inputs]) if case.linear else [np.abs(y) for y in expected]
    for mine, theirs, magnitude in zip(got, expected, magnitudes, strict=True):
        assert mine.dtype == theirs.dtype
        if mine.dtype.kind != "f" or not case.steps:
            np.testing.assert_array_equal(mine, theirs)
        else:
            largest = magnitude if case.linear else np.maximum(magnitude, np.nanmax(np.abs(magnitude)))
            within(mine, theirs, largest, case.steps)


ELSEWHERE = {"If", "Loop", "Scan", "Constant", "Swish"}  # below
ELSEWHERE |= {"Attention", "CausalConvWithState", "LinearAttention", "RotaryEmbedding", "TensorScatter"}  # test_caches.py


def test_every_operator_is_tested() -> None:
    assert set(OPERATORS) == {case.kind for case in CASES} | ELSEWHERE


@pytest.mark.parametrize("attributes", [{}, {"alpha": 0.5}])
def test_swish_computes_what_the_standard_says(attributes: dict, within: Any) -> None:
    """The runtime has no kernel for it yet: it is compared with the standard's own evaluator."""
    case, x = Case("Swish", (f(3, 4),), opset=24, attributes=attributes), f(3, 4)
    (expected,) = import_module("onnx.reference").ReferenceEvaluator(model_of(case)).run(None, {"x0": x})
    (got,) = run_here(model_of(case), [x])
    within(got, expected, np.abs(x), 16)


# -- graphs inside graphs, read from the standard's own text -------------------------------------------------------------

LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2] x, int64 n, bool go) => (float[2] total, float[k, 2] all) {
    total, all = Loop (n, go, x) <body = body (int64 i, bool c, float[2] s) => (bool again, float[2] t, float[2] seen) {
        again = Identity (c)
        step = Constant <value_float: float = 0.5> ()
        t = Add (s, step)
        seen = Mul (t, x)
    }>
}
"""
SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2] start, float[5, 2] x) => (float[2] last, float[5, 2] sums) {
    last, sums = Scan <num_scan_inputs = 1, %s body = body (float[2] s, float[2] e) => (float[2] t, float[2] out) {
        t = Add (s, e)
        out = Identity (t)
    }> (start, x)
}
"""
BRANCH = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (bool yes, float[3] x) => (float[3] y) {
    y = If (yes) <
        then_branch = a () => (float[3] p) { p = Neg (x) },
        else_branch = b () => (float[3] q) { c = Constant <value_floats: floats = [1.0, 2.0, 3.0]> () q = Add (x, c) }
    >
}
"""


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        (LOOP, (f(2), np.array(4, np.int64), np.array(True))),
        (SCAN % "", (f(2), f(5, 2))),
        (SCAN % "scan_input_directions = [1], scan_output_directions = [1],", (f(2), f(5, 2))),
        (BRANCH, (np.array(True), f(3))),
        (BRANCH, (np.array(False), f(3))),
    ],
    ids=["loop", "scan", "scan backwards", "then", "else"],
)
def test_graphs_inside_graphs(text: str, inputs: tuple, within: Any) -> None:
    model = onnx.parser.parse_model(text)
    expected, got = run_by_runtime(model, list(inputs)), run_here(model, list(inputs))
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        within(mine, theirs, np.abs(theirs) + 4, 8)


# -- what has no meaning is refused, by name ------------------------------------------------------------------------------

CEIL = {"kernel_shape": [2], "ceil_mode": 1}
UNMEANT = [
    (Case("TopK", (f(3, 6), i(2)), attributes={"sorted": 0}, outputs=2), "sorted 0"),
    (Case("Split", (f(6),), outputs=3, opset=18), "neither sizes nor num_outputs are given"),
    (Case("QuantizeLinear", (f(4), s(0.1), np.array(3, np.uint8)), attributes={"precision": 1}, opset=23), "precision 1"),
    *[
        (Case("Resize", (f(1, 1, 4), None, np.array([1, 1, 2], np.float32)), attributes={key: value}), f"{key} {value!r}")
        for key, value in (("mode", "cubic"), (PLACES, "tf_crop_and_resize"), ("nearest_mode", "up"), ("antialias", 1))
    ],
    (recurrent("GRU", clip=1.0), "clip, activation_alpha and activation_beta"),
    (recurrent("GRU", activations=["Sigmoid", "Affine"]), "activations Sigmoid, Affine"),
    (recurrent("RNN", direction="sideways"), "direction 'sideways'"),
    (recurrent("LSTM", input_forget=1), "input_forget 1"),
    (Case("LSTM", (*recurrent("LSTM").inputs, f(1, 12)), attributes={"hidden_size": 4}), "peepholes"),
    (Case("AveragePool", (f(1, 1, 5),), attributes=CEIL), "ceil_mode 1"),
    (Case("AveragePool", (f(1, 1, 5),), attributes={"kernel_shape": [2], "dilations": [2]}), r"dilations \[2\]"),
    (Case("MaxPool", (f(1, 1, 5),), attributes=CEIL), "ceil_mode 1"),
    (Case("MaxPool", (f(1, 1, 5),), attributes={"kernel_shape": [2]}, outputs=2), "indices of maxima"),
    (Case("Conv", (f(1, 1, 5), f(1, 1, 2)), attributes={"auto_pad": "SAME"}), "auto_pad 'SAME'"),
    (Case("ConvTranspose", (f(1, 1, 5), f(1, 1, 2)), attributes={"output_shape": [9]}), r"output_shape \[9\]"),
    (
        Case("BatchNormalization", (f(2, 3, 4), f(3), f(3), f(3), p(3)), attributes={"training_mode": 1}),
        "it is in training mode",
    ),
    (Case("ArgMax", (f(3, 4),), attributes={"select_last_index": 1}), "select_last_index 1"),
    (Case("ReduceL1", (f(3, 4),), attributes={"noop_with_empty_axes": 1}, opset=18), "no axes, with noop_with_empty_axes"),
    (Case("GatherND", (f(2, 3, 2), i([1], [0])), attributes={"batch_dims": 1}), "batch_dims 1"),
    (Case("ScatterND", (f(4, 3), i([1]), f(1, 3)), attributes={"reduction": "add"}), "reduction 'add'"),
    (Case("ScatterElements", (f(4), i(1), f(1)), attributes={"reduction": "mul"}, opset=18), "reduction 'mul'"),
    (Case("Pad", (f(3), i(1, 1)), attributes={"mode": "mirror"}), "mode 'mirror'"),
    (Case("DepthToSpace", (f(1, 4, 2, 2),), attributes={"blocksize": 2, "mode": "RDC"}), "mode 'RDC'"),
    (Case("IsInf", (f(3),), attributes={"detect_negative": 0}), "detect_negative 0"),
    (Case("Gelu", (f(3),), attributes={"approximate": "erf"}, opset=20), "approximate 'erf'"),
    (Case("BitShift", (u(0, 9, 4), u(0, 3, 4)), attributes={"direction": "UP"}), "direction 'UP'"),
]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (Case("Det", (f(3, 3),)), r"the operator Det \(node node\) has no meaning here"),
        (Case("Relu6", (f(3, 3),)), r"the operator Relu6 \(node node\) has no meaning here; Relu has one"),
        (
            Case("Softmax", (f(3, 3),), attributes={"temperature": 2}),
            "Softmax node: the attribute 'temperature' has no meaning",
        ),
        *[(case, f"{case.kind} node: {said}") for case, said in UNMEANT],
        (Case("Softmax", (f(3, 3),), opset=12), "model is of opset 12: meanings are read from opset 13 on"),
        (Case("Softmax", (f(3, 3),), opset=99), "Softmax node: its meaning was read up to opset 28, the file has 99"),
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused_before_anything_runs(case: Case, said: str) -> None:
    with pytest.raises(BadSubject, match=said):
        OnnxProgram(model_of(case), "model")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (Case("ReduceL2", (f(3, 4), i()), attributes={"noop_with_empty_axes": 1}, opset=18), "no axes, with noop"),
        (Case("Split", (f(5),), attributes={"num_outputs": 4}, outputs=4, opset=18), "5 elements in 4 parts"),
        (Case("Split", (f(7),), outputs=3), "7 elements in 3 parts"),
        *[
            (
                Case(
                    "Resize",
                    (f(1, 1, n), None, np.array([1, 1, scale], np.float32)),
                    attributes={"nearest_mode": mode, PLACES: how},
                ),
                f"nearest_mode '{mode}' where rounding decides: scale {scale} of {n}",
            )
            for n, scale, mode, how in ((4, 0.6, "floor", "half_pixel"), (5, 1.2, "round_prefer_ceil", "asymmetric"))
        ],
        (
            Case("Resize", (f(1, 1, 4), None, np.array([1, 1, 1.2], np.float32)), attributes={"mode": "linear"}),
            "a scale of 1.2 that leaves 4 elements",
        ),
        (Case("Split", (f(6), i(2, 4)), outputs=3), "2 parts, and 3 outputs"),
        (Case("Split", (f(6),), attributes={"num_outputs": 3}, outputs=2, opset=18), "num_outputs 3, and 2 outputs"),
        (Case("Dropout", (f(3), np.array(0.5, np.float32), np.array(True))), "it is in training mode"),
    ],
    ids=str,
)
def test_inputs_without_a_meaning_are_refused_by_the_node(case: Case, said: str) -> None:
    with pytest.raises(Refused, match=f"{case.kind} node: {said}"):
        run_here(model_of(case), [x for x in case.inputs if x is not None])


def test_functions_of_the_file_and_other_domains_are_refused() -> None:
    model = model_of(Case("Relu", (f(3),)))
    model.graph.node[0].domain = "com.microsoft"
    with pytest.raises(BadSubject, match=r"com.microsoft.Relu \(node node\) has no meaning here: it is of another domain"):
        OnnxProgram(model, "model")


# -- exact arithmetic: of what is sorted, the values alone have a meaning ----------------------------------------------

TOPS = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[2, 6] x, float[1] s) => (float[2, 3] y, float[1] s_out) {
    k = Constant <value_ints: ints = [3]> ()
    y, %s = TopK <axis = -1> (x, k)
    %s
    s_out = Identity (s)
}
"""


@pytest.mark.parametrize(
    ("places", "more", "verdict"),
    [("", "", "proved"), ("places", "", "proved"), ("places", "other = Neg (places)", "tested")],
    ids=["none", "unread", "read"],
)
def test_places_that_nothing_reads_are_not_sorted(places: str, more: str, verdict: str, tmp_path: Any) -> None:
    onnx.save(onnx.parser.parse_model(TOPS % (places or '""', more)), str(tmp_path / "tops.onnx"))
    (tmp_path / "net.py").write_text(
        "import torch\ndef clip(x): return x.topk(3, 1).values\ndef net(): return clip, torch.randn(2, 6, 8)\n"
    )
    subject = load(str(tmp_path / "tops.onnx"), clip=f"{tmp_path}/net.py:net")
    report = coequal.verify(subject, effort="quick", checks=("values", "exact"))
    assert report.verdict == verdict


# -- formats ----------------------------------------------------------------------------------------------------------------


def test_in_double_precision_a_number_of_the_file_is_what_it_stands_for() -> None:
    program = OnnxProgram(model_of(Case("LeakyRelu", (f(3),), attributes={"alpha": 0.01})), "model")
    (got,) = program(torch.tensor([-1.0, -2.0, 3.0], dtype=torch.float64))
    assert torch.equal(got, torch.tensor([-0.01, -0.02, 3.0], dtype=torch.float64))


def test_a_cast_to_a_coarser_format_stays_one_in_double_precision() -> None:
    program = OnnxProgram(model_of(Case("Cast", (f(3),), attributes={"to": 16})), "model")
    (got,) = program(torch.tensor([1.001, 2.0, 3.0], dtype=torch.float64))
    assert (got.dtype, float(got[0])) == (torch.bfloat16, 1.0)


def test_a_size_that_the_file_fixes_is_held() -> None:
    program = OnnxProgram(model_of(Case("Relu", (f(2, 3),))), "model")
    with pytest.raises(ValueError, match=r"model: its input x0 \(2, 3\) was given \(1, 3\)"):
        program(torch.randn(1, 3))
