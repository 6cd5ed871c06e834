"""A campaign on the command line: killed in its middle, it goes on and says what it would have said."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from coequal.__main__ import main
from coequal.process.progress import Progress

# every configuration that is begun is a line in a log; with some of them begun, all wait until they may go on
THEIRS = """
import time
from pathlib import Path
import coequal, torch
from hypothesis import strategies as st

class Echo:
    def step(self, frame):
        return frame

@coequal.family(size=st.integers(0, 99), dtype=st.sampled_from([torch.float32, torch.float64]))
def net(size, dtype):
    while not Path("go").exists() and Path("log").exists() and len(Path("log").read_text().splitlines()) > 8:
        time.sleep(0.05)
    with open("log", "a") as log:
        log.write(f"{size} {dtype}\\n")
    if size % 5 == 3:
        raise ValueError("no")
    return coequal.Subject(clip=torch.clone, stream=Echo, example=torch.randn(1, 2, 6, dtype=dtype))
"""
ONE = "import coequal, torch\nnet = coequal.Subject(clip=torch.clone, stream=lambda: None, example=torch.randn(1, 2, 6))\n"
COMMAND = ["theirs.py:net", "--only", "values", "--configurations", "20"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "theirs.py").write_text(THEIRS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timeless(value: Any) -> Any:
    """A report without its seconds."""
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items() if name != "seconds"}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_kill_9_of_the_parent_loses_what_was_in_flight_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal, log = folder / "runs" / "journal.jsonl", folder / "log"
    arguments = [*COMMAND, "--workers", "2", "--journal", "runs"]
    with subprocess.Popen([Path(sys.executable).with_name("coequal"), "verify", *arguments]) as run:
        while lines(journal) < 6:
            assert run.poll() is None
            time.sleep(0.05)
        run.kill()
    (folder / "go").touch()
    assert main(["verify", *arguments, "--resume", "--json", "resumed.json"]) == 0
    resumed, begun = capfd.readouterr(), lines(log)
    log.unlink()
    assert main(["verify", *COMMAND, "--json", "whole.json"]) == 0
    whole = capfd.readouterr()
    assert timeless(json.loads(Path("resumed.json").read_text())) == timeless(json.loads(Path("whole.json").read_text()))
    assert resumed.out.splitlines()[1:] == whole.out.splitlines()[1:]
    assert (resumed.err, whole.err) == ("", "")
    assert lines(log) == 20
    assert 20 <= begun <= 22, "what two workers were at is begun again, and no more"
    assert lines(journal) >= 21


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["theirs.py:net", "--resume"], "--resume goes on with a journal: say which with --journal FOLDER"),
        (["one.py:net", "--workers", "2"], "--workers is for families; one.py:net is none"),
    ],
)
def test_bad_input_is_one_line(folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    (folder / "one.py").write_text(ONE)
    assert main(["verify", *arguments]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_a_progress_line_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for terminal, said in ((False, ""), (True, "configurations")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with Progress(7) as progress:
            progress.update("configurations", 3, 7)
        out, err = capsys.readouterr()
        assert out == ""
        assert said in err
        assert bool(err) is terminal
