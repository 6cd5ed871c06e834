"""A small library with tests of its own: they find its planted mistake, at its smallest, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coequal.__main__ import main
from tests.forks import FORKS, printed

FOLDER = Path(__file__).parents[2] / "examples" / "tinystream"
SMALLEST = "channels=1, out_channels=1, kernel_size=4, stride=2, bias=False, dtype=torch.float32"
WRONG, RIGHT = "shared = (kernel - 1) // stride", "shared = kernel - stride"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A copy of it."""
    folder = tmp_path / "tinystream"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    return folder


def run_tests(folder: Path, *options: str) -> str:
    """What pytest prints there, in a fork of this process where there are forks."""
    arguments = ["-p", "no:cacheprovider", "-p", "no:cov", "-q", "--hypothesis-seed", "1", *options]
    if FORKS:
        return printed(folder, lambda: pytest.main(arguments))
    command = [sys.executable, "-P", "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900).stdout


def test_its_own_tests_find_the_mistake(theirs: Path) -> None:
    out = run_tests(theirs, "-k", "conv")
    assert "1 failed, 1 passed, 3 deselected" in out
    assert f"conv[{SMALLEST}] is different" in out
    assert "schedule  length 5, batch 1, seed 400, chunks (5,)" in out  # three outputs of stride 2
    assert f"in a shell: coequal verify 'families.py:conv[{SMALLEST}]'" in out


def test_its_other_layers_pass(theirs: Path) -> None:
    """In fewer configurations than a commit of theirs: none of them is wrong."""
    path = theirs / "conftest.py"
    text = path.read_text()
    assert "max_examples=25" in text
    path.write_text(text.replace("max_examples=25", "max_examples=3"))
    assert "3 passed, 2 deselected" in run_tests(theirs, "-k", "not conv")


def test_without_the_mistake_they_pass(theirs: Path) -> None:
    path = theirs / "tinystream" / "conv.py"
    text = path.read_text()
    assert WRONG in text
    path.write_text(text.replace(WRONG, RIGHT))
    assert "1 passed, 4 deselected" in run_tests(theirs, "-k", "conv and not convolution")


@pytest.mark.usefixtures("forked")
def test_the_family_has_one_finding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    few = ["--configurations", "20"]  # of 40, six of which are different
    code = main(["verify", str(FOLDER / "families.py:conv"), *few, "--json", str(tmp_path / "r.json")])
    assert (code, capfd.readouterr().err) == (1, "")
    report = json.loads((tmp_path / "r.json").read_text())
    (finding,) = report["findings"]
    assert finding["cause"]["check"] == "chunking"
    assert ", ".join(f"{name}={value}" for name, value in finding["smallest"]["configuration"].items()) == SMALLEST
    assert finding["smallest"]["report"]["counterexample"]["schedule"]["chunks"] == [5]
    assert finding["smallest"]["report"]["counterexample"]["repeats"] is True
    for tried in report["tried"]:
        options = tried["configuration"]
        wrong = int(options["kernel_size"]) > 3 and options["stride"] == "2"
        refused = int(options["stride"]) > min(2, int(options["kernel_size"]))
        assert tried["outcome"] == ("refused" if refused else "different" if wrong else "tested"), tried
