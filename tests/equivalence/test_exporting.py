"""Continual modules as files: what is written is proved against the clip network, and nothing else is left on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import coequal
from coequal import continual
from coequal.continual.clip_modules import Residual
from coequal.equivalence import exporting
from coequal.process.exported import load
from coequal.subjects.artefacts.find import program_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.dependence import Dependence
from coequal.subjects.exporting.onnx_graph import model_of
from coequal.subjects.exporting.program import traced
from coequal.subjects.exporting.step import exported
from tests.subjects.artefacts import nets

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters
CLIP = torch.randn(2, 3, 8)


def late() -> nn.Module:
    """Both layers look ahead, so that the second waits for its first frame, and the shortcut for the second."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), Residual(nn.Conv1d(4, 4, 3, padding=1))).eval()


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_step_that_waits_for_its_layers_is_proved_for_every_length(tmp_path: Path, to: str) -> None:
    path = str(tmp_path / f"late.{to}")
    report = coequal.export(late(), path, example=CLIP)
    assert (report.headline, report.target) == ("proved for every length", path)
    assert "time is axis 2 of a clip, as the file says" in report.notes
    assert "its first 2 emissions stand for no frame, as the file says" in report.notes
    assert [file.name for file in tmp_path.iterdir()] == [f"late.{to}"]


def test_states_are_called_by_their_place_and_other_runtimes_take_any_number_of_rows(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    net = nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(3, 4, 3), nn.ReLU6()).eval()
    coequal.export(net, str(tmp_path / "step.onnx"), example=CLIP)
    session = runtime.InferenceSession(str(tmp_path / "step.onnx"), providers=["CPUExecutionProvider"])
    assert [port.name for port in session.get_inputs()] == ["frame", "state1_ring1", "state1_ring2"]
    assert [port.name for port in session.get_outputs()] == ["output", "state1_ring1_out", "state1_ring2_out"]
    clip = torch.randn(5, 3, 4)
    first = session.run(
        None, {"frame": clip[..., 0].numpy()} | dict.fromkeys(("state1_ring1", "state1_ring2"), clip[..., 0].numpy() * 0)
    )
    torch.testing.assert_close(torch.from_numpy(first[0]), net(clip)[..., 0])
    assert {tensor.name for tensor in onnx.load(str(tmp_path / "step.onnx")).graph.initializer} >= {"1.weight", "1.bias"}


