"""Steps of 8 bits: sums of whole numbers and their requantisation are the file's function, and decided by `==`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import coequal
from coequal.equivalence.canary import canary
from coequal.equivalence.report import Report
from coequal.subjects.artefacts.clip import ProgramClip
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.artefacts.program import Program
from coequal.subjects.errors import BadSubject

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402
from coequal.subjects.artefacts.onnx_parts import parts  # noqa: E402

ZERO = 100  # what stands for 0.0
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
CLIP = """
agraph (float[N, 2, T] x) => (float[N, 3, T] y) {
    q = QuantizeLinear (x, xs, xz)
    c = QLinearConv <pads = [2, 0]> (q, xs, xz, w, ws, wz, ys, yz, b)
    y = DequantizeLinear (c, ys, yz)
}
"""
STEP = """
agraph (float[N, 2] frame, uint8[N, 2, 2] past) => (float[N, 3] y, uint8[N, 2, 2] past_out) {
    now = Unsqueeze (frame, two)
    q = QuantizeLinear (now, xs, xz)
    all = Concat <axis = 2> (past, q)
    past_out = Slice (all, one, three, two)
    c = QLinearConv (all, xs, xz, w, ws, wz, ys, yz, b)
    d = DequantizeLinear (c, ys, yz)
    y = Squeeze (d, two)
}
"""
DYNAMIC_CLIP = """
agraph (float[N, T, 2] x) => (float[N, T, 3] y) {
    q, s, z = DynamicQuantizeLinear (x)
    i = MatMulInteger (q, m, z, wz)
    f = Cast <to = 1> (i)
    k = Mul (s, ws)
    y = Mul (f, k)
}
"""
DYNAMIC_STEP = """
agraph (float[N, 2] x) => (float[N, 3] y) {
    q, s, z = DynamicQuantizeLinear (x)
    i = MatMulInteger (q, m, z, wz)
    f = Cast <to = 1> (i)
    k = Mul (s, ws)
    y = Mul (f, k)
}
"""
WEIGHTS_CLIP = """
agraph (float[N, T, 2] x) => (float[N, T, 3] y) { w8 = DequantizeLinear (m, ws, wz) y = MatMul (x, w8) }
"""
WEIGHTS_STEP = """
agraph (float[N, 2] x, float[N, 3] sum) => (float[N, 3] y, float[N, 3] sum_out) {
    w8 = DequantizeLinear (m, ws, wz) y = MatMul (x, w8) sum_out = Identity (sum)
}
"""


def program(text: str, **other: Any) -> OnnxProgram:
    """A model of the standard's own text, with the numbers that it names."""
    random = np.random.default_rng(2)
    held = {
        **{"xs": np.float32(0.03), "xz": np.uint8(ZERO), "ws": np.float32(0.01), "wz": np.int8(0)},
        **{"ys": np.float32(0.05), "yz": np.uint8(120), "w": random.integers(-128, 128, (3, 2, 3)).astype(np.int8)},
        **{"b": random.integers(-200, 200, 3).astype(np.int32), "m": random.integers(-128, 128, (2, 3)).astype(np.int8)},
        **{name: np.array([n]) for name, n in (("one", 1), ("two", 2), ("three", 3))},
    } | other
    model = onnx.parser.parse_model(HEAD + text)
    read = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in held.items() if name in read
    )
    return OnnxProgram(model, "step.onnx")


def verified(
    step: OnnxProgram, clip: OnnxProgram, shape: tuple[int, ...], time: int, wrapped: Callable[[Any], Program] = lambda p: p
) -> Report:
    past = (
        {"past": torch.full((1, 2, 2), ZERO, dtype=torch.uint8)}
        if len(step.inputs) > 1 and "past" in str(step.inputs)
        else {}
    )
    whole = clip_of_module(ProgramClip(clip, 1), torch.randn(shape, generator=torch.Generator().manual_seed(1)), "clip")
    subject = subject_of_pair(wrapped(step), whole, Wanted(initial=past, time=time), time_known=False)
    return coequal.verify(subject, effort="quick", checks=("values", "batch", "exact"))


def test_a_convolution_of_8_bits_agrees_frame_by_frame() -> None:
    report = verified(program(STEP), program(CLIP), (2, 2, 8), 2)
    assert report.verdict == "tested", str(report)
    assert not report.problems


@pytest.mark.parametrize(
    "fault",
    [{"ys": np.float32(0.0505)}, {"ws": np.float32(0.0101)}, {"xz": np.uint8(99)}, {"b": np.array([1, 0, 0], np.int32)}],
)
def test_another_requantisation_is_found(fault: dict[str, Any]) -> None:
    assert verified(program(STEP, **fault), program(CLIP), (2, 2, 8), 2).verdict == "different"


