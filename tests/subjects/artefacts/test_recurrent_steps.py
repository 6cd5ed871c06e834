"""Steps of recurrent layers as files: for every length, since torch's layers say how a clip of theirs goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from coequal import Report, continual, verify
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.going_on import going_on

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402

HEAD = '<ir_version: 10, opset_import: ["" : 17]>\n'
RIGHT = """
step (float[2,3] frame, float[1,2,4] h) => (float[2,4] y, float[1,2,4] h_out) {
    x = Unsqueeze(frame, first)
    all, h_out = RNN<hidden_size=4>(x, W, R, B, , h)
    y = Squeeze(h_out, first)
}"""
COUNTING = """
step (float[2,3] frame, float[1,2,4] h, float[1] age) => (float[2,4] y, float[1,2,4] h_out, float[1] age_out) {
    x = Unsqueeze(frame, first)
    all, h_out = RNN<hidden_size=4>(x, W, R, B, , h)
    found = Squeeze(h_out, first)
    more = Add(age, one)
    %s
    late = Greater(age, %s)
    y = Where(late, zero, found)
}"""
LATE = {
    "counts": COUNTING % ("age_out = Identity(more)", "late_age"),
    "is full": COUNTING % ("age_out = Min(more, full)", "last_age"),
}
NUMBERS = {"first": np.array([0]), "one": np.float32([1]), "zero": np.float32(0), "late_age": np.float32([700])}
NUMBERS |= {"full": np.float32([45]), "last_age": np.float32([44])}


def layer() -> nn.RNN:
    torch.manual_seed(0)
    return nn.RNN(3, 4, batch_first=True)


def verified(text: str) -> Report:
    net = layer()
    held = {name: tensor.detach().numpy()[None] for name, tensor in net.named_parameters()}
    biases = np.concatenate([held["bias_ih_l0"], held["bias_hh_l0"]], 1)
    arrays = {"W": held["weight_ih_l0"], "R": held["weight_hh_l0"], "B": biases, **NUMBERS}
    model = onnx.parser.parse_model(HEAD + text)
    read = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items() if n in read)
    clip = clip_of_module(net, torch.randn(2, 6, 3), "net")
    return verify(subject_of_pair(OnnxProgram(model, "step.onnx"), clip, Wanted(time=1)), effort="quick", checks=("exact",))


def test_a_right_one_is_proved_for_every_length() -> None:
    report = verified(RIGHT)
    assert (report.verdict, report.horizon) == ("proved", "all")


@pytest.mark.parametrize("name", LATE)
def test_a_late_one_is_not(name: str) -> None:
    report = verified(LATE[name])
    assert (report.verdict, report.horizon) != ("proved", "all")


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_networks_that_go_on_by_their_layers() -> None:
    torch.manual_seed(0)
    net = continual.Sequential(
        nn.Linear(3, 4), continual.GRU(4, 5, batch_first=True), nn.Tanh(), continual.LSTM(5, 2, batch_first=True)
    )
    onwards = going_on(net.eval())
    assert onwards is not None
    x = torch.randn(2, 7, 3)
    first, state = onwards(x[:, :3], None)
    second, _ = onwards(x[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), net(x))


@pytest.mark.parametrize(
    "net",
    [
        nn.GRU(3, 4, bidirectional=True),
        nn.Linear(3, 4),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU()),
        nn.Sequential(nn.GRU(3, 4), Doubled()),
        nn.Sequential(nn.GRU(3, 4), nn.Conv1d(4, 4, 3)),
    ],
)
def test_networks_of_which_nothing_is_known(net: nn.Module) -> None:
    assert going_on(net) is None
