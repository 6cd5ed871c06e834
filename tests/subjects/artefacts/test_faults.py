"""Twelve faults of exports, each planted in a right step: all are found and named; right twins are proved."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import coequal
from coequal.equivalence.report import Report
from coequal.process.exported import load
from coequal.subjects.artefacts.find import program_of
from coequal.subjects.artefacts.pair import clip_of_module, subject_of_pair
from coequal.subjects.artefacts.suspects import LOST
from coequal.subjects.errors import BadSubject
from tests.subjects.artefacts import nets

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402

Tensor = torch.Tensor
Model = Any


class Net(nn.Module):
    """Convolution over time and height, norm, LeakyReLU, softmax over channels, GRU, a layer: (B, 3, T, 6) -> (B, 4, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.gru = nn.Conv2d(3, 4, (3, 3)), nn.BatchNorm2d(4), nn.GRU(4, 4)
        self.out = nn.Linear(4, 4, bias=False)
        for name, tensor in [*self.norm.named_parameters(), *self.norm.named_buffers()]:
            if name != "num_batches_tracked":
                tensor.data.copy_(torch.rand(4) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.leaky_relu(self.norm(self.conv(nn.functional.pad(x, (1, 1, 2, 0)))), 0.2)
        x = torch.softmax(4 * x.mean(3), 1)
        return self.out(self.gru(x.permute(2, 0, 1))[0]).permute(1, 2, 0)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(4)
    return Net().eval()


def gates(parameter: Tensor) -> Tensor:
    """Of torch's order (reset, update, new) those of ONNX: update, reset, new."""
    reset, update, new = parameter.chunk(3)
    return torch.cat([update, reset, new])


def step_of(net: Any, *, fold: float | None = None) -> Model:
    """The right step, as a model of ONNX; `fold`: the norm is folded into the convolution with this epsilon."""
    helper, node, n = onnx.helper, onnx.helper.make_node, net.norm
    weights = {name: t.detach() for name, t in net.named_parameters()} | {k: v for k, v in net.named_buffers() if v.dim()}
    gru = {"W": gates(net.gru.weight_ih_l0)[None], "R": gates(net.gru.weight_hh_l0)[None],
           "B": torch.cat([gates(net.gru.bias_ih_l0), gates(net.gru.bias_hh_l0)])[None]}  # fmt: skip
    if fold is not None:
        scale = n.weight / torch.sqrt(n.running_var + fold)
        folded = {
            "conv.weight": net.conv.weight * scale[:, None, None, None],
            "conv.bias": (net.conv.bias - n.running_mean) * scale + n.bias,
        }
        weights |= folded
    norm = ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"]
    kept = {name: weights[name] for name in ("conv.weight", "conv.bias", *(norm if fold is None else []))}
    arrays = {name: t.detach().numpy() for name, t in (kept | gru).items()} | {
        "out.weight": net.out.weight.detach().numpy().T.copy()
    }
    numbers = {"two": [2], "one": [1], "nine": [9], "ends": [0, 1], "rows": [-1, 4]}
    arrays |= {name: np.array(value, np.int64) for name, value in numbers.items()} | {"four": np.array(4, np.float32)}
    nodes = [
        node("Unsqueeze", ["frame", "two"], ["now"], "unsqueeze"),
        node("Concat", ["past", "now"], ["cat"], "concat", axis=2),
        node("Slice", ["cat", "one", "nine", "two"], ["past_out"], "slice"),
        node("Conv", ["cat", "conv.weight", "conv.bias"], ["convolved"], "conv", pads=[0, 1, 0, 1]),
        node("BatchNormalization", ["convolved", *norm], ["normed"], "norm"),
        node("LeakyRelu", ["convolved" if fold is not None else "normed"], ["active"], "leaky", alpha=0.2),
        node("ReduceMean", ["active"], ["mean"], "mean", axes=[3], keepdims=0),
        node("Mul", ["mean", "four"], ["scaled"], "scale"),
        node("Softmax", ["scaled"], ["soft"], "softmax", axis=1),
        node("Transpose", ["soft"], ["turned"], "transpose", perm=[2, 0, 1]),
        node("GRU", ["turned", "W", "R", "B", "", "h"], ["all", "h_out"], "gru", hidden_size=4, linear_before_reset=1),
        node("Squeeze", ["all", "ends"], ["last"], "squeeze"),
        node("Reshape", ["last", "rows"], ["flat"], "reshape"),
        node("MatMul", ["flat", "out.weight"], ["y"], "out"),
    ]
    nodes = [one for one in nodes if fold is None or one.name != "norm"]
    info = helper.make_tensor_value_info
    given = [info("frame", 1, ["N", 3, 6]), info("past", 1, ["N", 3, 2, 6]), info("h", 1, [1, "N", 4])]
    out = [info("y", 1, ["N", 4]), info("past_out", 1, ["N", 3, 2, 6]), info("h_out", 1, [1, "N", 4])]
    held = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in arrays.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "step", given, out, held), opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    onnx.checker.check_model(model)
    return model


def verified(model: Model, net: nn.Module, checks: tuple[str, ...] = ("values", "batch", "exact")) -> Report:
    torch.manual_seed(5)
    clip = clip_of_module(net, torch.randn(2, 3, 8, 6), "net")
    subject = subject_of_pair(OnnxProgram(model, "step.onnx"), clip, time_known=False)
    return coequal.verify(subject, effort="quick", checks=checks)


def node_of(model: Model, name: str) -> Any:
    return next(node for node in model.graph.node if node.name == name)


def held(model: Model, name: str) -> Any:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def put(model: Model, name: str, array: np.ndarray) -> None:
    held(model, name).CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))