class Windows(nn.Module):
    """Windows of four channels, of which a mask that depends on nothing hides the newer half."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.arange(4) > torch.full((4,), 1)
        other = x.as_strided((x.shape[0], 3, 3, 4), (24, 6, 1, 3))
        return x.unfold(1, 4, 2).masked_fill(hidden, -1.0) + 2 * other


def test_views_by_strides_and_what_depends_on_no_input_are_written() -> None:
    x = torch.randn(2, 8, 3)
    program = traced(Windows(), (x,), ({0: torch.export.Dim("batch", min=1, max=8)},))
    model = model_of(program, ["output"], {})
    assert {node.op_type for node in model.graph.node} <= {
        "Reshape",
        "Gather",
        "Where",
        "Identity",
        "Transpose",
        "Mul",
        "Add",
    }
    more = torch.randn(5, 8, 3)
    (got,) = OnnxProgram(model, "windows")(more)
    assert torch.equal(got, Windows()(more))


def test_a_depthwise_convolution_over_time_takes_any_number_of_rows(tmp_path: Path) -> None:
    """Its weights grow to the number of rows, which is read from the frame."""
    net = nn.Sequential(nn.ConstantPad3d((0, 0, 0, 0, 2, 0), 0.0), nn.Conv3d(2, 2, (3, 1, 1), groups=2)).eval()
    report = coequal.export(net, str(tmp_path / "depthwise.onnx"), example=torch.randn(1, 2, 6, 2, 2))
    assert report.headline == "proved for every length"
    step = program_of(str(tmp_path / "depthwise.onnx"))
    states = [torch.zeros(3, *(n for n in port.shape or () if isinstance(n, int))) for port in step.inputs[1:]]
    assert step(torch.randn(3, 2, 2, 2), *states)[0].shape == (3, 2, 2, 2)


@pytest.mark.parametrize(
    ("module", "clip", "said"),
    [
        (nn.Conv1d(3, 4, 3, stride=2), CLIP, "has no step that a file can hold: its step does not emit for every frame"),
        (
            nn.Conv1d(3, 4, 3, padding=1, padding_mode="replicate"),
            CLIP,
            "no file was written, since it is different: frame 0",
        ),
        (nn.GroupNorm(1, 3), CLIP, "GroupNorm cannot be streamed: its mean and variance are those of the whole clip"),
        (
            continual.SlidingMultiheadAttention(4, 2, window=3),
            torch.randn(2, 8, 4),
            "SlidingMultiheadAttention has no step that a file can hold",
        ),
        (continual.RecyclingEncoding(4, 5), torch.randn(2, 8, 4), "two steps in a row are different programs"),
        (nn.Softplus(), CLIP, "the operation log1p .* has no operator of ONNX here: export it --to pt2"),
    ],
    ids=["stride", "replicate", "group norm", "sliding attention", "positions", "operation"],
)
def test_what_no_file_can_hold_is_refused_in_one_line_and_nothing_is_left(
    tmp_path: Path, module: nn.Module, clip: torch.Tensor, said: str
) -> None:
    with pytest.raises(BadSubject, match=said) as caught:
        coequal.export(module.eval(), str(tmp_path / "step.onnx"), example=clip)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_wrong_file_is_never_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that loses 2^-30 of one weight: what stood there before stays."""

    def off(module: Any, clip: torch.Tensor) -> Any:
        step = exported(module, clip)
        weight = step.program.state_dict["net.1.weight"]
        with torch.no_grad():
            weight[0, 0, 0] = torch.nextafter(weight[0, 0, 0], torch.tensor(9.0))
        return step

    monkeypatch.setattr(exporting, "exported", off)
    net = nn.Sequential(nn.ConstantPad1d((1, 0), 0.0), nn.Conv1d(3, 2, 2)).eval()
    (tmp_path / "step.onnx").write_text("before")
    with pytest.raises(BadSubject, match=r"no file was written, since it is tested: .*not the same function"):
        coequal.export(net, str(tmp_path / "step.onnx"), example=CLIP)
    assert (tmp_path / "step.onnx").read_text() == "before"


@pytest.mark.parametrize(
    ("path", "said"),
    [("step.ts", "'ts' is no format; expected one of onnx, pt2"), ("nowhere/step.onnx", "no folder nowhere")],
)
def test_bad_paths_are_said(path: str, said: str) -> None:
    with pytest.raises(BadSubject, match=said):
        coequal.export(late(), path, example=CLIP)


def test_hints_of_a_file_may_be_said_otherwise(tmp_path: Path) -> None:
    """What the file says of its delay is no more than a default: with another one it is not the same function."""
    path = str(tmp_path / "one.onnx")
    coequal.export(nets.one()[0][1], path, example=CLIP)  # type: ignore[index]
    assert program_of(path).hints == {"time": 2, "ignore": 2}
    clip = f"{Path(nets.__file__)}:alone"
    assert load(path, clip=clip).ignore == 2
    other = dataclasses.replace(load(path, clip=clip, ignore=1))
    assert coequal.verify(other, effort="quick", checks="values").verdict == "different"


def test_what_is_written_through_a_view_is_depended_on() -> None:
    named = {name: torch.ones(3) for name in "abc"}
    with Dependence(named) as depends:
        ring = torch.zeros(2, 3)
        ring[0].copy_(named["a"] + named["b"])
        alone = named["c"] * 2
    assert depends.of(ring) == depends.of(ring[1]) == {"a", "b"}
    assert depends.of(alone) == {"c"}
