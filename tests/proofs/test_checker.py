"""The arithmetic of the checker of certificates: on whole numbers that of ONNX; what it does not know it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from onnx.reference import ReferenceEvaluator  # noqa: E402

from coequal.proofs import checker  # noqa: E402

RNG = np.random.default_rng(7)
F32 = np.float32


def whole(*shape: int) -> np.ndarray:
    return RNG.integers(-9, 9, shape).astype(F32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def model_of(kind: str, arrays: list[Any], outputs: int, attributes: dict[str, Any]) -> Any:
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    made = [f"y{i}" for i in range(outputs)]
    helper = onnx.helper
    info = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in zip(names, arrays, strict=True)
        if n
    ]
    node = helper.make_node(kind, names, made, name="it", **attributes)
    graph = helper.make_graph([node], "one", info, [onnx.ValueInfoProto(name=n) for n in made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23 if kind == "RMSNormalization" else 18)])


def computed(kind: str, arrays: list[np.ndarray], outputs: int = 1, **attributes: Any) -> list[Any]:
    """By the checker: residues as the whole numbers that are nearest to zero."""
    field = checker.Field(b"seed")
    model = model_of(kind, arrays, outputs, attributes)
    given = {f"x{i}": field.constant(a) if a.dtype == F32 else a for i, a in enumerate(arrays)}
    found = list(checker.run(field, model, given).values())
    return [
        np.vectorize(lambda v: v - field.p if v > field.p // 2 else v)(x.a) if isinstance(x, checker.Value) else x
        for x in found
    ]


CASES: list[tuple[str, list[np.ndarray], int, dict[str, Any]]] = [
    ("Add", [whole(2, 3), whole(3)], 1, {}),
    ("Sub", [whole(2, 1, 3), whole(2, 1)], 1, {}),
    ("Mul", [whole(2, 3), whole(2, 1)], 1, {}),
    ("MatMul", [whole(2, 3, 4), whole(4, 5)], 1, {}),
    ("Gemm", [whole(3, 2), whole(4, 3), whole(4)], 1, {"transA": 1, "transB": 1, "alpha": 2.0, "beta": 3.0}),
    ("Conv", [whole(2, 4, 9), whole(6, 2, 3), whole(6)], 1, {"group": 2, "pads": [2, 1], "strides": [2], "dilations": [2]}),
    ("Conv", [whole(1, 2, 5, 6), whole(3, 2, 2, 3)], 1, {"pads": [1, 0, 0, 2], "strides": [1, 2], "dilations": [2, 1]}),
    ("Conv", [whole(1, 3, 4, 3, 3), whole(3, 1, 3, 2, 2)], 1, {"group": 3, "pads": [1, 0, 0, 1, 0, 0]}),
    ("ReduceSum", [whole(2, 3, 4), ints(1, 2)], 1, {"keepdims": 0}),
    ("ReduceMean", [4 * whole(2, 4, 3), ints(1)], 1, {}),
    ("Identity", [whole(2, 3)], 1, {}),
    ("Transpose", [whole(2, 3, 4)], 1, {"perm": [2, 0, 1]}),
    ("Unsqueeze", [whole(2, 3), ints(0, 2)], 1, {}),
    ("Squeeze", [whole(1, 3, 1), ints(0, 2)], 1, {}),
    ("Reshape", [whole(2, 3, 4), ints(0, -1)], 1, {}),
    ("Gather", [whole(2, 3, 4), np.array([[2, 0]], np.int64)], 1, {"axis": 1}),
    ("Gather", [whole(2, 3), np.array(1, np.int64)], 1, {"axis": 1}),
    ("Concat", [whole(2, 3), whole(2, 1)], 1, {"axis": -1}),
    ("ScatterND", [whole(4, 2), ints(3, 1)[:, None], whole(2, 2)], 1, {}),
    ("ScatterND", [whole(2, 3, 2), np.array([[[1, 2], [0, 0], [1, 0]]], np.int64), whole(1, 3, 2)], 1, {}),
    ("Split", [whole(2, 5), ints(2, 3)], 2, {"axis": 1}),
    ("Slice", [whole(4, 9), ints(-3, 1), ints(2**62, -1), ints(0, 1), ints(1, 3)], 1, {}),
    ("Slice", [whole(4, 9), ints(2), ints(7), ints(-1), ints(2)], 1, {}),
    ("Slice", [whole(4, 9), ints(1, 2), ints(3, 7)], 1, {}),
    ("Slice", [whole(4, 9), ints(2), ints(7), ints(1)], 1, {}),
    ("Pad", [whole(2, 3), ints(1, 0, 0, 2), np.array(0, F32)], 1, {"mode": "constant"}),
    ("Where", [np.array([[True], [False]]), whole(2, 3), whole(2, 3)], 1, {}),
    ("GreaterOrEqual", [ints(1, 2, 3), ints(2, 2, 2)], 1, {}),
    ("Min", [ints(1, 5), ints(3)], 1, {}),
    ("Max", [ints(1, 5), ints(3)], 1, {}),
    ("Pad", [whole(2, 3), ints(1, 0, 0, 2), np.array(-3, F32)], 1, {}),
    ("Pow", [whole(2, 3), np.array(2, F32)], 1, {}),
    ("Neg", [whole(2, 3)], 1, {}),
    ("Shape", [whole(2, 3, 4)], 1, {"start": 1}),
    ("Expand", [whole(3, 1), ints(2, 1, 4)], 1, {}),
    ("Flatten", [whole(2, 3, 4)], 1, {"axis": -1}),
    ("Cast", [whole(2, 3)], 1, {"to": 11}),
    ("Cast", [ints(0, 2)], 1, {"to": 9}),
    ("LessOrEqual", [ints(1, 2, 3), ints(2, 2, 2)], 1, {}),
    ("Split", [whole(5, 2), ints(2, 3)], 2, {}),
    ("AveragePool", [12 * whole(1, 2, 7)], 1, {"kernel_shape": [3], "pads": [2, 1], "strides": [2]}),
    ("AveragePool", [4 * whole(1, 2, 5, 4)], 1, {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "count_include_pad": 1}),
    ("GlobalAveragePool", [12 * whole(2, 3, 3, 4)], 1, {}),
    ("ReduceMean", [12 * whole(3, 4)], 1, {"keepdims": 0}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_whole_numbers_are_computed_as_onnx_does(case: tuple[str, list[np.ndarray], int, dict[str, Any]]) -> None:
    kind, arrays, outputs, attributes = case
    expected = ReferenceEvaluator(model_of(*case)).run(None, {f"x{i}": a for i, a in enumerate(arrays)})
    got = computed(kind, arrays, outputs, **attributes)
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.shape == theirs.shape
        assert mine.tolist() == theirs.tolist()


def by_the_reference(kind: str, *given: Any, **attributes: Any) -> Any:
    """An operator on floats, by the evaluator of onnx: minus infinity is a number there."""
    arrays = [np.asarray(x, np.float32) if isinstance(x, (float, np.floating)) else np.asarray(x) for x in given]
    model = model_of(kind, arrays, 1, attributes)
    return ReferenceEvaluator(model).run(None, {f"x{i}": a for i, a in enumerate(arrays)})[0]


def gates(kind: str, count: int, **more: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """A recurrent layer of inputs (4, 2, 3) and five numbers of state."""
    given = [part(4, 2, 3), part(1, count * 5, 3), part(1, count * 5, 5), part(1, 2 * count * 5), None, part(1, 2, 5)]
    return kind, [*given, *[part(1, 2, 5)] * (kind == "LSTM")], {"hidden_size": 5, **more}


def part(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(F32)


DEFINED: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("Softmax", [part(2, 3, 4)], {}),
    ("Softmax", [part(2, 3, 4)], {"axis": 1}),
    ("BatchNormalization", [part(2, 3, 4), part(3), part(3), part(3), abs(part(3))], {"epsilon": 0.1}),
    ("LayerNormalization", [part(2, 3, 4), part(4), part(4)], {}),
    ("LayerNormalization", [part(2, 3, 4), part(3, 4)], {"axis": 1, "epsilon": 0.1}),
    ("RMSNormalization", [part(2, 3, 4), part(4)], {"epsilon": 0.1}),
    ("MaxPool", [part(1, 2, 7, 5)], {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("MaxPool", [part(1, 2, 9)], {"kernel_shape": [2], "dilations": [3]}),
    ("AveragePool", [part(1, 2, 7)], {"kernel_shape": [3], "pads": [2, 1], "strides": [2]}),
    ("Conv", [part(2, 4, 9), part(6, 2, 3), part(6)], {"group": 2, "pads": [2, 1], "strides": [2], "dilations": [2]}),
    ("Clip", [part(2, 3), np.array(-0.5, F32), np.array(0.4, F32)], {}),
    ("Clip", [part(2, 3), None, np.array(0.4, F32)], {}),
    ("Gemm", [part(3, 2), part(4, 3)], {"transA": 1, "transB": 1, "alpha": 2.0}),
    gates("RNN", 1), gates("LSTM", 4), gates("GRU", 3), gates("GRU", 3, linear_before_reset=1),
]  # fmt: skip


@pytest.mark.parametrize("case", DEFINED, ids=[f"{i}-{case[0]}" for i, case in enumerate(DEFINED)])
def test_an_operator_that_is_made_of_others_is_what_the_runtime_computes(case: tuple, within: Any) -> None:
    """On floats: its equation by operators of onnx, beside the operator of onnxruntime."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    kind, given, attributes = case

    def op(kind: str, *xs: Any, **at: Any) -> Any:
        rule = checker.COMPOSED.get(kind)
        return by_the_reference(kind, *xs, **at) if rule is None else rule[1](op, at | {"kind": kind}, *xs)

    mine = op(kind, *given, **attributes)
    model = model_of(kind, given, 1, attributes)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {f"x{i}": x for i, x in enumerate(given) if x is not None})
    first = mine[0] if isinstance(mine, list) else mine
    assert first.shape == theirs.shape
    within(first, theirs, 1 + abs(theirs), 400)