def test_states_that_begin_with_other_numbers_than_the_zero_point_are_found() -> None:
    """Zeros, where the clip is padded with what stands for 0.0."""
    whole = clip_of_module(ProgramClip(program(CLIP), 1), torch.randn(2, 2, 8), "clip")
    subject = subject_of_pair(program(STEP), whole, Wanted(time=2), time_known=False)
    report = coequal.verify(subject, effort="quick", checks=("values",))
    assert report.verdict == "different"
    assert report.regions["head"].different > 0
    assert report.regions["interior"].different == 0


def test_the_scale_of_the_whole_clip_is_told_by_its_node() -> None:
    report = verified(program(DYNAMIC_STEP), program(DYNAMIC_CLIP), (2, 8, 2), 1)
    assert report.verdict == "different"
    (told,) = [finding.detail for finding in report.findings if finding.name == "clip-scale"]
    assert told.startswith(
        "the clip's scale looks at all frames: DynamicQuantizeLinear q takes it from 8 frames of 8 at once"
    )


def test_weights_of_8_bits_are_the_numbers_that_they_stand_for() -> None:
    report = verified(program(WEIGHTS_STEP), program(WEIGHTS_CLIP), (2, 8, 2), 1)
    assert report.verdict == "proved", str(report)


def test_weights_of_8_bits_are_rounded_as_a_runtime_rounds_them() -> None:
    """Products with the scale, in single precision: those that a clip network in torch holds, and no others."""
    step = program(WEIGHTS_STEP, ws=np.float32(0.013))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in step.model.graph.initializer}
    layer = torch.nn.Linear(2, 3, bias=False)
    layer.weight.data.copy_(torch.from_numpy(held["m"].astype(np.float32) * held["ws"]).T)

    def report() -> Report:
        whole = clip_of_module(layer, torch.randn(2, 8, 2), "clip")
        subject = subject_of_pair(step, whole, Wanted(time=1), time_known=False)
        return coequal.verify(subject, effort="quick", checks=("values", "exact"))

    assert report().verdict == "proved"
    layer.weight.data[1, 1] *= 1 + 2.0**-22
    assert report().verdict != "proved"


@pytest.mark.parametrize("kind", ["INT4", "UINT4"])
def test_weights_of_4_bits_are_dequantised_and_nothing_else_is_made_of_them(kind: str) -> None:
    helper, kinds = onnx.helper, onnx.TensorProto
    numbers = helper.make_tensor("q", getattr(kinds, kind), [4], [7, 0, 1, 5])
    scale = helper.make_tensor("s", kinds.FLOAT, [], [0.5])
    given, out = (helper.make_tensor_value_info(name, kinds.FLOAT, [4]) for name in "xy")

    def model(*nodes: Any) -> Any:
        graph = helper.make_graph(list(nodes), "graph", [given], [out], [numbers, scale])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    node = helper.make_node
    right = model(node("DequantizeLinear", ["q", "s"], ["w"]), node("Mul", ["x", "w"], ["y"]))
    assert OnnxProgram(right, "m")(torch.ones(4))[0].tolist() == [3.5, 0, 0.5, 2.5]
    wrong = model(node("QuantizeLinear", ["x", "s", "q"], ["w"]), node("DequantizeLinear", ["w", "s", "q"], ["y"]))
    with pytest.raises(BadSubject, match=f"the format {kind.lower()} of q has no meaning in QuantizeLinear here"):
        OnnxProgram(wrong, "m")


def test_on_the_runtime_whole_numbers_are_exact_and_the_stream_agrees() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from coequal.subjects.backends import onnxruntime
    from coequal.subjects.backends.runtime import RuntimeProgram

    step = program(STEP)
    run = onnxruntime.start(step.model, {})
    report = verified(step, program(CLIP), (2, 2, 8), 2, lambda p: RuntimeProgram(p, run))
    assert report.verdict == "tested", str(report)
    for one, name in ((step, "QLinearConv c"), (program(DYNAMIC_STEP), "MatMulInteger i")):
        inputs = tuple(
            torch.zeros([2 if isinstance(n, str) else n for n in port.shape or ()], dtype=port.dtype) for port in one.inputs
        )
        found = canary(parts(one, inputs), lambda model, s: onnxruntime.start(model, s).run, {}, ())
        assert (found.outcome, found.asked) == ("exact", 1), name


def test_sums_that_are_cut_to_16_bits_are_told_by_their_node() -> None:
    """What instructions for 8 bits did before VNNI: the sum of two products is cut."""

    def start(model: Any, settings: dict[str, str]) -> Any:
        one = OnnxProgram(model, "part")

        def run(arrays: Any) -> list[np.ndarray]:
            (sums,) = one(*map(torch.from_numpy, arrays))
            return [sums.clamp(-(2**15), 2**15 - 1).numpy()]

        return run

    positive = torch.tensor([[0.1, 0.9], [0.5, 0.2]])  # the zero point is zero
    found = canary(parts(program(DYNAMIC_STEP), (positive,)), start, {}, ())
    assert [miss.node for miss in found.missed] == ["MatMulInteger i"]
