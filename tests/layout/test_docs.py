"""The documentation says what the code says, and its links lead somewhere."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_tables_are_what_the_code_says(page: Path) -> None:
    text = page.read_text()
    filled = runpy.run_path(str(ROOT / "docs" / "tables.py"))["filled"]
    assert text == filled(text), "run: python -P docs/tables.py"


def test_every_table_is_used() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "tables.py"))["TABLES"]
    used = {name for page in PAGES for name in re.findall(r"<!-- table ([\w-]+) -->", page.read_text())}
    assert used == set(tables)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def without_times(text: str) -> str:
    return re.sub(r"\(\d+\.\d s\)", "(... s)", text)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_console_blocks_show_what_the_command_prints(page: Path) -> None:
    text = page.read_text()
    played = runpy.run_path(str(ROOT / "docs" / "tables.py"))["played"]
    assert without_times(text) == without_times(played(text)), "run: python -P docs/tables.py"


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_snippets_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page, one after the other, as a reader would run them at the root of the repository."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    if not blocks:
        pytest.skip("no Python on this page")
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
