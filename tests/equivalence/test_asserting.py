"""`coequal.assert_equal` outside of pytest's fixtures: what it accepts, what it says, whose frames it shows."""

from __future__ import annotations

import traceback

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import coequal
from coequal.equivalence.asserting import Context, explained, in_test
from coequal.equivalence.report import Report, Verdict


class Echo:
    def step(self, frame):
        return frame


class Raising:
    def step(self, frame):
        raise KeyError("too wide")


def subject(factor: float = 1.0, stream: type = Echo, **fields) -> coequal.Subject:
    return coequal.Subject(clip=lambda x: x * factor, stream=stream, example=torch.randn(1, 2, 6), **fields)


def test_what_is_equal_is_returned() -> None:
    assert coequal.assert_equal(subject(), require="proved-all").verdict == "proved"


def test_what_differs_is_told_whole() -> None:
    with pytest.raises(AssertionError) as raised:
        coequal.assert_equal(subject(2, name="doubled"), checks=["values"])
    text = str(raised.value)
    assert text.startswith("doubled is different: the stream does not compute its clip function\n")
    for part in ("values: different, frame 0", "in words  0.5 times the clip's throughout", "again: coequal.verify("):
        assert part in text
    assert raised.value.report.verdict == "different"


def test_the_printed_line_shows_it_again() -> None:
    doubled = subject(2)
    with pytest.raises(coequal.NotEqual) as raised:
        coequal.assert_equal(doubled, checks=["values"])
    line = str(raised.value).rpartition("again: ")[2]
    again = eval(line, {"coequal": coequal, "subject": doubled})
    assert again.counterexample.expected == raised.value.report.counterexample.expected


@pytest.mark.parametrize(("require", "accepted"), [(None, True), ("tested", True), ("proved", False), ("proved-all", False)])
def test_the_least_verdict(require: str | None, accepted: bool) -> None:
    if accepted:
        assert coequal.assert_equal(subject(), require=require, checks=["values"]).verdict == "tested"
    else:
        with pytest.raises(coequal.NotEqual, match=f"less than {require}, which is required"):
            coequal.assert_equal(subject(), require=require, checks=["values"])


def test_a_distance_that_is_accepted_is_not_tested() -> None:
    near = subject(1 + 1e-3, within=0.1)
    assert coequal.assert_equal(near, checks=["values"]).verdict == "within"
    with pytest.raises(coequal.NotEqual, match="less than tested"):
        coequal.assert_equal(near, checks=["values"], require="tested")


def test_a_verdict_that_does_not_exist() -> None:
    with pytest.raises(coequal.BadSubject, match="require is one of within, tested, proved, proved-all, got 'prove'"):
        coequal.assert_equal(subject(), require="prove")


def test_what_cannot_be_compared_shows_the_users_frames_alone() -> None:
    with pytest.raises(coequal.BadSubject, match="KeyError") as raised:
        coequal.assert_equal(subject(stream=Raising))
    cause = raised.value.__cause__
    assert isinstance(cause, KeyError)
    assert [frame.f_code.co_name for frame, _ in traceback.walk_tb(cause.__traceback__)] == ["step"]


def test_what_is_not_said_comes_from_around() -> None:
    seen: list[Report] = []
    with in_test(Context(seed=7, require="proved", note=seen.append)):
        with pytest.raises(coequal.NotEqual):
            coequal.assert_equal(subject(), checks=["values"])
        coequal.assert_equal(subject(), checks=["values"], require="tested", seed=8)
    coequal.assert_equal(subject(), checks=["values"])
    assert [(report.seed, report.verdict) for report in seen] == [(7, "tested"), (8, "tested")]


def test_a_problem_of_a_stream_that_is_right() -> None:
    class Keeping:
        def __init__(self):
            self.best = None

        def step(self, frame):
            self.best = frame if self.best is None else torch.maximum(self.best, frame)
            return self.best

    clip = coequal.Subject(clip=lambda x: x.cummax(2).values, stream=Keeping, example=torch.randn(1, 2, 6))
    with pytest.raises(coequal.NotEqual, match=r"is tested: 1 problem\n.*input-reuse: problem"):
        coequal.assert_equal(clip, checks=["values", "input-reuse"])


def test_hypothesis_tells_causes_apart() -> None:
    class Shifted:
        def step(self, frame):
            return frame + 1

    class Mute:
        def step(self, frame):
            return None

    @settings(deadline=None, max_examples=40, database=None)
    @given(st.integers(0, 50), st.booleans())
    def test(size: int, mute: bool) -> None:
        stream = Mute if mute and size > 3 else Shifted if size > 9 else Echo
        coequal.assert_equal(subject(stream=stream), checks=["values"])

    with pytest.raises(ExceptionGroup) as raised:
        test()
    notes = sorted(" ".join(error.__notes__[0].split()) for error in raised.value.exceptions)
    assert ["size=10, mute=False" in notes[0], "size=4, mute=True" in notes[1]] == [True, True], notes


def test_an_undecided_report_says_why() -> None:
    text = explained(Report("net", Verdict.UNDECIDED, reasons=["the clip function is random"]))
    assert (
        text
        == "net is undecided: the stream could not be run or observed well enough\n  because the clip function is random"
    )
