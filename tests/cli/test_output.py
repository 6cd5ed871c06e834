"""Every command, in every output format; and a file that cannot be written, one line from each."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from coequal.__main__ import main

pytestmark = pytest.mark.usefixtures("forked")

ROOT = Path(__file__).resolve().parents[2]
OWN = str(ROOT / "examples" / "own_model.py")
LINES = {
    "verify": ["verify", f"{OWN}:wrong", "--only", "values", "--effort", "quick"],
    "write": ["write", f"{ROOT / 'tests' / 'subjects' / 'drafts' / 'zoo.py'}:CacheTuple"],
    "check": ["check", "shift", "--max-examples", "2"],
    "exact": ["check", "shift", "--exact", "--max-examples", "2"],
    "claims": ["claims", "SlowFast-8x8-R50"],
    "cost": ["cost", "conv", "--mode", "clip"],
    "explain": ["explain", "shift"],
    "systems": ["systems"],
}


@pytest.mark.parametrize("name", LINES)
def test_every_format(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("html", "json", "junit", "markdown")}
    summary = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    asked = [word for kind, path in paths.items() for word in (f"--{kind}", str(path))]
    code = main([*LINES[name], *asked, "--github"])
    out, err = capsys.readouterr()
    assert (code, err) == (int(name == "verify"), "")
    assert paths["html"].read_text().startswith("<!doctype html>")
    assert paths["markdown"].read_text().startswith("# ")
    assert summary.read_text() == paths["markdown"].read_text()
    assert json.loads(paths["json"].read_text())
    root = ElementTree.parse(paths["junit"]).getroot()
    assert (int(root.get("failures", "")) > 0) == (code == 1)
    assert ("\n::error file=" in out) == (code == 1)
    output = root.findtext("testsuite/system-out") or ""
    assert output.splitlines()[0].split() == out.splitlines()[0].split()


def test_a_number_that_does_not_hold_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "SlowFast-8x8-R50", "--github"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    start = "::warning title=coequal claims%3A SlowFast-8x8-R50%2C params%2C clip%3A 66.25 M::does not hold, 34.57 M%0A"
    assert line.startswith(start)


@pytest.mark.parametrize("option", ["--html", "--json", "--junit", "--markdown"])
@pytest.mark.parametrize("name", LINES)
def test_a_file_that_cannot_be_written_is_said_before_the_work(
    name: str, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINES[name], option, str(tmp_path)]) == 2
    assert capsys.readouterr() == ("", f"coequal: cannot write {tmp_path}: Is a directory\n")
    assert main([*LINES[name], option, f"{tmp_path}/no/r"]) == 2
    assert capsys.readouterr() == ("", f"coequal: cannot write {tmp_path}/no/r: no folder {tmp_path}/no\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "shift", "--junit", "/dev/full"]) == 2
    assert capsys.readouterr().err == "coequal: cannot write /dev/full: No space left on device\n"


def test_a_file_that_cannot_be_written_after_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert main(["explain", "shift", "--github"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("shift  (coequal/reference/shift.py)\n")
    assert err == f"coequal: cannot write {tmp_path}: Is a directory\n"
