"""Every writer prints any document."""

import json
import math
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.cli.parser import parser
from coequal.equivalence.report import plain
from coequal.report import formats
from coequal.report.document import (
    Case,
    Cell,
    Column,
    Document,
    Facts,
    Figure,
    Kind,
    Line,
    Notes,
    Part,
    Place,
    Section,
    Status,
    Table,
    Tone,
    Verbatim,
)
from coequal.report.writers import github, html, junit, markdown, terminal
from coequal.report.writers import json as as_json

EVIL = ("<script>", "]]>", "a|b", "`", "``` \n```", "\x00\x1b[31m", "&amp;", "%0A::error::", "", "größe", "\ud800")
WORDS = st.sampled_from(EVIL) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TONES = st.sampled_from(get_args(Tone))
CELLS = WORDS | st.builds(Cell, WORDS, TONES, WORDS, st.booleans())
VALUES = st.lists(st.floats(), min_size=1, max_size=5).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = tuple(draw(st.lists(st.builds(Column, WORDS, st.sampled_from(get_args(Kind))), min_size=1, max_size=3)))
    rows = draw(st.lists(st.tuples(*(CELLS for _ in columns)), max_size=3))
    return Table(columns, tuple(rows), draw(WORDS))


def several(what: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(what, max_size=3).map(tuple)


LEAVES: dict[type, st.SearchStrategy] = {
    Facts: st.builds(Facts, several(st.tuples(WORDS, CELLS)), WORDS, WORDS),
    Table: tables(),
    Notes: st.builds(Notes, several(WORDS)),
    Line: st.builds(Line, WORDS, WORDS, st.booleans()),
    Figure: st.builds(Figure, WORDS, VALUES, WORDS),
    Verbatim: st.builds(Verbatim, WORDS, WORDS, st.sampled_from(["", "python"])),
}
PARTS = st.recursive(
    st.one_of(*LEAVES.values()), lambda parts: st.builds(Section, WORDS, several(parts), TONES), max_leaves=5
)
CASES = st.builds(Case, WORDS, st.sampled_from(get_args(Status)), WORDS, WORDS, st.none() | st.floats(0, 9))
DATA = st.recursive(st.none() | st.floats() | WORDS, lambda d: several(d) | st.dictionaries(WORDS, d, max_size=2))
DOCUMENTS = st.builds(
    Document,
    command=st.sampled_from(["verify", "claims"]),
    title=WORDS,
    verdict=WORDS,
    tone=TONES,
    aside=WORDS,
    meaning=WORDS,
    parts=several(PARTS),
    conclusion=WORDS,
    appendix=several(PARTS),
    cases=several(CASES),
    place=st.none() | st.builds(Place, st.sampled_from(["a.py", "größe, a:b.py", "/x/%.py"]), st.integers(1, 9)),
    data=DATA,
    seconds=st.none() | st.floats(0, 9),
    seed=st.none() | st.integers(0, 9),
)


def test_every_kind_of_part_is_drawn() -> None:
    assert {*LEAVES, Section} == set(get_args(Part))


class Tags(HTMLParser):
    """The tags of a page, each of which is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open += [] if tag in ("meta", "br", "path") else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


@given(DOCUMENTS)
def test_the_page_is_closed_and_escaped(document: Document) -> None:
    assert "script" not in Tags(html.text(document)).tags


@given(DOCUMENTS)
def test_the_xml_is_valid_and_counts_right(document: Document) -> None:
    written = junit.text(document).encode("utf-8")  # as it goes into a file: nothing is left to be replaced
    (suite,) = ElementTree.fromstring(written)
    found = suite.findall("testcase")
    assert len(found) == int(suite.get("tests", "")) == max(1, len(document.cases))
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(count, ""))


@given(DOCUMENTS)
def test_the_json_is_the_data(document: Document) -> None:
    assert json.loads(as_json.text(document)) == plain(document.data)


@given(DOCUMENTS)
def test_an_annotation_is_one_line(document: Document) -> None:
    lines = github.commands(document).split("\n")[:-1]
    noted = [case for case in document.cases if case.status in ("failed", "error", "warned")]
    assert len(lines) == len(noted)
    assert all(re.match(r"::(error|warning) (file=[^:,]*,line=\d+,)?title=[^:,]*::", line) for line in lines)


@given(DOCUMENTS)
def test_the_markdown_has_no_tags_but_breaks(document: Document) -> None:
    outside = re.sub(r"^(`{3,})[^`\n]*\n(.|\n)*?\n\1$", "", markdown.text(document), flags=re.MULTILINE)  # blocks of code
    outside = re.sub(r"(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)  # and code in a line
    assert not re.search(r"(?<!\\)<(?!br>)", outside)


@given(DOCUMENTS, st.sampled_from([20, 80, 200]))
def test_the_terminal_gets_lines_without_blanks_at_their_ends(document: Document, width: int) -> None:
    assert all(line == line.rstrip() for line in terminal.plain(document, width).split("\n"))


def test_the_listing() -> None:
    found = formats.formats()
    assert list(found) == ["github", "html", "json", "junit", "markdown"]
    assert [name for name, writer in found.items() if not formats.to_file(writer)] == ["github"]
    assert not hasattr(terminal, "HELP")
    assert all(writer.HELP for writer in found.values())


def test_a_series_that_is_never_finite_is_drawn_empty() -> None:
    figure = Document("verify", parts=(Figure("ratio", (math.nan, math.inf)),))
    assert 'class="curve" d=""' in html.text(figure)
    assert "ratio, over time" in markdown.text(figure)


@pytest.mark.parametrize("name", ["html", "json", "junit", "markdown"])
def test_text_ends_in_a_line(name: str) -> None:
    assert formats.formats()[name].text(Document("verify")).endswith("\n")


def test_another_package_offers_a_format(monkeypatch):
    """As an entry point; it never replaces one of ours."""
    theirs = SimpleNamespace(HELP="theirs", text=lambda document: "theirs")
    offered = {formats.GROUP: {"lines": theirs, "junit": theirs}}
    monkeypatch.setattr(formats, "installed", offered.get)
    found = formats.formats()
    assert found["lines"] is theirs
    assert found["junit"] is junit
    options = parser().parse_args(["verify", "a.py:b", "--lines", "out.txt"])
    assert options.lines == "out.txt"
