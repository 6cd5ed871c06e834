"""The fixture `coequal_verify`, in test files of its own."""

import subprocess
import sys
from pathlib import Path

THEIRS = """
import torch, coequal

class Echo:
    def step(self, frame):
        return frame

def subject(factor):
    return coequal.Subject(clip=lambda x: x * factor, stream=Echo, example=torch.randn(1, 2, 6))

def test_right(coequal_verify):
    report = coequal_verify(subject(1), checks=["values"])
    assert report.verdict == "tested"

def test_wrong(coequal_verify):
    coequal_verify(subject(2), checks=["values"])
    raise AssertionError("not reached")
"""


def pytest_of_theirs(folder: Path, *options: str) -> str:
    (folder / "test_theirs.py").write_text(THEIRS)
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:cov", *options, "test_theirs.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600).stdout


def test_fails_with_the_printed_report(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path)
    assert "1 failed, 1 passed" in out
    assert "different" in out
    assert "values" in out
    assert "not reached" not in out
    assert "Traceback" not in out


def test_requires_what_the_command_line_requires(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--coequal-require", "proved", "--coequal-seed", "3", "--coequal-effort", "quick")
    assert "2 failed" in out


def test_says_which_options_there_are(tmp_path: Path) -> None:
    out = pytest_of_theirs(tmp_path, "--help")
    for option in ("--coequal-effort", "--coequal-seed", "--coequal-require"):
        assert option in out
