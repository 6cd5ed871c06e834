"""The document of a report: what could fail agrees with the exit code."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.equivalence.report import Check, Counterexample, Finding, Report, Verdict
from coequal.report import verdict
from coequal.report.document import Document, Place

NAMES = st.sampled_from(["values", "reset", "isolation", "drift"])
OUTCOMES = st.sampled_from(["passed", "problem", "skipped", "undecided", "waived"])
FINDINGS = st.builds(Finding, NAMES, st.sampled_from(["info", "low", "medium", "high"]), st.just("why"), st.booleans())


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """As the harness concludes them: `different` has a check that is, and a problem has its finding."""
    found = draw(st.sampled_from(list(Verdict)))
    checks = [Check(name, draw(OUTCOMES)) for name in draw(st.lists(NAMES, unique=True))]
    checks += [Check("exact", "different")] if found in (Verdict.DIFFERENT, Verdict.WITHIN) else []
    findings = draw(st.lists(FINDINGS, max_size=4))
    findings += [Finding(check.name, "high", "why", draw(st.booleans())) for check in checks if check.outcome == "problem"]
    proof = {"horizon": draw(st.sampled_from(["all", 7])), "outcome": "equal", "assumptions": []}
    words = {"bound": 2.0**-50, "draws": 1, "primes": [7], "applications": 0, "degree": 1, "lengths": [1, 2]}
    kept = proof | words if found is Verdict.PROVED else None
    return Report("t", found, checks=checks, findings=findings, proof=kept)


@given(reports(), st.sampled_from([None, "proved", "proved-all"]))
def test_a_case_failed_where_the_exit_code_says_so(report: Report, require: str | None) -> None:
    document = verdict.document(report, require)
    assert document.exit_code == report.exit_code(require)
    failed = {case.status for case in document.cases} & {"failed", "error"}
    assert bool(failed) == bool(document.exit_code), document.cases


def cases(**changes: object) -> dict[str, str]:
    document = verdict.document(Report("t", **changes))  # type: ignore[arg-type]
    return {case.name: case.status for case in document.cases}


def test_every_check_is_a_case_and_the_verdict_is_one() -> None:
    checks = [Check("values", "different"), Check("fork", "skipped"), Check("batch", "passed"), Check("long", "waived")]
    expected = {"function": "failed", "values": "failed", "fork": "skipped", "batch": "passed", "long": "skipped"}
    assert cases(verdict=Verdict.DIFFERENT, checks=checks) == expected


def test_a_finding_is_a_case_where_it_weighs_and_no_check_says_it() -> None:
    findings = [Finding("reuse", "high", "x"), Finding("drift", "medium", "x"), Finding("own", "high", "x", allowed=True)]
    findings += [Finding("outlier", "high", "x"), Finding("note", "info", "x")]
    found = cases(verdict=Verdict.TESTED, checks=[Check("reuse", "problem")], findings=findings)
    assert found == {"function": "passed", "reuse": "failed", "drift": "warned", "own": "warned", "outlier": "failed"}


def test_less_than_required_is_a_failure_that_says_so() -> None:
    (case,) = verdict.document(Report("t", Verdict.TESTED, reasons=["sampled"]), "proved").cases
    assert (case.status, case.detail) == ("failed", "sampled")
    assert case.message == "tested, which is less than --require proved"


def test_a_difference_brings_its_counterexample() -> None:
    found = Counterexample("values", 3, "conv", 1.0, 2.0, "coequal verify t --only values")
    document = verdict.document(Report("t", Verdict.DIFFERENT, counterexample=found), place=Place("t.py", 4))
    lines = document.cases[0].detail.splitlines()
    assert lines[:2] == ["counterexample, in the check values", "frame: 3"]
    assert lines[-1] == "coequal verify t --only values"
    assert document.place == Place("t.py", 4)


def test_only_lists_of_numbers_become_curves() -> None:
    lists = {"ratio": [1, 2.5], "one": [1.0], "words": ["a", "b"], "flags": [True, False], "nan": [math.nan] * 3}
    (figure,) = verdict.figures({**lists, "worst": 2.5, "frames": 40})
    assert (figure.name, figure.values, figure.end) == ("ratio", (1.0, 2.5), "40")


@pytest.mark.parametrize("found", list(Verdict))
def test_the_document_holds_the_report(found: Verdict) -> None:
    report = Report("t", found, seconds=2.0, seed=5)
    document = verdict.document(report)
    assert isinstance(document, Document)
    assert document.data == report.to_dict()
    assert (document.title, document.verdict, document.made) == ("t", report.headline, "2.0 s, seed 5")


ALONE = """
import sys
from coequal.cli import verify
from coequal.equivalence.report import Report, Verdict
from coequal.report import verdict
from coequal.report.writers import terminal

proof = {"horizon": "all", "outcome": "equal", "assumptions": [], "bound": 2.0**-50, "draws": 1, "primes": [7]}
proof |= {"applications": 3, "degree": 1, "lengths": [1, 2]}
said = terminal.plain(verdict.document(Report("t", Verdict.PROVED, proof=proof)))
assert "at every length" in said, said
print("torch" in sys.modules)
"""


def test_a_proof_is_told_without_torch() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
