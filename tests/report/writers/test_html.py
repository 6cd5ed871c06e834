"""A document as a page: self-contained, escaped, complete."""

import math
import re
from html.parser import HTMLParser

import pytest

from coequal.equivalence.report import Check, Counterexample, Finding, Report, Verdict
from coequal.report import verdict
from coequal.report.document import Column, Document, Line, Section, Table, Verbatim
from coequal.report.writers import html

EVIL = "<script>alert('x')</script> & \"y\" $verdict ${seed}"
VOID = {"meta", "path", "br"}


class Words(HTMLParser):
    """The text of a page, the tags it uses, and whether every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def page(report: Report) -> str:
    return html.text(verdict.document(report))


def read(report: Report) -> Words:
    words = Words()
    words.feed(page(report))
    words.close()
    assert words.open == []
    return words


def evil_report() -> Report:
    found = Counterexample(EVIL, 3, EVIL, EVIL, EVIL, EVIL, EVIL, {EVIL: EVIL})
    return Report(
        target=EVIL,
        verdict=Verdict.DIFFERENT,
        checks=[Check(EVIL, "different", 3, EVIL)],
        counterexample=found,
        findings=[Finding(EVIL, "high", EVIL)],
        quality={EVIL: EVIL, f"{EVIL}2": [1.0, 2.0]},
        weights={EVIL: EVIL},
        proof={
            "outcome": "equal",
            "bound": 0.1,
            "horizon": EVIL,
            "draws": 1,
            "primes": [7],
            "applications": 1,
            "degree": 1,
            "lengths": [1, 2],
            "assumptions": [EVIL],
            "state": EVIL,
        },
        reasons=[EVIL],
        notes=[EVIL],
    )


def test_everything_is_escaped() -> None:
    words = read(evil_report())
    assert "script" not in words.tags
    assert words.text.count(EVIL) >= 19  # in title, target, check, counterexample, finding, sections, reasons, notes


def test_fetches_nothing() -> None:
    source = page(evil_report())
    assert not re.search(r"https?://|url\(|@import|<link|<img|<script", source)


def test_holds_what_the_report_holds() -> None:
    report = Report(
        "a.py:b",
        Verdict.TESTED,
        checks=[Check("values", "passed", 143), Check("fork", "skipped", 0, "cannot be copied")],
        notes=["the clip is the whole stream so far"],
        seed=11,
    )
    text = read(report).text
    for words in (
        "tested",
        "a.py:b",
        "143",
        "skipped",
        "cannot be copied",
        "the clip is the whole stream so far",
        "seed 11",
    ):
        assert words in text
    for title in ("counterexample", "findings", "quality over time", "why not more"):
        assert title not in text


@pytest.mark.parametrize("found", list(Verdict))
def test_every_verdict_has_its_tone(found: Verdict) -> None:
    assert f'<header class="{verdict.TONES[found.value]}">' in page(Report("t", found))


def test_a_curve_has_gaps_where_it_is_not_finite() -> None:
    drawn = page(Report("t", Verdict.TESTED, quality={"ratio": [0.0, 4.0, math.inf, 2.0, 1.0]}))
    (path,) = re.findall(r'class="curve" d="([^"]*)"', drawn)
    assert path == "M48.0,150.0 L196.0,10.0 M492.0,80.0 L640.0,115.0"


def test_a_constant_curve_is_drawn() -> None:
    assert 'd="M48.0,10.0 L640.0,10.0"' in page(Report("t", Verdict.TESTED, quality={"ratio": [3, 3]}))


def test_lines_that_follow_one_another_share_a_card() -> None:
    parts = (Line("one", "a:"), Line("two"), Section("b", (Line("three", code=True),), "bad"))
    shown = html.text(Document("check", parts=parts))
    assert '<div class="card"><p><strong>a:</strong> one</p><p>two</p></div>' in shown
    assert '<h2>b</h2><div class="card edge bad"><pre>three</pre></div>' in shown


def test_words_between_backticks_are_code() -> None:
    shown = html.text(Document("claims", conclusion="of `a<b`", appendix=(Verbatim("`as it is`\n<"),)))
    assert "<p>of <code>a&lt;b</code></p>" in shown
    assert '<pre class="verbatim">`as it is`\n&lt;</pre>' in shown


def test_a_document_without_a_verdict_is_headed_by_its_title_or_its_command() -> None:
    table = Table((Column("name", "name"), Column("number", "number")), (("a", "1"),), "numbers")
    shown = html.text(Document("systems", parts=(table,)))
    assert "<h1>coequal systems</h1>" in shown
    assert "<h2>numbers</h2>" in shown
    assert '<td><code>a</code></td><td class="count">1</td>' in shown
    assert "<h1>conv</h1>" in html.text(Document("cost", "conv", aside="multiply-adds"))
