"""FOUND.md, continual-inference: each program shows its finding with the release that the tests are run with."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytest.importorskip("continual", reason="continual-inference is not installed")
RELEASES = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "real" / "releases.py"))
PROGRAMS = RELEASES["programs"]()


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_shows_its_finding(title: str) -> None:
    assert len(PROGRAMS[title].splitlines()) <= 15
    assert RELEASES["verdict"](PROGRAMS[title]) == "yes"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("print(0.5)  # 0.5", "yes"),
        ("print(1e-9)  # 0.5", "no"),
        ("print(float('nan'))  # nan", "yes"),
        ("print(3, 4)  # 3 4", "yes"),
        ("print(4, 4)  # 3 4", "no"),
        ("{}['key']  # KeyError", "yes"),
        ("{}.get('key')  # KeyError", "no"),
        ("[][1]  # KeyError", "/"),
        ("missing(3)", "/"),
        ("print(1, 0.0, 0.3)\n# 1 tensor(0.)", "/"),
        ("print('one', 0.0, 0.3)\n# one 1e-07 0.5", "yes"),
        ("print('one', 0.000001, 0.3)\n# one 0.0 0.5", "yes"),
        ("print('one', 0.000001, 0.0)\n# one 0.0 0.5", "no"),
        ("print('one', 0.1, 0.5)\n# one 0.0 0.5", "/"),
    ],
)
def test_verdicts(program: str, says: str) -> None:
    assert RELEASES["verdict"](program) == says
