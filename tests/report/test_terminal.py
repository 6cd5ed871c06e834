"""The report on a terminal, and in a pipe."""

import io
import math

import pytest
from rich.console import Console

from coequal.equivalence.report import Check, Counterexample, Finding, MeasuredTiming, Relation, Report, Verdict
from coequal.report import terminal as text

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
    text.show(shown, Console(file=stream, width=width, highlight=False, markup=False, emoji=False))
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


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_meaning_and_a_colour(verdict: Verdict) -> None:
    assert text.MEANING[verdict.value] in printed(Report("t", verdict))
    assert verdict.value in text.STYLES


def test_a_timing_measured_in_part() -> None:
    said = text.timing_in_words(MeasuredTiming(stride=2))
    assert said == "receptive field ?, stride 2, delay ? (frames), causality not measured"


def test_tensors_as_expected_and_got() -> None:
    import torch

    found = Counterexample("values", 0, None, torch.tensor([1.5, -2.25]), torch.tensor([[0.5]]))
    rows = dict(text.counterexample_rows(found))
    assert rows == {"frame": "0", "expected": "tensor([ 1.5000, -2.2500])", "got": "tensor([[0.5000]])"}


def test_checks_skipped_for_the_same_reason_share_a_line() -> None:
    checks = [Check("values", "different", 1), *(Check(name, "skipped", 0, "not run") for name in ("batch", "fork", "long"))]
    out = printed(Report("t", Verdict.DIFFERENT, checks=checks))
    assert "  3 more  skipped           0  not run\n" in out
    assert "fork" not in out


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in printed(report()).splitlines())


def test_weights_in_words() -> None:
    assert text.weights_in_words({"drawn": True, "tensors": 4, "numbers": 130}) == "re-drawn: 4 tensors, 130 numbers"
    assert text.weights_in_words({"drawn": False, "why": "no modules"}) == "as they came: no modules"
    assert text.weights_in_words({}) == ""
