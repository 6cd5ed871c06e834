"""A type checker sees the package as users' editors do: a wrong call is an error, a right one is none."""

import subprocess
import sys

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")

RIGHT = """
import torch

import coequal

subject = coequal.Subject(clip=torch.sin, stream=object, example=torch.randn(1, 2, 6))
report: coequal.Report = coequal.verify(subject, effort="quick")
"""
WRONG = {
    "another type": ("coequal.verify(3)", "arg-type"),
    "no such option": ('coequal.verify(subject, efort="quick")', "call-arg"),
    "no such field": ("coequal.Subject(clip=torch.sin, stream=object, exmple=torch.ones(2))", "call-arg"),
    "a result of another type": ("number: int = coequal.verify(subject)", "assignment"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy, without our configuration, says of a user's file: one wrong line after the right ones."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "theirs.py").write_text(RIGHT + "\n".join(line for line, _ in WRONG.values()) + "\n")
    command = [sys.executable, "-P", "-m", "mypy", "--config-file=", "--cache-dir", str(folder / "cache"), "theirs.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600).stdout


def test_right_calls_are_fine(said: str) -> None:
    first = RIGHT.count("\n") + 1
    assert all(int(line.split(":")[1]) >= first for line in said.splitlines() if "theirs.py" in line and "error" in line), (
        said
    )


@pytest.mark.parametrize("what", WRONG)
def test_wrong_calls_are_errors(said: str, what: str) -> None:
    line = RIGHT.count("\n") + 1 + list(WRONG).index(what)
    assert any(f"theirs.py:{line}: error" in text and f"[{WRONG[what][1]}]" in text for text in said.splitlines()), said
