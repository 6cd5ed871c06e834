"""docs/packages.md: how much there is, and that what is different is explained, and shown by a program of FOUND.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "packages.md").read_text()
ROW = re.compile(r"^\| (\S+) (\S+) \| `(.+?)` \| (\w+) \|", re.MULTILINE)
ROWS = [match.groups() for match in ROW.finditer(PAGE)]


def test_the_counts_are_those_of_the_rows() -> None:
    models = {(package, model.partition("[")[0]) for package, _, model, _ in ROWS}
    proved = [row for row in ROWS if row[3] == "proved"]
    packages = {package for package, *_ in ROWS}
    said = re.search(r"(\d+) rows of (\d+) models in (\d+) packages, (\d+) proved", " ".join(PAGE.split()))
    assert said is not None
    assert [int(number) for number in said.groups()] == [len(ROWS), len(models), len(packages), len(proved)]
    assert len(models) >= 40
    assert len(packages) >= 12
    assert len(proved) >= 25


def test_each_row_names_its_package_version() -> None:
    assert [row for row in ROWS if not re.fullmatch(r"[\d.]+", row[1])] == []


def test_what_is_different_is_explained_and_shown_without_coequal() -> None:
    found = (ROOT / "FOUND.md").read_text()
    entries = [entry for entry in re.split(r"^- \*\*", found, flags=re.MULTILINE) if "```python" in entry]
    different = [model for _, _, model, verdict in ROWS if verdict == "different"]
    assert different
    for model in different:
        why = re.search(rf"^- `\w+:{re.escape(model)}`: different\. (.+)$", PAGE, re.MULTILINE)
        assert why is not None, model
        assert not why[1].startswith("It says"), model
        name = model.partition("[")[0]
        assert any(name in entry.partition("```python")[0] for entry in entries), name


def test_the_readme_counts_as_found_does() -> None:
    counts = [
        re.findall(r"(\d+) findings in (\d+) packages", (ROOT / name).read_text()) for name in ("README.md", "FOUND.md")
    ]
    assert counts[0] == counts[1] != []
