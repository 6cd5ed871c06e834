"""A document as Markdown."""

import pytest

from coequal.report.document import Cell, Column, Document, Facts, Figure, Line, Notes, Section, Table, Verbatim
from coequal.report.writers import markdown


def test_a_whole_document() -> None:
    checks = Table(
        (Column("check", "name"), Column("outcome", "word"), Column("examples", "number")),
        (("values", Cell("different", "bad"), "3"), ("a|b", "skipped", "0")),
        "checks",
    )
    found = Section(
        "counterexample", (Facts((("got", Cell("1.5", code=True)),)), Line("coequal verify t", "again", code=True))
    )
    parts = (
        Facts((("seed", "0"),), "what was compared"),
        checks,
        found,
        Section("notes", (Notes(("in `float64`", "a_b")),)),
    )
    document = Document("verify", "a.py:b", "different", "bad", meaning="it <differs>", parts=parts, seconds=1.0, seed=0)
    assert markdown.text(document).split("\n\n") == [
        "# different: `a.py:b`",
        "it \\<differs\\>",
        "## what was compared",
        "- **seed**: 0",
        "## checks",
        "| check | outcome | examples |\n| --- | --- | ---: |\n| `values` | **different** | 3 |\n| `a\\|b` | skipped | 0 |",
        "## counterexample",
        "- **got**: `1.5`",
        "```\ncoequal verify t\n```",
        "## notes",
        "- in `float64`\n- a\\_b",
        "1.0 s, seed 0\n",
    ]


def test_code_is_fenced_by_more_backticks_than_it_holds() -> None:
    assert markdown.fenced("```\nx\n```", "python") == "````python\n```\nx\n```\n````"
    assert markdown.code("a `b` c") == "`` a `b` c ``"
    assert markdown.code("") == ""


@pytest.mark.parametrize(
    ("words", "written"), [("a\nb", "a b"), ("*a*", "\\*a\\*"), ("`a*` b*", "`a*` b\\*"), ("one ` only", "one \\` only")]
)
def test_words_mean_themselves(words: str, written: str) -> None:
    assert markdown.escaped(words) == written


def test_a_series_in_a_few_numbers() -> None:
    document = Document("verify", parts=(Figure("ratio", (1.0, 4.25, 2.0)), Verbatim("x = 1", "code", "python")))
    assert "ratio, over time: 1 at frame 0, 2 at the end, at most 4.25" in markdown.text(document)
    assert "## code\n\n```python\nx = 1\n```" in markdown.text(document)
