"""One mistake is one cause, whatever the sizes; two mistakes are two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coequal.equivalence.causes import Cause, cause_of, without_numbers
from coequal.equivalence.report import Counterexample, Finding, RegionVerdict, Report, Verdict

DIFFERENT = Report(
    "net",
    Verdict.DIFFERENT,
    counterexample=Counterexample("values", frame=3, module="conv", expected=1.5, got=2.5, detail="frame 3: ..."),
)


def test_what_is_accepted_has_no_cause() -> None:
    assert cause_of(Report("net", Verdict.TESTED)) is None
    assert cause_of(Report("net", Verdict.TESTED), "proved") is not None


def test_numbers_are_no_part_of_a_cause() -> None:
    other = replace(DIFFERENT.counterexample, frame=7, expected=-0.25, got=float("nan"))
    assert (
        cause_of(DIFFERENT)
        == cause_of(replace(DIFFERENT, counterexample=other))
        == Cause("values", "in conv", "other numbers")
    )


@pytest.mark.parametrize("change", [{"check": "chunking"}, {"module": "gru"}, {"expected": [2, 3], "got": [3, 3]}])
def test_check_place_and_kind_are(change: dict) -> None:
    other = replace(DIFFERENT, counterexample=replace(DIFFERENT.counterexample, **change))
    assert cause_of(DIFFERENT) != cause_of(other)


def test_a_mistake_of_the_head_is_not_one_of_the_interior() -> None:
    bad, good = RegionVerdict("different", 7, 2), RegionVerdict("equal", 7)
    head = replace(DIFFERENT, regions={"head": bad, "interior": good})
    inside = replace(DIFFERENT, regions={"head": good, "interior": bad})
    both = replace(DIFFERENT, regions={"head": bad, "interior": bad})
    assert cause_of(head) == Cause("values", "in conv, head", "other numbers")
    assert cause_of(inside) == cause_of(both) == Cause("values", "in conv, interior", "other numbers")


def test_problems_and_what_is_undecided() -> None:
    problem = Report("net", Verdict.PROVED, findings=[Finding("reuse", "high", "2 of 5 streams disturb one another")])
    assert cause_of(problem) == Cause("reuse", "", "# of # streams disturb one another")
    assert cause_of(Report("net", Verdict.UNDECIDED, reasons=["values: 3 examples"])) == Cause(
        "undecided", "", "values: # examples"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("frame 3 has shape (2, 4), the clip's (2, 3)", "frame 0 has shape (1, 4, 5), the clip's (1,)"),
        ("off by 1.5e-03 at [0, 0]", "off by -2e+4 at [1]"),
    ],
)
def test_texts_without_numbers(one: str, other: str) -> None:
    assert without_numbers(one) == without_numbers(other)


def test_letters_are_kept() -> None:
    assert without_numbers("conv1d raised KeyError") == "conv#d raised KeyError"
    assert without_numbers("raised KeyError") != without_numbers("raised ValueError")