def array(model: Model, name: str) -> np.ndarray:
    return onnx.numpy_helper.to_array(held(model, name)).copy()


def attribute(model: Model, node: str, name: str, value: Any = None) -> None:
    """Another value of an attribute; None: it is left out."""
    target = node_of(model, node)
    for old in [a for a in target.attribute if a.name == name]:
        target.attribute.remove(old)
    if value is not None:
        target.attribute.append(onnx.helper.make_attribute(name, value))


# -- faults ---------------------------------------------------------------------------------------------------------------


def not_returned(model: Model) -> None:
    target = node_of(model, "slice")
    target.CopyFrom(onnx.helper.make_node("Identity", ["past"], ["past_out"], "slice"))


def wrong_form(model: Model) -> None:
    attribute(model, "gru", "linear_before_reset", 0)


def stale(model: Model) -> None:
    numbers = array(model, "norm.weight")
    numbers[1] += 0.25
    put(model, "norm.weight", numbers)


def default(model: Model) -> None:
    attribute(model, "softmax", "axis")


def slope(model: Model) -> None:
    attribute(model, "leaky", "alpha")


def transposed(model: Model) -> None:
    put(model, "out.weight", array(model, "out.weight").T)


def flipped(model: Model) -> None:
    put(model, "conv.weight", np.flip(array(model, "conv.weight"), (2, 3)))


def baked(model: Model) -> None:
    put(model, "rows", np.array([2, 4], np.int64))


def coarse(model: Model) -> None:
    node_of(model, "out").input[0] = "back"
    there = onnx.helper.make_node("Cast", ["flat"], ["coarse"], "to_bfloat16", to=16)
    back = onnx.helper.make_node("Cast", ["coarse"], ["back"], "to_float", to=1)
    out = node_of(model, "out")
    rest = [n for n in model.graph.node if n.name != "out"]
    nodes = [copy.deepcopy(n) for n in (*rest, there, back, out)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def one_off(model: Model) -> None:
    attribute(model, "conv", "pads", [0, 2, 0, 0])


FAULTS: dict[str, tuple[Callable[[Model], None], str]] = {
    "state not returned": (
        not_returned,
        "the state past comes back as past_out unchanged: what the step makes of it is not returned",
    ),
    "wrong GRU form": (wrong_form, "GRU gru: linear_before_reset is 0; with 1 the step is right"),
    "stale constant": (
        stale,
        "1 of 4 numbers of the initializer norm.weight are not those of the clip's norm.weight: with those",
    ),
    "wrong default": (default, "Softmax softmax: axis is not given; with 1 the step is right"),
    "another default": (slope, "LeakyRelu leaky: alpha is not given; with 0.2 the step is right"),
    "transposed weight": (
        transposed,
        "MatMul out: its weight out.weight is transposed; the other way round the step is right",
    ),
    "flipped kernel": (flipped, "numbers of the initializer conv.weight are not those of the clip's conv.weight"),
    "bf16 cast": (
        coarse,
        "Cast to_bfloat16: it casts to bfloat16, which loses digits; without such casts the step is right",
    ),
    "off-by-one pad": (one_off, "Conv conv: its pads are [0, 2, 0, 0]; with [0, 1, 0, 1] the step is right"),
}


def gates_as_in_torch(model: Model) -> None:
    for name in "WR":
        update, reset, new = np.split(array(model, name), 3, 1)
        put(model, name, np.concatenate([reset, update, new], 1))
    parts = np.split(array(model, "B"), 6, 1)
    put(model, "B", np.concatenate([parts[i] for i in (1, 0, 2, 4, 3, 5)], 1))


def exchanged_biases(model: Model) -> None:
    put(model, "B", np.concatenate(np.split(array(model, "B"), 2, 1)[::-1], 1))


def exchanged(node: str, a: int, b: int) -> Callable[[Model], None]:
    def plant(model: Model) -> None:
        inputs = node_of(model, node).input
        inputs[a], inputs[b] = inputs[b], inputs[a]

    return plant


def old_frames(model: Model) -> None:
    """The state keeps its two oldest frames, and never the one that came."""
    for name, value in (("nought", [0]), ("end", [2])):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.int64), name))
    node_of(model, "slice").input[1:3] = ["nought", "end"]


