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


def model_of(kind: str, arrays: list[np.ndarray], outputs: int, attributes: dict[str, Any]) -> Any:
    names = [f"x{i}" for i in range(len(arrays))]
    made = [f"y{i}" for i in range(outputs)]
    helper = onnx.helper
    info = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in zip(names, arrays, strict=True)
    ]
    node = helper.make_node(kind, names, made, name="it", **attributes)
    graph = helper.make_graph([node], "one", info, [onnx.ValueInfoProto(name=n) for n in made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


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
    ("Split", [whole(2, 5), ints(2, 3)], 2, {"axis": 1}),
    ("Slice", [whole(4, 9), ints(-3, 1), ints(2**62, -1), ints(0, 1), ints(1, 3)], 1, {}),
    ("Slice", [whole(4, 9), ints(2), ints(7), ints(-1), ints(2)], 1, {}),
    ("Slice", [whole(4, 9), ints(1, 2), ints(3, 7)], 1, {}),
    ("Slice", [whole(4, 9), ints(2), ints(7), ints(1)], 1, {}),
    ("Pad", [whole(2, 3), ints(1, 0, 0, 2), np.array(0, F32)], 1, {"mode": "constant"}),
    ("Where", [np.array([[True], [False]]), whole(2, 3), whole(2, 3)], 1, {}),
    ("GreaterOrEqual", [ints(1, 2, 3), ints(2, 2, 2)], 1, {}),
    ("Min", [ints(1, 5), ints(3)], 1, {}),
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
        ("Max", [whole(2), whole(2)], {}, "Max it: the operator, or an attribute of it, has no meaning over a field here"),
        ("MaxPool", [whole(1, 1, 4)], {"kernel_shape": [2]}, "MaxPool it: the operator"),
        ("Conv", [whole(1, 1, 4), whole(1, 1, 2)], {"auto_pad": "SAME_UPPER"}, "Conv it: the operator, or an attribute"),
        ("Min", [whole(2), whole(2)], {}, "Min it: it compares data, which has no meaning over a field"),
        ("GreaterOrEqual", [whole(2), whole(2)], {}, "GreaterOrEqual it: it compares data"),
        ("Where", [whole(2), whole(2), whole(2)], {}, "Where it: its condition depends on data"),
        ("Slice", [whole(4), ints(3), ints(0), ints(0), ints(-1)], {}, "Slice it: a step backwards"),
        ("Pad", [whole(2), ints(1, 1), np.array(1, F32)], {}, "Pad it: padding with anything but zeros"),
        ("Pad", [whole(3), ints(1, 1), np.array(0, F32)], {"mode": "reflect"}, "Pad it: padding with anything but zeros"),
        ("Reshape", [whole(4), whole(1)], {}, "Reshape it: sizes, places and axes must be whole numbers"),
        ("Div", [whole(2), np.zeros(2, F32)], {}, "Div it: base is not invertible"),
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
