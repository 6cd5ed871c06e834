"""A document on a terminal, and in a pipe."""

import io
import math

import pytest
from rich.console import Console

from coequal.equivalence.report import Check, Counterexample, Finding, MeasuredTiming, Relation, Report, Verdict
from coequal.report import verdict
from coequal.report.document import Cell, Column, Document, Facts, Figure, Line, Section, Table, Verbatim
from coequal.report.words import MEANING
from coequal.report.writers import terminal

REPRODUCE = "coequal verify examples/a_rather_long_file_name.py:residual --only values --length 12 --batch 1 --seed 0"


def report(**changes) -> Report:
    found = Counterexample(
        "values", 7, "1.conv.2", "0.4407 -1.0021", "0.1310 -1.0021", REPRODUCE, "[bold]3[/bold] of 4 differ", {"length": 12}
    )
    return Report(
        **{
            "target": "a.py:b",
            "verdict": Verdict.DIFFERENT,
            "seconds": 12.345,
            "relation": Relation("window", 8, 3, "last"),
            "timing": MeasuredTiming(math.inf, 1, 4, False),
            "checks": [Check("values", "different", 143, "a detail that is longer " * 6), Check("fork", "skipped")],
            "counterexample": found,
            "findings": [Finding("outlier", "high", "NaN from frame 9 on"), Finding("drift", "low", "slow", allowed=True)],
            "quality": {"worst_ratio": 1.31234567, "ratio_over_time": [1.0, 2.0]},
            "reasons": ["the first reason"],
            "notes": ["the clip is the whole stream so far"],
            **changes,
        }
    )


def printed(shown: Report, width: int = 80) -> str:
    stream = io.StringIO()
    terminal.show(verdict.document(shown), Console(file=stream, width=width, highlight=False, markup=False, emoji=False))
    return stream.getvalue()


def test_says_everything_it_knows() -> None:
    out = printed(report())
    for words in (
        "different  a.py:b  (12.3 s)\n",
        "relation  window-equal(8), emits last, 3 frames late",
        "measured  receptive field unbounded, stride 1, delay 4 (frames), looks ahead",
        "quality   worst ratio 1.312",
        "counterexample, in the check values\n",
        "    frame     7",
        "    module    1.conv.2",
        "    expected  0.4407 -1.0021",
        "    got       0.1310 -1.0021",
        "    what      [bold]3[/bold] of 4 differ",
        "    schedule  length 12",
        "high  outlier  NaN from frame 9 on",
        "low   drift    slow (allowed)",
        "-  the first reason",
        "-  the clip is the whole stream so far",
    ):
        assert words in out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_fits_the_width_except_for_what_is_to_be_copied(width: int) -> None:
    lines = printed(report(), width).splitlines()
    (copied,) = [line for line in lines if "coequal verify" in line]
    assert copied.strip() == f"reproduce  {REPRODUCE}"
    assert all(len(line) <= width for line in lines if line is not copied)


def test_in_a_pipe_there_are_no_colours_and_no_boxes() -> None:
    out = printed(report())
    assert "\x1b" not in out
    assert out.isascii()


def test_a_bare_report_leaves_out_what_it_does_not_know() -> None:
    out = printed(Report("a.py:b", Verdict.UNDECIDED))
    assert out.splitlines()[0] == "undecided  a.py:b  (0.0 s)"
    for title in (
        "measured",
        "check ",
        "counterexample",
        "findings",
        "why not more",
        "notes",
        "quality",
        "weights",
        "proof",
    ):
        assert title not in out


@pytest.mark.parametrize("found", list(Verdict))
def test_every_verdict_has_a_meaning(found: Verdict) -> None:
    assert MEANING[found.value] in printed(Report("t", found))


def test_checks_skipped_for_the_same_reason_share_a_line() -> None:
    checks = [Check("values", "different", 1), *(Check(name, "skipped", 0, "not run") for name in ("batch", "fork", "long"))]
    out = printed(Report("t", Verdict.DIFFERENT, checks=checks))
    assert "  3 more  skipped           0  not run\n" in out
    assert "fork" not in out


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in printed(report()).splitlines())


def test_what_belongs_to_a_title_is_indented_and_lines_stay_together() -> None:
    facts = Facts((("shape", "1 x 2"), ("operations", "3")), subject="clip")
    table = Table((Column("module", "name"), Column("operations", "number")), (("0", "3"),))
    document = Document("cost", "conv", aside="macs", parts=(facts, Line("16x", "reduction")), appendix=(table,))
    assert terminal.plain(document).splitlines() == [
        "conv  (macs)",
        "  clip  shape       1 x 2",
        "        operations  3",
        "  reduction  16x",
        "",
        "module  operations",
        "0                3",
    ]


def test_without_a_title_nothing_is_indented_and_the_conclusion_stands_by_itself() -> None:
    table = Table(
        (Column("operator", "name"), Column("outcome", "word")), (("conv", Cell("different", "bad")),), "operators"
    )
    found = Section("conv: NaN", (Line("Architecture()"), Line("coequal check conv")), "bad")
    rest = (Section("", (Line("one more"),)),)
    document = Document("check", parts=(table, found), conclusion="1 of 1 differs", appendix=rest)
    assert terminal.plain(document).splitlines() == [
        "operators",
        "operator  outcome",
        "conv      different",
        "",
        "conv: NaN",
        "  Architecture()",
        "  coequal check conv",
        "",
        "1 of 1 differs",
        "  one more",
    ]


def test_code_stands_at_the_margin_and_figures_are_for_pages() -> None:
    code = Verbatim("def f():\n    return 1", "the code", "python")
    curves = Section("over time", (Figure("ratio", (1.0, 2.0)),))
    document = Document("explain", "conv", aside="conv.py", parts=(curves, code))
    assert terminal.plain(document) == "conv  (conv.py)\nthe code\ndef f():\n    return 1\n"


@pytest.mark.parametrize(("width", "said"), [(99, "holds under X"), (100, "holds under convention X")])
def test_where_there_is_little_room_a_cell_may_say_less(width: int, said: str) -> None:
    table = Table((Column("verdict"),), ((Cell("holds under convention X", short="holds under X"),),))
    assert said in terminal.plain(Document("claims", parts=(table,)), width).splitlines()
