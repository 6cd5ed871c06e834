"""A journal: what was written is read, whatever was torn off; and nothing is read that another campaign wrote."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import strategies as st

import coequal
from coequal.equivalence.campaigns import journal as journals
from coequal.equivalence.campaigns.found import FamilyReport, Tried
from coequal.equivalence.campaigns.journal import NAME, Journal, identity
from coequal.equivalence.campaigns.lines import line_of, tried_of
from coequal.equivalence.campaigns.search import Asked, Numbered, in_turn, search
from coequal.equivalence.campaigns.spelling import spelled
from coequal.equivalence.options import Options
from coequal.equivalence.report import Counterexample, RegionVerdict, Verdict
from coequal.subjects.errors import BadSubject


class Late:
    """Doubles from some frame on."""

    def __init__(self, size: int) -> None:
        self.left = size

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        return frame if self.left >= 0 else 2 * frame


@coequal.family(size=st.integers(0, 40), dtype=st.sampled_from([torch.float32, torch.float64]))
def late(size, dtype):
    if size == 3:
        raise ValueError("three is not supported")
    return coequal.Subject(
        clip=torch.clone, stream=lambda: Late(2 if size > 11 else 99), example=torch.randn(1, 2, 6, dtype=dtype)
    )


late.__test__ = False
ASKED = Asked(count=12, target="late", options=Options(effort="quick", checks=("values",)))
CAMPAIGN = identity(late, ASKED)


class Killed(BaseException):
    """What ends a campaign in its middle."""


class Counted:
    """Examines what no test did before, counts, and is killed before one."""

    examined: ClassVar[dict[str, Tried]] = {}

    def __init__(self, killed_at: int | None = None) -> None:
        self.count, self.killed_at = 0, killed_at

    def __call__(self, configurations: Numbered) -> Generator[Tried, None, None]:
        for number, configuration in configurations:
            if self.count == self.killed_at:
                raise Killed
            self.count += 1
            name = spelled(configuration)
            if name not in self.examined:
                (self.examined[name],) = in_turn(late, ASKED)([(number, configuration)])
            yield replace(self.examined[name], number=number)


@pytest.fixture(scope="module")
def whole() -> FamilyReport:
    """Without a journal."""
    return search(late, ASKED)


def ended(folder: Path, at: int | None, *, resume: bool = False) -> tuple[FamilyReport | None, int]:
    """A campaign that is killed before one of its configurations, and how many it examined."""
    counted = Counted(at)
    with Journal(folder, CAMPAIGN, resume=resume) as journal:
        try:
            return search(late, ASKED, journal.run(counted)), counted.count
        except Killed:
            return None, counted.count


def said(report: FamilyReport | None) -> dict:
    """All but seconds."""
    assert report is not None

    def timeless(value):
        if isinstance(value, dict):
            return {name: timeless(one) for name, one in value.items() if name != "seconds"}
        return [timeless(one) for one in value] if isinstance(value, list) else value

    return timeless(report.to_dict())


@pytest.mark.parametrize("at", [0, 5, 13])  # before all, among those that were drawn, and while a finding is made small
def test_a_killed_campaign_goes_on_and_repeats_nothing(at: int, whole: FamilyReport, tmp_path: Path) -> None:
    every = len(whole.tried) + sum(finding.tried for finding in whole.findings)
    assert at < every
    assert ended(tmp_path, at) == (None, at)
    report, rest = ended(tmp_path, None, resume=True)
    assert at + rest == every
    assert said(report) == said(whole)


def test_more_configurations_go_on_with_the_same_journal(whole: FamilyReport, tmp_path: Path) -> None:
    with Journal(tmp_path, CAMPAIGN) as journal:
        search(late, replace(ASKED, count=4), journal.run(Counted()))
    report, rest = ended(tmp_path, None, resume=True)
    assert rest < len(whole.tried)
    assert said(report) == said(whole)


def test_a_torn_line_is_what_was_in_flight(whole: FamilyReport, tmp_path: Path) -> None:
    ended(tmp_path, None)
    path = tmp_path / NAME
    text = path.read_bytes()
    last = text[:-1].rfind(b"\n") + 1
    for cut in (last + 1, (last + len(text)) // 2, len(text) - 1):
        path.write_bytes(text[:cut])
        report, examined = ended(tmp_path, None, resume=True)
        assert examined == 1
        assert said(report) == said(whole)


def test_a_torn_first_line_is_no_journal_yet(whole: FamilyReport, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(json.dumps(CAMPAIGN).encode()[:-5])
    report, _ = ended(tmp_path, None)
    assert said(report) == said(whole)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"seed": 1}, "another seed: 0, not 1"),
        ({"target": "other.py:late"}, "another target: 'late', not 'other.py:late'"),
        ({"version": "9.9"}, "another version: '.*', not '9.9'"),
        ({"file": "0"}, "another file$"),
        ({"require": "proved"}, "another require: None, not 'proved'"),
        ({"limits": {"seconds": 1}}, "another limits: None, not {'seconds': 1}"),
    ],
)
def test_the_journal_of_another_campaign_is_refused(other: dict, says: str, tmp_path: Path) -> None:
    ended(tmp_path, 2)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(BadSubject, match=f"{NAME} is the journal of another campaign, with {says}"):
        Journal(tmp_path, {**CAMPAIGN, **other}, resume=True)
    assert (tmp_path / NAME).read_bytes() == before


def test_a_journal_that_is_there_is_not_gone_on_with_unasked(tmp_path: Path) -> None:
    ended(tmp_path, 2)
    with pytest.raises(BadSubject, match=f"{NAME} is there already: --resume goes on with it"):
        Journal(tmp_path, CAMPAIGN)


def test_two_campaigns_do_not_write_one_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "PATIENCE", 0.0)
    with Journal(tmp_path, CAMPAIGN), pytest.raises(BadSubject, match=f"{NAME} is being written by another campaign"):
        Journal(tmp_path, CAMPAIGN, resume=True)
    Journal(tmp_path, CAMPAIGN, resume=True).file.close()


@pytest.mark.parametrize("line", ["{", "[]", '{"number": 1}', "7"])
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    ended(tmp_path, 3)
    lines = (tmp_path / NAME).read_text().splitlines()
    lines[2] = line
    (tmp_path / NAME).write_text("\n".join(lines) + "\n")
    with pytest.raises(BadSubject, match=f"{NAME} is damaged: line 3 of 4"):
        Journal(tmp_path, CAMPAIGN, resume=True)


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSubject, match=r"cannot write the journal .*file"):
        Journal(tmp_path / "file", CAMPAIGN)


def test_a_report_comes_back_from_its_line(whole: FamilyReport) -> None:
    one = next(tried for tried in whole.tried if tried.outcome == "different")
    back = tried_of(line_of(one))
    assert line_of(back) == line_of(one)
    assert (back.cause, back.configuration) == (one.cause, one.configuration)
    assert back.report is not None
    assert back.report.verdict is Verdict.DIFFERENT
    assert isinstance(back.report.counterexample, Counterexample)
    assert {type(region) for region in back.report.regions.values()} == {RegionVerdict}
    assert back.report.to_json() == one.report.to_json()
