"""The integer canary: runtimes that compute plain sums pass, one that rounds its factors is told by node, with the cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from coequal.equivalence.canary import Canary, canary
from coequal.subjects.backends.runtime import Cure

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402
from coequal.subjects.artefacts.onnx_parts import parts  # noqa: E402

CURE = Cure({"precise": "yes"}, "it rounds its factors")
Round = Callable[[torch.Tensor], torch.Tensor]


def program() -> OnnxProgram:
    """A convolution, a product of matrices, and what is not linear between them."""
    helper, random = onnx.helper, np.random.default_rng(3)
    held = {"w": random.standard_normal((4, 3, 3)), "b": random.standard_normal(4), "m": random.standard_normal((5, 2))}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[0, 2]),
        helper.make_node("Tanh", ["c"], ["t"], "tanh"),
        helper.make_node("MatMul", ["t", "m"], ["y"], "product"),
    ]
    info = helper.make_tensor_value_info
    tensors = [onnx.numpy_helper.from_array(a.astype(np.float32), name) for name, a in held.items()]
    graph = helper.make_graph(nodes, "graph", [info("x", 1, ["N", 3, 5])], [info("y", 1, None)], tensors)
    return OnnxProgram(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), "model.onnx")


def rounding(rounded: Round, cured: bool = True) -> Callable[[Any, dict[str, str]], Any]:
    """A runtime that rounds what it multiplies, unless `precise` is set."""

    def start(model: Any, settings: dict[str, str]) -> Any:
        one = OnnxProgram(model, "part")
        keeps = settings.get("precise") == "yes" and cured
        return lambda arrays: [one(*(x if keeps else rounded(x) for x in map(torch.from_numpy, arrays)))[0].numpy()]

    return start


def asked(start: Any, settings: dict[str, str] | None = None) -> Canary:
    return canary(parts(program(), (torch.randn(2, 3, 5),)), start, settings or {}, (CURE,))


def in_bfloat16(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.bfloat16).to(x.dtype)


def in_tf32(x: torch.Tensor) -> torch.Tensor:
    """Ten digits behind the leading one."""
    fraction, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(fraction * 2**11) / 2**11, exponent)


def test_plain_sums_are_exact() -> None:
    found = asked(rounding(lambda x: x))
    assert (found.outcome, found.asked, found.missed) == ("exact", 2, ())


@pytest.mark.parametrize("rounded", [in_bfloat16, in_tf32])
def test_factors_that_are_rounded_are_told_by_node_with_the_cure(rounded: Round) -> None:
    found = asked(rounding(rounded))
    assert (found.outcome, found.asked) == ("not exact", 2)
    assert [miss.node for miss in found.missed] == ["Conv conv", "MatMul product"]
    assert all(miss.cure == "precise=yes it is exact (without, it rounds its factors)" for miss in found.missed)
    assert "sums are not exact, such as" in str(found.missed[0])


def test_weights_alone_that_are_rounded_are_told() -> None:
    """The second input of each node: it has many digits in the second draw."""

    def start(model: Any, settings: dict[str, str]) -> Any:
        one = OnnxProgram(model, "part")
        return lambda arrays: [
            one(*(in_bfloat16(x) if i == 1 else x for i, x in enumerate(map(torch.from_numpy, arrays))))[0].numpy()
        ]

    assert asked(start).outcome == "not exact"


def test_where_nothing_cures_it_that_is_said() -> None:
    found = asked(rounding(in_bfloat16, cured=False))
    assert str(found.missed[0]).endswith("no setting that is known makes it exact")


def test_with_the_setting_it_is_exact() -> None:
    assert asked(rounding(in_bfloat16), {"precise": "yes"}).outcome == "exact"


def test_every_partial_sum_is_exact_in_single_precision() -> None:
    for part in parts(program(), (torch.randn(2, 3, 5),)):
        one = OnnxProgram(part.model, "part")
        (largest,) = one(*(x.abs().double() for x in part.inputs))
        assert float(largest.max()) <= 2.0**24
        assert torch.equal(one(*part.inputs)[0], part.exact)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_runtimes_that_are_installed_are_exact_in_single_precision(name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    from coequal.subjects.backends.find import runtime

    backend, _, settings = runtime({"openvino": "openvino,INFERENCE_PRECISION_HINT=f32"}.get(name, name))
    found = canary(parts(program(), (torch.randn(2, 3, 5),)), lambda m, s: backend.start(m, s).run, settings, backend.CURES)
    assert (found.outcome, found.asked) == ("exact", 2)