def test_plus_infinity_is_no_number() -> None:
    with pytest.raises(OverflowError):
        checker.Field(b"seed").constant(np.array([np.inf]))


def test_maxima_are_functions_of_sets() -> None:
    field = checker.Field(b"seed")
    a, b, c = (field.point(name, (2,)) for name in "abc")
    one = field.larger(field.larger(a, b), c)
    other = field.larger(b, field.larger(c, field.larger(a, c)))
    assert one.a.tolist() == other.a.tolist()
    assert one.a.tolist() != field.larger(a, b).a.tolist()
    nothing = field.constant(np.array([-np.inf, -np.inf]))
    assert field.larger(nothing, a).a.tolist() == a.a.tolist()
    assert field.larger(nothing, nothing).a.tolist() == [None, None]
    assert field.applications == 32


@pytest.mark.parametrize("hidden", [-np.inf, np.finfo(F32).min])
def test_what_a_mask_hides_has_no_weight(hidden: float) -> None:
    """Softmax over three numbers, the last of them hidden, is that over two."""
    field = checker.Field(b"seed")
    x, mask = field.point("x", (3,)), field.constant(np.array([0.0, 0.0, hidden]))
    made = checker.applied(field, "Softmax", {}, field.plus(x, mask)).a.tolist()
    two = checker.applied(field, "Softmax", {}, checker.Value(x.a[:2], 1)).a.tolist()
    assert made == [*two, 0]


