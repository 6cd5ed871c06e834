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
from typing import Any

import numpy as np
import pytest

import coequal
from coequal.equivalence.report import Report
from coequal.process.exported import certified, checked, load
from coequal.subjects.errors import BadSubject
from tests.subjects.artefacts import nets

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
from coequal.proofs import checker  # noqa: E402

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
    "format": (edited("format", lambda text: text + "1"), "it is no coequal certificate 1"),
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


def test_another_clip_network_is_refused(folder: Path) -> None:
    assert "is another than was certified" in checked(str(folder / "late.json"), clip=f"{NETS}:one").refused


def test_the_checker_alone_is_one_file_without_torch(folder: Path) -> None:
    source = CHECKER.read_text()
    assert len(source.splitlines()) <= 300
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
