"""Certificates: what is written holds, and every edit is refused with its reason, by `recheck` and by the checker alone."""

from __future__ import annotations

import base64
import copy
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import coequal
from coequal.equivalence.report import Report, Verdict
from coequal.process.exported import certified, checked, load
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.errors import BadSubject
from tests.subjects.artefacts import nets

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.equivalence.certifying import certificate, graphs_of  # noqa: E402
from coequal.proofs import checker  # noqa: E402
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402
from tests.subjects.artefacts import test_faults as faults  # noqa: E402

NETS = str(Path(nets.__file__))
CHECKER = Path(checker.__file__)
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters
Said = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step, its certificate, and the same step with one weight off by 2^-30."""
    folder = tmp_path_factory.mktemp("certificate")
    step = str(folder / "late.onnx")
    report = coequal.export(*nets.late()[:1], step, example=nets.late()[1])
    said = certified(step, report, clip=f"{NETS}:late")
    (folder / "late.json").write_text(json.dumps(said))
    (folder / "off.onnx").write_bytes(off(Path(step).read_bytes()))
    return folder


def off(step: bytes) -> bytes:
    """The weight that is 2^-8, off by 2^-30."""
    model = onnx.load_model_from_string(step)
    held = next(tensor for tensor in model.graph.initializer if tensor.name == "0.weight")
    array = onnx.numpy_helper.to_array(held).copy()
    assert array[1, 1, 1] == 2.0**-8
    array[1, 1, 1] += np.float32(2.0**-30)
    held.CopyFrom(onnx.numpy_helper.from_array(array, "0.weight"))
    return model.SerializeToString()


def read(folder: Path) -> tuple[Said, bytes]:
    return json.loads((folder / "late.json").read_text()), (folder / "late.onnx").read_bytes()


def test_what_was_certified_holds_with_and_without_the_network(folder: Path) -> None:
    with_code = checked(str(folder / "late.json"))
    assert (with_code.refused, with_code.clip, with_code.lengths) == ("", f"{NETS}:late", (3, 5, 11))
    assert with_code.bound < 2.0**-100
    assert checked(str(folder / "late.json"), alone=True).clip == ""


def swapped(said: Said) -> None:
    """Two states of one shape, the other way round."""
    a, b = "state0_ring1", "state0_ring2"
    said["states"] |= {a: said["states"][b], b: said["states"][a]}


def edited(key: str, change: Callable[[Any], Any]) -> Callable[[Said], None]:
    def edit(said: Said) -> None:
        said[key] = change(said[key])

    return edit


def other_digit(text: str) -> str:
    return ("1" if text[0] != "1" else "2") + text[1:]


def other_graph(said: Said) -> None:
    said["graphs"]["3"] = said["graphs"]["5"]


EDITS: dict[str, tuple[Callable[[Said], None], str]] = {
    "swapped states": (swapped, "of 3 frames the stream is not the clip's function"),
    "a state that is not returned": (
        edited("states", lambda s: {k: v for k, v in s.items() if k != "age"}),
        "GreaterOrEqual .*: 'age'",
    ),
    "digest": (edited("digests", lambda d: d | {"5": other_digit(d["5"])}), "its digests is not what follows"),
    "seed": (edited("seed", other_digit), "its seed is not what follows from what it is about"),
    "prime": (edited("prime", lambda p: p + 2), "its prime is not what follows"),
    "bound": (edited("bound", lambda b: b / 2), "the probability of an error is up to"),
    "emissions that do not count": (edited("ignore", lambda n: n - 1), "of 3 frames the stream is not the clip's function"),
    "a clip network for another": (other_graph, "the graphs of the clip network are not those that were certified"),
    "a length that was not compared": (edited("lengths", lambda n: [*n, 7]), "'7'"),
    "another axis of time": (edited("time", lambda n: n - 1), "of 3 frames the stream is not the clip's function"),
    "format": (edited("format", lambda text: text + "1"), "it is no coequal certificate 3"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_certificate_is_refused(folder: Path, edit: str) -> None:
    said, step = read(folder)
    change, why = EDITS[edit]
    before = copy.deepcopy(said)
    change(said)
    assert said != before
    with pytest.raises((checker.Refused, LookupError, ValueError), match=why):
        checker.check(said, step)
    (folder / "edited.json").write_text(json.dumps(said))
    again = checked(str(folder / "edited.json"), alone=True)
    assert re.search(why, again.refused)


def test_another_file_is_refused_by_the_name_of_its_weight(folder: Path) -> None:
    said, step = read(folder)
    with pytest.raises(checker.Refused, match=r"the file is not the one that was certified: other 0\.weight$"):
        checker.check(said, (folder / "off.onnx").read_bytes())
    renamed = onnx.load_model_from_string(step)
    renamed.doc_string = "another"
    with pytest.raises(checker.Refused, match="other nodes, names or metadata"):
        checker.check(said, renamed.SerializeToString())
    assert "other 0.weight" in checked(str(folder / "late.json"), str(folder / "off.onnx"), alone=True).refused


def test_nothing_compared_is_nothing_certified(folder: Path) -> None:
    said, step = read(folder)
    graphs = {n: zlib.decompress(base64.b64decode(text)) for n, text in said["graphs"].items()}
    said["rows"] = said["clip"]["frame"][0] = 0
    with pytest.raises((checker.Refused, ValueError)):
        checker.computed(said, step, graphs)
    said, step = read(folder)
    said["lengths"], said["graphs"], said["clip"]["graphs"] = [], {}, {}
    with pytest.raises(checker.Refused, match="about no lengths"):
        checker.check(said, step)


@pytest.mark.parametrize("forged", ["weight", "states"])
def test_nobody_can_make_a_certificate_of_a_wrong_step(folder: Path, forged: str) -> None:
    """Hashes, points and digests that fit are of no use: the residues of stream and clip differ."""
    said, step = read(folder)
    graphs = {n: zlib.decompress(base64.b64decode(text)) for n, text in said["graphs"].items()}
    if forged == "weight":
        step = (folder / "off.onnx").read_bytes()
        said["step"]["sha256"] = checker.digest(step)
    else:
        swapped(said)
    with pytest.raises(checker.Refused, match="of 3 frames the stream is not the clip's function"):
        checker.computed(said, step, graphs)


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, bytes, dict[str, bytes]]:
    """A certificate of a step with a convolution, a norm, a softmax and a GRU as operators of ONNX, of three frames."""
    torch.manual_seed(4)
    net = faults.Net().eval()
    step = tmp_path_factory.mktemp("recurrent") / "step.onnx"
    onnx.save(faults.step_of(net), str(step))
    clip = clip_of_module(net, torch.randn(2, 3, 8, 6), "net")
    subject = subject_of_pair(OnnxProgram(onnx.load(step), str(step)), clip, time_known=False)
    proved: Any = SimpleNamespace(
        verdict=Verdict.PROVED, problems=(), timing=SimpleNamespace(receptive_field=3)
    )  # elsewhere
    said = certificate(OnnxProgram(onnx.load(step), str(step)), subject, clip, Wanted(), proved, "net")
    said["lengths"] = [3]
    return said, step.read_bytes(), {"3": zlib.decompress(base64.b64decode(said["graphs"]["3"]))}


def test_operators_of_onnx_that_are_made_of_others_are_certified(recurrent: tuple[Said, bytes, dict[str, bytes]]) -> None:
    said, step, graphs = recurrent
    found = checker.computed(said, step, graphs)
    assert found["bound"] < 2.0**-90
    kinds = {node.op_type for node in onnx.load_model_from_string(step).graph.node}
    assert {"Conv", "BatchNormalization", "Softmax", "GRU", "ReduceMean"} <= kinds


@pytest.mark.parametrize("fault", faults.FAULTS)
def test_no_certificate_holds_of_a_planted_fault(fault: str, recurrent: tuple[Said, bytes, dict[str, bytes]]) -> None:
    """Hashes, point and digests made anew of the wrong file; a cast to a coarser format is refused by its name."""
    said, step, graphs = recurrent
    model = onnx.load_model_from_string(step)
    faults.FAULTS[fault][0](model)
    wrong = model.SerializeToString()
    forged = {**said, "step": {**said["step"], "sha256": checker.digest(wrong)}}
    why = (
        "Cast to_bfloat16: a cast to format 16 has no meaning here"
        if fault == "bf16 cast"
        else "of 3 frames the stream is not the clip's function"
    )
    with pytest.raises(checker.Refused, match=why):
        checker.computed(forged, wrong, graphs)


def test_another_clip_network_is_refused(folder: Path) -> None:
    assert "is another than was certified" in checked(str(folder / "late.json"), clip=f"{NETS}:one").refused


def test_the_checker_alone_needs_no_torch_and_is_short(folder: Path) -> None:
    assert len(CHECKER.read_text().splitlines()) <= 300
    assert len(CHECKER.with_name("composed.py").read_text().splitlines()) <= 220
    alone = f"""if 1:
        import runpy, sys
        sys.argv = ["checker", "late.json", sys.argv[1]]
        runpy.run_path({str(CHECKER)!r}, run_name="__main__")
        print("with torch" if "torch" in sys.modules else "by itself")
    """
    for step, status, said in (
        ("late.onnx", 0, "holds for 3, 5, 11 frames; P(wrong) <= 2^-1"),
        ("off.onnx", 1, "refused: "),
    ):
        command = [sys.executable, "-P", "-c", alone, step]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert ran.returncode == status, ran.stderr
        assert (ran.stdout if status == 0 else ran.stderr).startswith(said)
        assert "by itself" in ran.stdout or status


def test_what_is_not_proved_is_not_certified(folder: Path) -> None:
    step = str(folder / "off.onnx")
    report: Report = coequal.verify(load(step, clip=f"{NETS}:late"), effort="quick", checks=("values", "exact"))
    assert report.verdict == "tested"
    with pytest.raises(BadSubject, match="no certificate is written of what is tested"):
        certified(step, report, clip=f"{NETS}:late")


CLIP_MODE, STEP_MODE = torch.tensor(1), torch.tensor(2)


class Modal(torch.nn.Module):
    """A network of a library that keeps its mode in a tensor, and compares it."""

    def __init__(self, decides: str = "mode") -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.decides = torch.nn.Conv1d(3, 4, 3), decides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y if (x.sum() < 9 if self.decides == "data" else torch.tensor(1) == CLIP_MODE != STEP_MODE) else -y


def test_a_network_that_compares_constants_has_graphs_and_one_that_compares_data_has_none() -> None:
    about, x = {"shape": [1, 3], "time": 2}, torch.randn(1, 3, 5)
    graph = graphs_of(clip_of_module(Modal().eval(), x, "modal"), about, [5])["5"]
    assert "Neg" not in {node.op_type for node in onnx.load_model_from_string(graph).graph.node}
    with pytest.raises(BadSubject, match=r"the clip network makes no graph of ONNX: torch.export: .*data-dependent"):
        graphs_of(clip_of_module(Modal("data").eval(), x, "modal"), about, [5])
