"""`coequal verify step.onnx --backend ...`: one table, three answers for each runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coequal.__main__ import main
from tests.subjects.artefacts import nets
from tests.subjects.artefacts.test_faults import lstm_of

pytestmark = pytest.mark.usefixtures("forked")

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
CLIP = f"{nets.__file__}:recurrent"


@pytest.fixture
def step(tmp_path: Path) -> str:
    onnx.save(lstm_of(nets.recurrent()[0]), str(tmp_path / "step.onnx"))
    return str(tmp_path / "step.onnx")


def verify(step: str, *arguments: str) -> int:
    return main(["verify", step, "--clip", CLIP, "--effort", "quick", "--only", "values", "batch", *arguments])


def test_a_right_file_agrees_on_the_runtime(step: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = verify(step, "--backend", "onnxruntime", "--json", str(tmp_path / "report.json"))
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    table = out[out.index("  runtimes\n") :].splitlines()
    assert table[1].split() == ["runtime", "artefact", "whole", "numbers", "behaviour"]
    assert table[2].split()[0] == "onnxruntime"
    assert table[2].split()[2:] == ["tested", "exact,", "1", "of", "1", "nodes", "agrees"]
    (found,) = json.loads((tmp_path / "report.json").read_text())["runtimes"]
    assert (found["canary"]["outcome"], found["behaviour"]["verdict"]) == ("exact", "tested")


def test_a_file_that_differs_differs_on_the_runtime_as_well(step: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = verify(step, "--state", "h=c_out", "--state", "c=h_out", "--backend", "onnxruntime")
    out, _ = capfd.readouterr()
    table = out[out.index("  runtimes\n") :].splitlines()
    assert code == 1
    assert table[2].split()[-1] == "different"
    assert "onnxruntime" in table[3]
    assert "frame 1" in table[3]
    (line,) = (line for line in table if line.strip().startswith("reproduce"))  # the runtime's, below its table
    command = line.split("reproduce", 1)[1].split()
    assert command[:2] == ["coequal", "verify"]
    assert "--state h=c_out --state c=h_out --backend onnxruntime --only values --length" in line
    assert main(command[1:]) == 1
    again = [said for said in capfd.readouterr().out.splitlines() if said.strip().startswith("reproduce")]
    assert again[-1].split() == line.split()


def test_a_runtime_that_refuses_the_file_is_said_in_the_report(step: str, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(step)
    model.ir_version = 99
    onnx.save(model, step)
    assert verify(step, "--backend", "onnxruntime") == 3
    out, _ = capfd.readouterr()
    assert "onnxruntime: onnxruntime refuses the file" in out
    assert "not run" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnxruntme", "--backend onnxruntme: no runtime is called so; did you mean onnxruntime?"),
        (
            "zzz",
            "--backend zzz: no runtime is called so; there are aotinductor, compile, executorch, litert, onnxruntime,"
            " openvino",
        ),
        (
            "openvino,f32",
            "--backend f32: no runtime is called so; there are aotinductor, compile, executorch, litert,"
            " onnxruntime, openvino",
        ),
        ("openvino,f32=", "--backend openvino,f32=: expected NAME[,SETTING=VALUE,...], got 'f32'"),
        (
            "executorch",
            "--backend executorch runs files that end in .pt2, as coequal export writes them; STEP is none by its name",
        ),
    ],
)
def test_names_that_are_none_are_bad_input(step: str, name: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(step, "--backend", name) == 2
    assert capfd.readouterr().err.strip().endswith(said.replace("STEP", step))
