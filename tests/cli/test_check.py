"""The documents of `coequal check`: what it says of operators that agree, differ, or are not decided."""

import json
from pathlib import Path

import pytest

from coequal.__main__ import main
from coequal.cli.check import compared, proved
from coequal.equivalence.campaigns.agree import Outcome
from coequal.equivalence.campaigns.run import ExactOutcome
from coequal.report.writers import terminal

PASSED = Outcome("conv", "passed", 50, 1.25)
DIFFERENT = Outcome("pool", "different", 3, 0.5, "Architecture(...)", "Disagreement: frame 2", "coequal check pool --seed 4")


def test_operators_that_agree() -> None:
    document = compared([PASSED], 4)
    assert terminal.plain(document).splitlines() == [
        "operator  outcome  examples    s",
        "conv      passed         50  1.2",
        "",
        "reference = torch.nn = continual on 50 random architectures",
    ]
    assert (document.exit_code, document.made, [case.status for case in document.cases]) == (0, "1.2 s, seed 4", ["passed"])


def test_an_operator_that_differs() -> None:
    document = compared([PASSED, DIFFERENT], 0)
    assert terminal.plain(document).splitlines()[3:] == [
        "",
        "pool: Disagreement: frame 2",
        "  Architecture(...)",
        "  coequal check pool --seed 4",
    ]
    case = document.cases[1]
    assert (document.exit_code, case.status, case.message) == (1, "failed", "Disagreement: frame 2")
    assert case.detail == "Architecture(...)\ncoequal check pool --seed 4"


def test_what_is_proved_and_what_it_rests_on() -> None:
    found = [
        ExactOutcome("conv", "proved", 10, 1.0, 2.0**-60, ("numpy.exp",), ("tokens are those drawn", "the constant 0.5")),
        ExactOutcome("norm", "not decided", 1, 0.0, architecture="Architecture()", detail="numpy.sort", reproduce="again"),
    ]
    document = proved(found, 0)
    assert terminal.plain(document, 200).splitlines() == [
        "operator  outcome      wrong with  examples    s",
        "conv      proved       < 2^-59           10  1.0",
        "norm      not decided                     1  0.0",
        "",
        "norm: numpy.sort",
        "  Architecture()",
        "  again",
        "",
        "functions of the reference taken as torch's: numpy.exp",
        "assumed: tokens are those drawn",
        "",
        "reference = torch.nn = continual proved on 10 random architectures;"
        " the probability that one of these is wrong is < 2^-59",
    ]
    assert (document.exit_code, [case.status for case in document.cases]) == (3, ["passed", "error"])


def test_json_has_the_outcomes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "outcomes.json"
    assert main(["check", "shift", "--max-examples", "2", "--json", str(path)]) == 0
    (outcome,) = json.loads(path.read_text())
    assert list(outcome) == ["operator", "outcome", "examples", "seconds", "architecture", "detail", "reproduce"]
    assert "on 2 random architectures" in capsys.readouterr().out