def half_precision(model: Model) -> None:
    put(model, "conv.weight", array(model, "conv.weight").astype(np.float16).astype(np.float32))


MORE: dict[str, tuple[Callable[[Model], None], str]] = {
    "gates in torch's order": (
        gates_as_in_torch,
        "GRU gru: its gates stand in torch's order; in that of ONNX the step is right",
    ),
    "biases of input and state": (exchanged_biases, "GRU gru: its biases of input and state are exchanged; the other way"),
    "mean and variance": (
        exchanged("norm", 3, 4),
        "BatchNormalization norm: its inputs norm.running_var and norm.running_mean are exchanged",
    ),
    "scale and bias": (
        exchanged("norm", 1, 2),
        "BatchNormalization norm: its inputs norm.bias and norm.weight are exchanged; the other way round the step is right",
    ),
    "frames joined the other way round": (
        exchanged("concat", 0, 1),
        "Concat concat: its inputs now and past are exchanged; the other way round the step is right",
    ),
    "old frames kept": (old_frames, "the state past comes back as past_out unchanged"),
    "another epsilon": (
        lambda model: attribute(model, "norm", "epsilon", 1e-3),
        "BatchNormalization norm: epsilon is 0.001; with 1e-05 the step is right",
    ),
    "weights in half precision": (
        half_precision,
        "of 108 numbers of the initializer conv.weight are not those of the clip's",
    ),
}


def replaced(name: str, kind: str, **attributes: Any) -> Callable[[Model], None]:
    """Another operator in the place of a node."""

    def plant(model: Model) -> None:
        node = node_of(model, name)
        node.CopyFrom(onnx.helper.make_node(kind, list(node.input), list(node.output), name, **attributes))

    return plant


def without_bias(model: Model) -> None:
    del node_of(model, "conv").input[2]


def forgotten(model: Model) -> None:
    """The state of the GRU is zeros in every step, though it goes in and comes out."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0, np.float32), "nil"))
    node_of(model, "gru").input[5] = "nothing"
    nodes = [onnx.helper.make_node("Mul", ["h", "nil"], ["nothing"], "forget"), *map(copy.deepcopy, model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def one_weight(model: Model) -> None:
    numbers = array(model, "out.weight")
    numbers[1, 2] += np.float32(2.0**-12)
    put(model, "out.weight", numbers)


FOUND: dict[str, Callable[[Model], None]] = {
    "a factor": lambda model: put(model, "four", np.array(2, np.float32)),
    "Relu for LeakyRelu": replaced("leaky", "Relu"),
    "a maximum for a mean": replaced("mean", "ReduceMax", axes=[3], keepdims=0),
    "a bias left out": without_bias,
    "a state that is forgotten": forgotten,
    "one weight": one_weight,
}


@pytest.mark.parametrize("fault", FOUND)
def test_a_planted_fault_that_has_no_name_is_found(fault: str, net: nn.Module) -> None:
    model = step_of(net)
    FOUND[fault](model)
    assert verified(model, net, ("values",)).verdict == "different"


@pytest.mark.parametrize("fault", [*FAULTS, *MORE])
def test_a_planted_fault_is_found_and_named(fault: str, net: nn.Module) -> None:
    model = step_of(net)
    plant, says = (FAULTS | MORE)[fault]
    plant(model)
    report = verified(model, net)
    assert report.verdict == "different"
    told = [finding.detail for finding in report.findings if finding.name == "remedy"]
    assert any(says in detail for detail in told), told


def test_a_size_of_the_batch_that_is_baked_in_is_refused_by_name(net: nn.Module) -> None:
    model = step_of(net)
    baked(model)
    with pytest.raises(
        BadSubject, match=r"a step of 1 rows fails .* \(Reshape reshape: .*\): a size of the batch is baked in"
    ):
        verified(model, net)


def lengths_of_two(model: Model) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 1], np.int32), "lengths"))
    node_of(model, "gru").input[4] = "lengths"


def state_of_one(model: Model) -> None:
    """As a state that was left to the exporter: zeros for the rows of the example, though it goes in and comes out."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 1, 4), np.float32), "zeros"))
    node_of(model, "gru").input[5] = "zeros"


