"""Failures of one cause are told apart by the options that they need."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.campaigns.search import Asked, search
from coequal.equivalence.options import Options
from coequal.subjects.subject import Subject

VALUES = Options(effort="quick", checks=("values",))


class Doubled:
    """What a mistake makes of a frame."""

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        return 2 * frame


@family(size=st.integers(1, 4), shift=st.integers(0, 3), flag=st.booleans())
def wrong(size: int, shift: int, flag: bool) -> Subject:
    """Two mistakes that look alike: a size of 3 or more, and a shift with the flag."""
    factor = 3.0 if size >= 3 or (shift and flag) else 2.0
    return Subject(clip=lambda x: factor * x, stream=Doubled, example=torch.randn(1, 2, 4))


wrong.__test__ = False  # type: ignore[attr-defined]  # what is searched here, and no test of its own


def smallest(asked: Asked) -> list[str]:
    report = search(wrong, asked)
    assert report.counts["different"] == sum(finding.count for finding in report.findings)
    return sorted(finding.smallest.name for finding in report.findings)


def test_two_mistakes_of_one_cause_are_two_findings_where_options_tell_them_apart() -> None:
    assert smallest(Asked(count=30, options=VALUES, apart=True)) == [
        "size=1, shift=1, flag=True",
        "size=3, shift=0, flag=False",
    ]


def test_by_cause_alone_they_are_one() -> None:
    assert len(smallest(Asked(count=30, options=VALUES))) == 1
