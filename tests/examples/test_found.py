"""FOUND.md: its programs are run where their packages are installed, and print what stands below them."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import textwrap
from pathlib import Path

import pytest

FOUND = Path(__file__).parents[2] / "FOUND.md"
BLOCK = re.compile(r"^  ```python\n(.*?)^  ```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d*(?:e-?\d+)?")
ROUNDING = 1e-4  # numbers below it are rounding, in programs whose differences are larger


def programs() -> list[tuple[str, str, str]]:
    """Package, program, and what it prints, for those below which that stands."""
    found = []
    for block in BLOCK.findall(FOUND.read_text()):
        lines = textwrap.dedent(block).splitlines()
        printed = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
        package = re.findall(r"^(?:from|import) (\w+)", block.replace("  ", ""), re.MULTILINE)
        if printed:
            found.append((next(name for name in package if name != "torch"), "\n".join(lines), "\n".join(printed)))
    return found


@pytest.mark.parametrize(("package", "program", "printed"), programs())
def test_programs_print_what_stands_below_them(package, program, printed):
    importlib.import_module("torch")
    pytest.importorskip(package)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, str(FOUND), "exec"), {})
    said = out.getvalue().strip()
    assert NUMBER.sub("", said).split() == NUMBER.sub("", printed).split()
    for got, want in zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True):
        assert float(got) == pytest.approx(float(want), rel=0.05, abs=ROUNDING), (said, printed)


def test_there_are_programs():
    assert len(programs()) >= 15
    assert all(len(program.splitlines()) <= 28 for _, program, _ in programs())
