"""What a suite found: each mistake once, and the worst exit code."""

from __future__ import annotations

from coequal.equivalence.campaigns.found import FamilyReport, Finding, Tried
from coequal.equivalence.causes import Cause
from coequal.equivalence.suites.found import SuiteReport

COPIED = Cause("raised", "", "the module cannot be copied")
NUMBERS = Cause("values", "", "other numbers")


def family(name: str, *causes: Cause, outcome: str = "raised") -> FamilyReport:
    tried = tuple(Tried(i, {"size": str(i)}, outcome, cause=cause) for i, cause in enumerate(causes))
    findings = tuple(Finding(cause, 1, one, one) for cause, one in zip(causes, tried, strict=True))
    return FamilyReport(f"library:{name}", (*tried, Tried(9, {"size": "9"}, "tested")), findings)


def test_what_is_said_in_the_same_words_is_one_finding_and_other_numbers_are_not() -> None:
    report = SuiteReport("library", "library 1.0", (family("a", COPIED, NUMBERS), family("b", NUMBERS), family("c", COPIED)))
    assert [(one.family.target, one.finding.cause, one.others) for one in report.findings] == [
        ("library:a", COPIED, ("library:c",)),
        ("library:a", NUMBERS, ()),
        ("library:b", NUMBERS, ()),
    ]
    assert report.counts == {"tested": 3, "raised": 4}
    assert report.exit_code() == 1
    assert [one["others"] for one in report.to_dict()["findings"]] == [["library:c"], [], []]


def test_the_exit_code_is_that_of_families_of_which_something_was_compared() -> None:
    refused = FamilyReport("library:d", (Tried(0, {}, "refused"),))
    assert SuiteReport("library", "library 1.0", (family("a"), refused)).exit_code() == 0
    assert SuiteReport("library", "library 1.0", (refused,)).exit_code() == 3