def test_a_norm_is_what_its_equation_says() -> None:
    """With a root that is a free function: `(x - m) R(v + eps) w + b`."""
    field = checker.Field(b"seed")
    arrays = [whole(2, 3, 4), whole(3), whole(3), whole(3), abs(whole(3))]
    values = [field.constant(a) for a in arrays]
    model = model_of("BatchNormalization", arrays, 1, {"epsilon": 0.5})
    got = checker.run(field, model, {f"x{i}": v for i, v in enumerate(values)})["y0"]
    x, w, b, m, v = ([int(n) for n in a.ravel()] for a in arrays)
    for i, residue in enumerate(got.a.ravel()):
        c = i // 4 % 3
        root = field.free("1 / Sqrt", field.constant(v[c] + 0.5), None).a.item()
        assert residue == ((x[i] - m[c]) * root * w[c] + b[c]) % field.p


@pytest.mark.parametrize(
    ("kind", "arrays", "attributes", "why"),
    [
        (
            "ArgMax",
            [whole(2, 2)],
            {},
            "ArgMax it: ArgMax: the operator, or an attribute of it, has no meaning over a field here",
        ),
        (
            "MaxPool",
            [whole(1, 1, 4)],
            {"kernel_shape": [2], "ceil_mode": 1},
            "MaxPool it: MaxPool: the operator, or an attr",
        ),
        (
            "Conv",
            [whole(1, 1, 4), whole(1, 1, 2)],
            {"auto_pad": "SAME_UPPER"},
            "Conv it: Conv: the operator, or an attribute",
        ),
        (
            "AveragePool",
            [whole(1, 1, 4)],
            {"kernel_shape": [2], "dilations": [2]},
            "AveragePool it: AveragePool: the operator",
        ),
        (
            "GRU",
            [whole(2, 1, 3), whole(1, 6, 3), whole(1, 6, 2)],
            {"hidden_size": 2, "clip": 1.0},
            "GRU it: GRU: the operator",
        ),
        (
            "LSTM",
            [whole(2, 1, 3), whole(1, 8, 3), whole(1, 8, 2), whole(1, 16), ints(2)],
            {"hidden_size": 2},
            "LSTM it: seq",
        ),
        ("Less", [whole(2), whole(2)], {}, "Less it: it compares data, which has no meaning over a field"),
        ("Cast", [whole(2)], {"to": 10}, "Cast it: "),
        ("Pow", [whole(2), np.array(3, F32)], {}, "Pow it: 3"),
        ("Sub", [np.zeros(2, F32), np.array([0, -np.inf], F32)], {}, "Sub it: unsupported operand"),
        ("Sub", [np.array([0, -np.inf], F32), np.array([0, -np.inf], F32)], {}, "Sub it: unsupported operand"),
        ("Mul", [np.array([0, -np.inf], F32), np.ones(2, F32)], {}, "Mul it: unsupported operand"),
        ("Tanh", [np.array([0, -np.inf], F32)], {}, "Tanh it: unsupported format"),
        ("Softmax", [np.full((1, 2), -np.inf, F32)], {}, "Softmax it: base is not invertible"),
        ("GreaterOrEqual", [whole(2), whole(2)], {}, "GreaterOrEqual it: it compares data"),
        ("Where", [whole(2), whole(2), whole(2)], {}, "Where it: its condition depends on data"),
        ("Slice", [whole(4), ints(3), ints(0), ints(0), ints(-1)], {}, "Slice it: a step backwards"),
        ("Pad", [whole(2), ints(-1, 1), np.array(1, F32)], {}, "Pad it: padding with anything but a number"),
        ("Pad", [whole(3), ints(1, 1), np.array(0, F32)], {"mode": "reflect"}, "Pad it: padding with anything but a number"),
        ("Reshape", [whole(4), whole(1)], {}, "Reshape it: sizes, places and axes must be whole numbers"),
        ("Div", [whole(2), np.zeros(2, F32)], {}, "Div it: base is not invertible"),
        ("ScatterND", [whole(3, 2), ints(1, 1)[:, None], whole(2, 2)], {}, "ScatterND it: two rows for one place"),
        ("ScatterND", [whole(3), ints(3)[:, None], whole(1)], {}, "ScatterND it: invalid entry in coordinates array"),
        (
            "ScatterND",
            [whole(3), ints(1)[:, None], whole(1)],
            {"reduction": "add"},
            "ScatterND it: ScatterND: the operator, or",
        ),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(kind: str, arrays: list[np.ndarray], attributes: dict, why: str) -> None:
    with pytest.raises(checker.Refused, match=why):
        computed(kind, arrays, **attributes)


def test_functions_keep_congruence_and_their_value_at_zero() -> None:
    field = checker.Field(b"seed")
    x = field.constant(np.array([0.0, 1.0, 1.0, -1.0]))
    zero, one, same, minus = field.free("Relu {}", x, 0.0).a.tolist()
    assert (zero, one == same, one != minus) == (0, True, True)
    assert one != field.free("Tanh {}", x, 0.0).a[1]
    assert field.applications == 8


def test_the_primes_are_prime_and_follow_from_the_seed() -> None:
    sympy = pytest.importorskip("sympy")
    primes = {checker.Field(bytes([i])).p for i in range(6)}
    assert len(primes) == 6
    assert all(sympy.isprime(p) and p.bit_length() == 127 for p in primes)
    assert [n for n in range(5, 200, 2) if checker.Field(b"").is_prime(n)] == list(sympy.primerange(5, 200))


def test_degrees_are_those_of_the_polynomials() -> None:
    field = checker.Field(b"seed")
    x, y = field.point("x", (3, 4)), field.point("y", (4, 2))
    assert (field.times(x, x).n, field.product(x, y).n, field.plus(x, field.times(x, x)).n) == (2, 2, 2)
    ratio = field.times(x, field.inverse(x))
    assert (ratio.n, ratio.d) == (1, 1)
    total = field.summed(ratio, [1])
    assert (total.n, total.d) == (4, 4)
