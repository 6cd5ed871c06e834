"""`coequal check --exact` from end to end: what it prints, exit codes, the JSON file."""

import json
import re

import numpy as np
import pytest

from coequal.__main__ import main
from coequal.reference import norm
from coequal.reference.shift import TemporalShift


@pytest.fixture
def check(tmp_path, capfd):
    """Run `coequal check --exact`; exit code, the JSON list, stdout."""

    def run(*arguments):
        path = tmp_path / "outcomes.json"
        code = main(["check", *arguments, "--exact", "--max-examples", "8", "--json", str(path)])
        out, err = capfd.readouterr()
        assert err == ""
        return code, json.loads(path.read_text()), out

    return run


def test_proved_with_its_bound(check):
    code, outcomes, out = check("shift", "linear")
    assert code == 0
    assert [o["outcome"] for o in outcomes] == ["proved", "proved"]
    assert all(0 < o["wrong"] < o["examples"] * 2.0**-40 for o in outcomes)
    assert re.search(r"^shift +proved +< 2\^-\d+ +\d+ ", out, re.MULTILINE)
    count = sum(o["examples"] for o in outcomes)
    assert f"reference = torch.nn = continual proved on {count} random architectures" in out
    assert "assumed: tokens are those drawn" in out


def test_what_is_taken_as_given_is_tested_and_listed(check):
    code, (outcome,), out = check("activation")
    assert (code, outcome["outcome"]) == (0, "tested")
    assert re.search(r"^activation +tested +\d+ ", out, re.MULTILINE)
    assert f"activation: formulas compared in floating point alone: {', '.join(outcome['given'])}" in out
    assert "proved" not in out


def test_not_decided_names_the_operation(check, monkeypatch):
    for name in ("rms_norm", "layer_norm", "batch_norm"):
        monkeypatch.setattr(norm, name, lambda x, *_: np.sort(x))
    code, (outcome,), out = check("norm", "--seed", "2")
    assert (code, outcome["outcome"]) == (3, "not decided")
    assert re.search(r"^norm +not decided +\d+ ", out, re.MULTILINE)
    assert "norm: numpy.sort: its indices depend on data" in out
    assert "coequal check norm --exact --seed 2 --max-examples 8" in out


def test_different_shows_where(check, monkeypatch):
    call = TemporalShift.__call__
    monkeypatch.setattr(
        TemporalShift, "__call__", lambda self, parameters, clip: call(self, parameters, clip) * (1 + 2.0**-50)
    )
    code, (outcome,), out = check("shift")
    assert (code, outcome["outcome"]) == (1, "different")
    assert "shift: Disagreement: torch is not the function that the reference is: first at (0, " in out
    assert "Architecture(layer=TemporalShift(" in out


def test_an_operator_that_is_none(capfd):
    assert main(["check", "conf", "--exact"]) == 2
    assert "did you mean 'conv'" in capfd.readouterr().err
