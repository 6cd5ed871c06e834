"""The documentation says what the code says, and its links lead somewhere."""

import inspect
import re
import runpy
from pathlib import Path

import pytest

from coequal.__main__ import main
from tests.forks import FORKS, printed

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


CODE = [ROOT / "continual" / "__init__.py"]


@pytest.mark.parametrize("page", [*PAGES, *CODE], ids=[page.name for page in [*PAGES, *CODE]])
def test_tables_are_what_the_code_says(page: Path) -> None:
    text = page.read_text()
    filled = runpy.run_path(str(ROOT / "docs" / "tables.py"))["filled"]
    assert alike(text, filled(text)), "run: python -P docs/tables.py"


def test_every_table_is_used() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))["TABLES"]
    used = {name for page in [*PAGES, *CODE] for name in re.findall(r"<!-- table ([\w-]+) -->", page.read_text())}
    assert used == set(tables)


def test_the_figure_of_the_rooms_is_what_the_imports_say() -> None:
    rooms = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    assert rooms["FIGURE"].read_text() == rooms["drawn"](), "run: python -P docs/rooms.py"


def test_the_figure_of_edges_is_what_the_network_computes() -> None:
    edges = runpy.run_path(str(ROOT / "docs" / "edges.py"))
    assert alike(edges["FIGURE"].read_text(), edges["drawn"]()), "run: python -P docs/edges.py"


def test_the_figure_of_efficiency_is_what_the_formulas_say() -> None:
    efficiency = runpy.run_path(str(ROOT / "docs" / "efficiency.py"))
    assert alike(efficiency["FIGURE"].read_text(), efficiency["drawn"]()), "run: python -P docs/efficiency.py"


LINKED = [*PAGES, *sorted((ROOT / "docs" / "systems").glob("*.md"))]


@pytest.mark.parametrize("page", LINKED, ids=[page.name for page in LINKED])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


FLOAT = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")  # whole numbers are none: they must be the same


def told(text: str) -> tuple[str, list[float]]:
    """The text without times and line breaks of tables, its floats taken out; and the floats.

    Digits that another machine rounds otherwise may be more or fewer, and move what stands behind them in a table.
    """
    text = " ".join(re.sub(r"\(\d+\.\d s\)", "(... s)", text).split())
    text = re.sub(r"(off by at most [^,]*, at frame) \d+ of", r"\1 ... of", text)  # where roundings happen to be largest
    return FLOAT.sub("#", text), [float(number) for number in FLOAT.findall(text)]


def alike(expected: str, got: str) -> bool:
    """Whether two texts say the same, floats being compared as floats: to three digits, next to nothing being nothing."""
    (words, numbers), (others, found) = told(expected), told(got)
    return words == others and len(numbers) == len(found) and all(map(_close, numbers, found))


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 2e-3 * max(abs(a), abs(b)) or max(abs(a), abs(b)) < 1e-6  # rounding bounds, times u


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("off by 0.4512345678 (2.0 s)", "off by 0.4512345677 (3.1 s)", True),
        ("a  0.25\n   b", "a 0.25 b", True),
        ("off by 0.45", "off by 0.46", False),
        ("13 frames of 0.5", "14 frames of 0.5", False),
        ("off by at most 9e-8, at\nframe 2 of 6", "off by at most 1e-7,\nat frame 3 of 6", True),
        ("differ at frame 2 of 6", "differ at frame 3 of 6", False),
        ("bound 6.3e-13", "bound 6.4e-13", True),
        ("head 0.5", "tail 0.5", False),
        ("0.5", "0.5 0.5", False),
    ],
)
def test_texts_are_compared_with_floats_as_floats(expected: str, got: str, same: bool) -> None:
    assert alike(expected, got) is same


def by_fork(arguments: list[str]) -> str:
    """What the command prints, by a fork of this process."""
    return printed(ROOT, lambda: main(arguments))


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
@pytest.mark.usefixtures("forked")
def test_console_blocks_show_what_the_command_prints(page: Path) -> None:
    text = page.read_text()
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))
    played = tables["played"](text, by_fork if FORKS else tables["output"])
    assert alike(text, played), "run: python -P docs/tables.py"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_snippets_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page, one after the other, as a reader would run them at the root; then its tests."""
    text = page.read_text()
    blocks = list(re.finditer(r"```python\n(.*?)```", text, re.DOTALL))
    if not blocks:
        pytest.skip("no Python on this page")
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        before = text.count("\n", 0, block.start(1))  # lines, so that what reads a function's source finds it in the page
        exec(compile("\n" * before + block[1], str(page), "exec"), names)
    for name, value in list(names.items()):
        if name.startswith("test_") and callable(value) and not inspect.signature(value).parameters:
            value()
