"""The document of a family: rows of options, ranges of numbers, cases."""

from __future__ import annotations

from collections import Counter

import pytest

from coequal.equivalence.campaigns.found import OUTCOMES, FamilyReport, Finding, Tried
from coequal.equivalence.causes import Cause
from coequal.report.family import TONES, document, grouped
from coequal.report.writers import terminal


def values(*names: object) -> dict[str, Counter[str]]:
    return {str(name): Counter(tested=1) for name in names}


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ([3, 10, 1], ["1", "3", "10"]),
        (["b", "a"], ["a", "b"]),
        (range(1, 17), ["1 to 2", "3 to 4", "5 to 6", "7 to 8", "9 to 10", "11 to 12", "13 to 14", "15 to 16"]),
        ("abcdefghijkl", ["a", "b", "c", "d", "e", "f", "g", "5 others"]),
    ],
)
def test_rows_of_an_option(names, rows: list[str]) -> None:
    found = grouped(values(*names))
    assert [name for name, _ in found] == rows
    assert sum((counts for _, counts in found), Counter()) == Counter(tested=len(list(names)))


def test_every_outcome_has_a_tone() -> None:
    assert TONES.keys() == set(OUTCOMES)


def test_a_finding_without_a_counterexample() -> None:
    died = Tried(3, {"k": "2"}, "died", cause=Cause("died", "", "SIGSEGV"), detail="its process was killed by SIGSEGV")
    report = FamilyReport("f.py:net", (Tried(0, {"k": "1"}, "tested"), died), (Finding(died.cause, 1, died, died),), asked=2)
    said = document(report)
    assert (said.exit_code, said.tone, said.verdict) == (1, "bad", "1 finding")
    assert [(case.name, case.status) for case in said.cases] == [("configurations", "failed"), ("died: SIGSEGV", "failed")]
    text = terminal.plain(said)
    assert "what      its process was killed by SIGSEGV" in text
    assert "shown by  1 of 2; the first was k=2" in text


def test_fewer_than_were_asked_for_is_said() -> None:
    said = terminal.plain(document(FamilyReport("f.py:net", (Tried(0, {"k": "1"}, "tested"),), asked=5)))
    assert "1 of 5 configurations: no others were drawn" in said
