"""Type checkers see the package as users' editors do: a wrong call is an error, a right one is none."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

RIGHT = """
import torch

import coequal

subject = coequal.Subject(clip=torch.sin, stream=object, example=torch.randn(1, 2, 6))
report: coequal.Report = coequal.verify(subject, effort="quick")
"""
# what is wrong: the line, and the rules that mypy and pyright call it by
WRONG = {
    "another type": ("coequal.verify(3)", ("arg-type", "reportArgumentType")),
    "no such option": ('coequal.verify(subject, efort="quick")', ("call-arg", "reportCallIssue")),
    "no such field": (
        "coequal.Subject(clip=torch.sin, stream=object, exmple=torch.ones(2))",
        ("call-arg", "reportCallIssue"),
    ),
    "a result of another type": ("number: int = coequal.verify(subject)", ("assignment", "reportAssignmentType")),
}
# of torch mypy reads what our signatures name, and not all that a user's run reads once and keeps
FEW = """
[mypy]
[mypy-torch.*,numpy.*,sympy.*,hypothesis.*,rich.*]
follow_imports = skip
[mypy-torch,torch.nn,torch.nn.modules,torch.nn.modules.module]
follow_imports = normal
"""
FIRST = RIGHT.count("\n") + 1
CHECKERS: dict[str, Callable[[Path], list[str]]] = {
    "mypy": lambda folder: ["mypy", "--config-file", "few.ini", "--cache-dir", str(folder / "cache")],
    "basedpyright": lambda _: ["basedpyright", "--pythonpath", sys.executable, "--level", "error"],
}


@pytest.fixture(scope="module", params=CHECKERS)
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What a type checker, without our configuration, says of each line of a user's file: wrong ones after the right."""
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "theirs.py").write_text(RIGHT + "\n".join(line for line, _ in WRONG.values()) + "\n")
    (folder / "few.ini").write_text(FEW)
    command = [sys.executable, "-P", "-m", *CHECKERS[request.param](folder), "theirs.py"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    parts = re.split(r"^.*theirs\.py:(\d+)(?=[:].*error)", ran.stdout, flags=re.MULTILINE)
    assert len(parts) > 1, ran.stdout + ran.stderr
    found: dict[int, str] = {}
    for line, text in zip(parts[1::2], parts[2::2], strict=True):
        found[int(line)] = found.get(int(line), "") + text
    return found


def test_right_calls_are_fine(said: dict[int, str]) -> None:
    assert min(said) >= FIRST, said


@pytest.mark.parametrize("what", WRONG)
def test_wrong_calls_are_errors(said: dict[int, str], what: str) -> None:
    text = said[FIRST + list(WRONG).index(what)]
    assert any(rule in text for rule in WRONG[what][1]), said
