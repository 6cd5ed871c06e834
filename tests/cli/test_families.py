"""`coequal verify file.py:family`: what is printed, what is written, and the command of a finding."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

THEIRS = """
import torch, coequal
from hypothesis import strategies as st

class Echo:
    def step(self, frame):
        return frame

@coequal.family(size=st.integers(0, 20), dtype=st.sampled_from([torch.float32, torch.float64]))
def net(size, dtype):
    if size == 3:
        raise ValueError("three is not supported")
    return coequal.Subject(clip=lambda x: x * (1 if size < 7 else 2), stream=Echo, example=torch.randn(1, 2, 6, dtype=dtype))

right = net(size=1, dtype=torch.float32)
"""


@pytest.fixture
def verify(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run `coequal verify` on the file above; exit code, stdout, stderr."""
    (tmp_path / "theirs.py").write_text(THEIRS)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["verify", *arguments])
        return code, *capfd.readouterr()

    return run


def test_a_finding_at_its_smallest_with_coverage_and_refusals(verify, tmp_path: Path) -> None:
    code, out, err = verify(
        "theirs.py:net", "--configurations", "30", "--only", "values", "--json", "r.json", "--junit", "r.xml"
    )
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0].startswith("1 finding  theirs.py:net  (")
    assert lines[1].startswith("  30 configurations: ")
    assert "  finding 1: values: other numbers, interior" in lines
    assert "    smallest  size=7, dtype=torch.float32" in lines
    assert lines[-2:][0] == "  refused by the library"
    assert lines[-1].endswith("  ValueError: three is not supported")
    report = json.loads((tmp_path / "r.json").read_text())
    assert sum(report["counts"].values()) == len(report["tried"]) == 30
    (finding,) = report["findings"]
    assert finding["smallest"]["configuration"] == {"size": "7", "dtype": "torch.float32"}
    assert finding["count"] == report["counts"]["different"]
    assert finding["smallest"]["report"]["counterexample"]["repeats"] is True
    assert '<testcase classname="theirs.py:net" name="values: other numbers, interior"' in (tmp_path / "r.xml").read_text()


def test_the_printed_command_shows_it_again(verify) -> None:
    _, out, _ = verify("theirs.py:net", "--configurations", "12", "--only", "values")
    command = next(line for line in out.splitlines() if line.strip().startswith("reproduce"))
    words = shlex.split(command)
    assert words[1:4] == ["coequal", "verify", "theirs.py:net[size=7, dtype=torch.float32]"]
    code, out, _ = verify(*words[3:])
    assert code == 1
    assert out.startswith("different  theirs.py:net[size=7, dtype=torch.float32]  (")


def test_one_of_its_subjects(verify) -> None:
    code, out, err = verify("theirs.py:net[size=1, dtype=torch.float64]", "--only", "values")
    assert (code, err) == (0, "")
    assert out.startswith("tested  theirs.py:net[size=1, dtype=torch.float64]  (")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["theirs.py:net[size=3, dtype=torch.float32]"], "is refused: ValueError: three is not supported"),
        (["theirs.py:net[size=1]"], "net needs a value for each option; not given: dtype"),
        (["theirs.py:net[size]"], "a configuration is written option=value, option=value; got [size]"),
        (["theirs.py:net[size=1, dtype=torch.float23]"], "there is nothing to import as torch.float23"),
        (["theirs.py:right[size=1]"], "theirs.py:right has no configurations: it is no coequal.family"),
        (["theirs.py:net", "--length", "3"], "theirs.py:net is a family: --length is for one of its subjects"),
    ],
)
def test_bad_input_is_one_line(verify, arguments: list[str], said: str) -> None:
    code, out, err = verify(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_nothing_compared_is_undecided(verify, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        THEIRS.replace("if size == 3", "if size < 99").replace("right = ", "wrong = lambda: ")
    )
    code, out, _ = verify("theirs.py:net", "--configurations", "3")
    assert code == 3
    assert out.startswith("nothing compared  theirs.py:net  (")
