"""Annotations and the summary of a GitHub job."""

import io
from pathlib import Path

import pytest

from coequal.report.document import Case, Document, Place
from coequal.report.writers import github

CASES = (
    Case("values", "failed", "100 % off", "one\r\ntwo"),
    Case("exact", "error", "not decided"),
    Case("a:b, c", "warned"),
    Case("fork", "skipped", "no"),
    Case("batch", "passed"),
)
DOCUMENT = Document("verify", "a.py:b", "different", cases=CASES, place=Place("a.py", 7))


def test_commands_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert github.commands(DOCUMENT).splitlines() == [
        "::error file=a.py,line=7,title=coequal verify%3A values::100 %25 off%0Aone%0D%0Atwo",
        "::error file=a.py,line=7,title=coequal verify%3A exact::not decided",
        "::warning file=a.py,line=7,title=coequal verify%3A a%3Ab%2C c::",
    ]


def test_the_file_is_named_from_the_root_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert github.commands(DOCUMENT).startswith("::error file=inside/a.py,line=7,")


def test_a_file_elsewhere_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    elsewhere = Document("verify", cases=(Case("x", "failed"),), place=Place("/elsewhere/a.py"))
    assert github.commands(elsewhere) == "::error file=/elsewhere/a.py,line=1,title=coequal verify%3A x::\n"


def test_without_a_place_there_is_a_title_alone() -> None:
    assert github.commands(Document("check", cases=(Case("conv", "failed", "NaN"),))) == (
        "::error title=coequal check%3A conv::NaN\n"
    )


def test_the_summary_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, out = tmp_path / "summary.md", io.StringIO()
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    github.publish(DOCUMENT, out)
    assert summary.read_text().startswith("before\n# different: `a.py:b`\n")
    assert out.getvalue() == github.commands(DOCUMENT)


def test_elsewhere_there_is_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    out = io.StringIO()
    github.publish(Document("systems"), out)
    assert out.getvalue() == ""