@pytest.mark.parametrize(("plant", "why"), [
    (lengths_of_two, "1 rows fails .* lengths of 2 sequences, and 1 rows"),
    (state_of_one, r"2 rows fails .* an initial state of shape \(1, 1, 4\), expected \(1, 2, 4\)"),
])  # fmt: skip
def test_rows_of_a_recurrent_layer_that_are_baked_in_are_refused_by_name(plant: Any, why: str, net: nn.Module) -> None:
    model = step_of(net)
    plant(model)
    with pytest.raises(BadSubject, match=why + r"\): a size of the batch is baked in"):
        verified(model, net)


def test_a_state_that_nothing_reads_is_not_what_is_wrong(net: nn.Module) -> None:
    model = step_of(net)
    attribute(model, "leaky", "alpha", 0.25)
    for ports, name in ((model.graph.input, "unread"), (model.graph.output, "unread_out")):
        ports.append(onnx.helper.make_tensor_value_info(name, 1, ["N", 4]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["unread"], ["unread_out"], "through"))
    told = [finding.detail for finding in verified(model, net, ("values",)).findings if finding.name == "remedy"]
    assert told == ["LeakyRelu leaky: alpha is 0.25; with 0.2 the step is right"]


def test_the_right_step_is_proved(net: nn.Module) -> None:
    report = verified(step_of(net), net)
    assert report.verdict == "proved", str(report)
    assert not [finding for finding in report.findings if finding.name == "remedy"]


def test_a_flipped_kernel_is_named_by_its_node_where_names_are_lost(net: nn.Module) -> None:
    model = step_of(net)
    flipped(model)
    held(model, "conv.weight").name = node_of(model, "conv").input[1] = "w"
    told = [finding.detail for finding in verified(model, net).findings if finding.name == "remedy"]
    assert told == ["Conv conv: its weight w is flipped; the other way round the step is right"]


def test_a_norm_that_is_folded_is_equal_up_to_the_weights_that_are_named(net: nn.Module) -> None:
    report = verified(step_of(net, fold=1e-5), net)
    assert report.verdict == "proved", str(report)
    told = [note for note in report.notes if note.startswith("equal up to the rounding")]
    assert told == [
        "equal up to the rounding of 112 weights, in the initializers conv.weight and conv.bias: they hold norm folded into"
        " conv, which were compared unfolded, with the clip's own numbers"
    ]


def test_a_norm_that_is_folded_with_another_epsilon_is_found_and_named(net: nn.Module) -> None:
    report = verified(step_of(net, fold=1e-3), net)
    assert report.verdict == "different"
    told = [finding.detail for finding in report.findings if finding.name == "remedy"]
    assert (
        told[0]
        == "Conv conv: its weight conv.weight is conv with norm folded in by an epsilon of 0.001; the clip's is 1e-05"
    )


def test_swapped_states_are_found_and_named() -> None:
    net, example = nets.recurrent()
    model = lstm_of(net)
    clip = clip_of_module(net, example, "net")

    def report(model: Model) -> Report:
        subject = subject_of_pair(OnnxProgram(model, "step.onnx"), clip, time_known=False)
        return coequal.verify(subject, effort="quick", checks=("values", "exact"))

    assert report(model).verdict == "proved"
    lstm = node_of(model, "lstm")
    lstm.output[1], lstm.output[2] = "c_out", "h_out"
    wrong = report(model)
    assert wrong.verdict == "different"
    told = [finding.detail for finding in wrong.findings if finding.name == "remedy"]
    assert told == ["two states are swapped: with h -> c_out and c -> h_out the step is right"]


