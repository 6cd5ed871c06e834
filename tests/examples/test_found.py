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
            needed = next((name for name in package if name != "torch"), "torch")
            found.append((needed, "\n".join(lines), "\n".join(printed)))
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


def findings() -> dict[str, list[str]]:
    """Those that a program shows, by package."""
    found: dict[str, list[str]] = {}
    for section in FOUND.read_text().split("\n## ")[1:]:
        for entry in re.split(r"^- \*\*", section, flags=re.MULTILINE)[1:]:
            if BLOCK.search(entry):
                found.setdefault(section.split()[0], []).append(entry.partition("**")[0])
    return found


def test_findings_are_counted_at_the_top():
    counts = {package: len(titles) for package, titles in findings().items()}
    head = FOUND.read_text().partition("\n## ")[0]
    assert re.findall(r"(\d+) findings in (\d+) packages", head) == [(str(sum(counts.values())), str(len(counts)))], counts
    assert sum(counts.values()) >= 25
    assert len(counts) >= 6


def test_a_program_is_short():
    for block in BLOCK.findall(FOUND.read_text()):
        lines = [line for line in textwrap.dedent(block).splitlines() if line and not line.startswith("# ")]
        assert len(lines) <= 15, block
