"""`coequal verify` from end to end: verdicts, exit codes, files."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from coequal.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
OWN = str(ROOT / "examples" / "own_model.py")


@pytest.fixture
def verify(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Run `coequal verify`; exit code, the JSON report, stdout."""

    def run(*arguments: str) -> tuple[int, dict, str]:
        path = tmp_path / "report.json"
        code = main(["verify", *arguments, "--effort", "quick", "--json", str(path)])
        out, err = capfd.readouterr()
        assert err == ""
        return code, json.loads(path.read_text()), out

    return run


def test_a_right_stream(verify, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, report, out = verify(f"{OWN}:right", "--html", str(page))
    assert (code, report["verdict"]) == (0, "proved")
    assert out.startswith(f"proved for every length  {OWN}:right  (")
    assert report["timing"] == {"receptive_field": 5, "stride": 1, "delay": 0, "causal": True}
    assert report["relation"]["kind"] == "stream"
    assert f"<code>{OWN}:right</code>" in page.read_text()


@pytest.mark.usefixtures("forked")
def test_the_report_has_the_agreed_shape(verify) -> None:
    _, report, _ = verify(f"{OWN}:wrong", "--only", "values")
    keys = [
        "coequal",
        "target",
        "verdict",
        "seconds",
        "relation",
        "timing",
        "checks",
        "counterexample",
        "quality",
        "weights",
    ]
    assert set(keys) | {"proof", "findings"} <= set(report)
    assert set(report["relation"]) >= {"kind", "window", "offset"}
    assert set(report["timing"]) >= {"receptive_field", "stride", "delay", "causal"}
    assert set(report["checks"][0]) >= {"name", "outcome", "examples", "detail"}
    assert set(report["counterexample"]) >= {"check", "frame", "module", "expected", "got", "reproduce"}


def test_a_wrong_stream_and_its_reproduction(verify) -> None:
    code, report, out = verify(f"{OWN}:wrong")
    assert (code, report["verdict"]) == (1, "different")
    found = report["counterexample"]
    assert found["frame"] == 0
    assert found["reproduce"] in out
    program, command, *arguments = shlex.split(found["reproduce"])
    assert (program, command) == ("coequal", "verify")
    code, again, _ = verify(*arguments)
    assert (code, again["verdict"]) == (1, "different")
    assert again["counterexample"]["frame"] == 0
    assert again["counterexample"]["check"] == found["check"]


@pytest.mark.usefixtures("forked")
def test_requiring_a_proof_that_there_is_not(verify) -> None:
    code, report, _ = verify(f"{OWN}:right", "--only", "values", "--require", "proved")
    assert (code, report["verdict"]) == (3, "tested")


@pytest.mark.usefixtures("forked")
def test_only_what_was_asked_for(verify) -> None:
    _, report, _ = verify(f"{OWN}:right", "--only", "chunking", "batch")
    assert {check["name"] for check in report["checks"]} == {"chunking", "batch"}


def test_a_file_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"{OWN}:right", "--only", "values", "--effort", "quick", "--json", str(tmp_path)]) == 2
    assert capfd.readouterr().err == f"coequal: cannot write {tmp_path}: Is a directory\n"


def test_a_pipe_that_knows_ascii_only(tmp_path: Path) -> None:
    (tmp_path / "größe.py").write_text(Path(OWN).read_text())
    script = Path(sys.executable).with_name("coequal")
    command = [script, "verify", "größe.py:right", "--only", "values", "--effort", "quick"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert run.stdout.startswith("tested  gr??e.py:right  (")
    assert run.stderr == ""


def test_a_folder_that_does_not_exist(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"{OWN}:right", "--html", "/no/such/folder/r.html"]) == 2
    assert capfd.readouterr() == ("", "coequal: cannot write /no/such/folder/r.html: no folder /no/such/folder\n")