def lstm_of(net: Any) -> Model:
    """The step of an LSTM, whose gates stand in the order input, output, forget, cell."""
    helper, lstm = onnx.helper, net.lstm

    def ordered(parameter: Tensor) -> Tensor:
        i, f, g, o = parameter.detach().chunk(4)
        return torch.cat([i, o, f, g])

    held = {"W": ordered(lstm.weight_ih_l0)[None], "R": ordered(lstm.weight_hh_l0)[None],
            "B": torch.cat([ordered(lstm.bias_ih_l0), ordered(lstm.bias_hh_l0)])[None],
            "w": net.out.weight.detach().T, "b": net.out.bias.detach()}  # fmt: skip
    nodes = [
        helper.make_node("Unsqueeze", ["frame", "zero"], ["now"], "unsqueeze"),
        helper.make_node("LSTM", ["now", "W", "R", "B", "", "h", "c"], ["all", "h_out", "c_out"], "lstm", hidden_size=4),
        helper.make_node("Squeeze", ["all", "ends"], ["last"], "squeeze"),
        helper.make_node("MatMul", ["last", "w"], ["product"], "product"),
        helper.make_node("Add", ["product", "b"], ["y"], "bias"),
    ]
    arrays = {name: t.numpy() for name, t in held.items()} | {"zero": np.array([0]), "ends": np.array([0, 1])}
    info = helper.make_tensor_value_info
    given = [info("frame", 1, ["N", 3]), info("h", 1, [1, "N", 4]), info("c", 1, [1, "N", 4])]
    out = [info("y", 1, ["N", 2]), info("h_out", 1, [1, "N", 4]), info("c_out", 1, [1, "N", 4])]
    held_ = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in arrays.items()]
    return helper.make_model(
        helper.make_graph(nodes, "step", given, out, held_), opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )


def test_a_step_whose_states_are_lost_is_told(net: nn.Module) -> None:
    """As torch.onnx writes a module whose past is a buffer: it is a constant of the file, and does not come out."""
    model = step_of(net)
    for name, shape in (("past", (1, 3, 2, 6)), ("h", (1, 1, 4))):
        model.graph.input.remove(next(port for port in model.graph.input if port.name == name))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name))
    for name in ("past_out", "h_out"):
        model.graph.output.remove(next(port for port in model.graph.output if port.name == name))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    clip = clip_of_module(net, torch.randn(1, 3, 8, 6), "net")
    report = coequal.verify(
        subject_of_pair(OnnxProgram(model, "step.onnx"), clip, time_known=False), effort="quick", checks=("values",)
    )
    assert report.verdict == "different"
    told = [finding.detail for finding in report.findings if finding.name == "remedy"]
    assert told == [LOST]


@pytest.mark.filterwarnings("ignore")
def test_a_buffer_that_is_lost_is_told_also_where_the_clip_has_one_of_its_name(tmp_path: Path) -> None:
    """As in a network whose one module serves both modes."""
    net, example = nets.one()
    net.register_buffer("past", torch.zeros(2, 3, 2))
    step = program_of(nets.ring(tmp_path / "wrong.pt2", written=False))
    subject = subject_of_pair(step, clip_of_module(net, example, "net"), time_known=False)
    report = coequal.verify(subject, effort="quick", checks=("values",))
    assert report.verdict == "different"
    assert [finding.detail for finding in report.findings if finding.name == "remedy"] == [LOST]


RUN = {name: fault for name, (fault, _) in FAULTS.items()}


@pytest.mark.parametrize("fault", [None, *RUN])
def test_on_the_runtime_a_planted_fault_differs_and_its_right_twin_agrees(fault: str | None, net: nn.Module) -> None:
    """By behaviour alone: the runtime is not looked into."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from coequal.subjects.backends import onnxruntime
    from coequal.subjects.backends.runtime import RuntimeProgram

    model = step_of(net)
    if fault is not None:
        RUN[fault](model)
    step = RuntimeProgram(OnnxProgram(model, "step.onnx"), onnxruntime.start(model, {}))
    torch.manual_seed(5)
    subject = subject_of_pair(step, clip_of_module(net, torch.randn(2, 3, 8, 6), "net"), time_known=False)
    report = coequal.verify(subject, effort="quick", checks=("values",))
    assert report.verdict == ("tested" if fault is None else "different")


@pytest.mark.filterwarnings("ignore")
def test_a_write_that_is_dropped_is_found_and_named(tmp_path: Path) -> None:
    clip = f"{nets.__file__}:one"
    right = coequal.verify(load(nets.ring(tmp_path / "right.pt2"), clip=clip), effort="quick", checks=("values", "exact"))
    wrong = coequal.verify(
        load(nets.ring(tmp_path / "wrong.pt2", written=False), clip=clip), effort="quick", checks=("values", "exact")
    )
    assert (right.headline, wrong.verdict) == ("proved for every length", "different")
    told = [finding.detail for finding in wrong.findings if finding.name == "remedy"]
    assert told == ["the buffer past is read and never written to: was a write to it (copy_) lost in the export?"]
