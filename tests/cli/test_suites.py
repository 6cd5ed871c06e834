"""`coequal verify NAME`: the suite of an installed library, which another package offers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

SUITE = """
import torch, coequal
from hypothesis import strategies as st

class Echo:
    def step(self, frame):
        return frame

def subject(factor):
    return coequal.Subject(clip=lambda x: factor * x, stream=Echo, example=torch.randn(1, 2, 6))

@coequal.family(size=st.integers(0, 20))
def scaled(size):
    if size == 3:
        raise ValueError("three is not supported")
    return subject(1 if size < 7 else 2)

@coequal.family(flag=st.booleans())
def right(flag):
    return subject(1)
"""
METADATA = "Metadata-Version: 2.1\nName: tiny-library\nVersion: 1.5\n"
POINTS = "[coequal.suites]\ntiny-library = tiny_suite\n"


@pytest.fixture
def verify(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run `coequal verify` where tiny-library is installed; exit code, stdout, stderr."""
    (tmp_path / "tiny_suite.py").write_text(SUITE)
    installed = tmp_path / "tiny_library-1.5.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(METADATA)
    (installed / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["verify", *arguments])
        return code, *capfd.readouterr()

    return run


def test_all_families_of_a_suite_and_a_journal_of_each(verify, tmp_path: Path) -> None:
    options = ("--configurations", "12", "--only", "values", "--journal", "kept")
    code, out, err = verify("tiny-library", *options, "--json", "r.json")
    assert code == 1
    assert [line.split(",")[0] for line in err.splitlines()] == ["1 of 2: scaled", "2 of 2: right"]
    lines = out.splitlines()
    assert lines[0].startswith("1 finding  tiny-library 1.5  (")
    assert lines[1].startswith("  2 families, 14 configurations: ")
    assert "  finding 1, scaled: values: other numbers, interior" in lines
    assert any(
        line.startswith("    reproduce  coequal verify 'tiny-library:scaled[size=7]' --only values") for line in lines
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert [family["target"] for family in report["families"]] == ["tiny-library:scaled", "tiny-library:right"]
    assert report["library"] == "tiny-library 1.5"
    assert sorted(path.parent.name for path in (tmp_path / "kept").glob("*/journal.jsonl")) == ["right", "scaled"]
    assert "tiny-library 1.5" in (tmp_path / "kept" / "right" / "journal.jsonl").read_text()
    assert verify("tiny-library", *options, "--resume")[0] == 1


def test_one_family_one_configuration_and_one_that_is_not_there(verify) -> None:
    code, out, _ = verify("tiny-library:right", "--only", "values")
    assert (code, out.split("  ")[0]) == (0, "no finding")
    assert verify("tiny-library:scaled[size=7]", "--only", "values")[0] == 1
    code, _, err = verify("tiny-library:write")
    assert (code, err) == (
        2,
        "coequal: tiny-library:write: the suite of tiny-library has no family 'write'; did you mean right?\n",
    )
