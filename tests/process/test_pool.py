"""Worker processes: every end that a configuration can come to is told as its own, and nothing else is lost."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import coequal
from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.campaigns.found import FamilyReport, Tried
from coequal.equivalence.campaigns.search import search
from coequal.equivalence.causes import Cause
from coequal.process import pool as processes
from coequal.process.asked import asked_of
from coequal.process.pool import Pool, Worker, job_of
from coequal.process.target import loaded
from coequal.process.worker import Limits
from coequal.subjects.errors import BadSubject

THEIRS = """
import ctypes, os, signal, sys, time
from pathlib import Path
import coequal, torch
from hypothesis import strategies as st

def hang():
    while True:
        time.sleep(1)

def crash():
    ctypes.string_at(0)

def wait_once():  # where it runs first, it says so and waits
    note = Path("pid")
    if not note.exists():
        note.write_text(f"{os.getpid()}\\n")
        hang()

def end_from_outside():
    with open("attempts", "a") as attempts:
        attempts.write("one\\n")
    os.kill(os.getpid(), signal.SIGKILL)

def print_much():
    print("{" + "x" * 100_000 + "}")
    assert sys.stdin.read() == ""

DEEDS = {
    "nothing": lambda: None,
    "print": print_much,
    "crash": crash,
    "exit": lambda: os._exit(7),
    "allocate": lambda: bytearray(20 * 2**30),
    "allocate a tensor": lambda: torch.zeros(20 * 2**30),
    "double": lambda: None,
    "hang": hang,
    "wait once": wait_once,
    "end": end_from_outside,
}

class Echo:
    def __init__(self, deed):
        self.deed = deed

    def step(self, frame):
        DEEDS[self.deed]()
        return 2 * frame if self.deed == "double" else frame

def subject(deed):
    return coequal.Subject(clip=torch.clone, stream=lambda: Echo(deed), example=torch.randn(1, 2, 6))

every = coequal.family(deed=st.sampled_from([*DEEDS][:7]))(subject)
waits = coequal.family(deed=st.sampled_from(["nothing", "wait once"]))(subject)
ends = coequal.family(deed=st.just("end"))(subject)
hangs = coequal.family(deed=st.just("hang"))(subject)

@coequal.family(deed=st.integers(0, 1))
def broken(deed):
    return no_such_name
"""
LIMITS = Limits(seconds=300.0, memory=2.0)
DIED = {
    "crash": "its process was killed by SIGSEGV",
    "exit": "its process ended with exit code 7 and no answer (os._exit?)",
    "allocate": "out of memory",
    "allocate a tensor": "out of memory",
}


def request(target: str, folder: Path, limits: Limits = LIMITS) -> dict[str, Any]:
    """What a worker is asked for."""
    options = {"seed": 0, "checks": ("values",), "effort": "quick"}
    about = {"target": target, "again": target, "seed": 0, "load": {}, "options": options, "replay": {}}
    return {**about, "configurations": 40, "require": None, "limits": limits, "folder": str(folder)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "theirs.py").write_text(THEIRS)
    return folder


def searched(folder: Path, name: str, workers: int, limits: Limits = LIMITS) -> FamilyReport:
    """The report of a family of the file above."""
    asked = request(f"{folder}/theirs.py:{name}", folder, limits)
    with Pool(asked, workers) as pool:
        return search(loaded(asked["target"]), asked_of(asked, 1e9), pool)


@pytest.fixture(scope="module")
def report(folder: Path) -> FamilyReport:
    return searched(folder, "every", 2)


def test_every_end_is_a_finding_of_its_configuration(report: FamilyReport) -> None:
    found = {eval(one.configuration["deed"]): one for one in report.tried}
    assert {deed: one.outcome for deed, one in found.items()} == {
        **{"nothing": "tested", "print": "tested", "double": "different"},
        **dict.fromkeys(DIED, "died"),
    }
    for deed, kind in DIED.items():
        cause = found[deed].cause
        assert cause is not None
        assert (cause.check, cause.kind) == ("died", kind)
    assert report.exit_code() == 1


def test_where_it_crashed_is_said(report: FamilyReport, folder: Path) -> None:
    found = {eval(one.configuration["deed"]): one for one in report.tried}
    line = THEIRS.splitlines().index("    ctypes.string_at(0)") + 1
    assert found["crash"].detail == f"{DIED['crash']}, at {folder}/theirs.py, line {line}, in crash"
    assert found["allocate"].detail.startswith("out of memory: MemoryError")
    assert "can't allocate memory" in found["allocate a tensor"].detail


def test_what_does_not_end_is_ended(folder: Path) -> None:
    (one,) = searched(folder, "hangs", 1, Limits(seconds=8.0)).tried
    assert one.cause == Cause("died", "in step", "not finished after 8 s")
    assert one.detail == f"not finished after 8 s, in step of {folder}/theirs.py"


def test_one_cause_is_one_finding(report: FamilyReport) -> None:
    counts = {str(finding.cause): finding.count for finding in report.findings}
    assert counts.pop("died: out of memory") == 2
    assert set(counts.values()) == {1}
    assert len(counts) == len(set(DIED.values()))  # and the one that differs


def test_how_it_is_seen_again_is_said(report: FamilyReport, folder: Path) -> None:
    (crash,) = [finding for finding in report.findings if finding.cause.kind == DIED["crash"]]
    assert shlex.split(crash.again) == ["coequal", "verify", f"{folder}/theirs.py:every[deed='crash']"]


def without_seconds(report: FamilyReport) -> FamilyReport:
    def timeless(tried: Tried) -> Tried:
        of = None if tried.report is None else replace(tried.report, seconds=0.0)
        return replace(tried, seconds=0.0, report=of)

    findings = [replace(f, first=timeless(f.first), smallest=timeless(f.smallest)) for f in report.findings]
    return replace(report, seconds=0.0, tried=tuple(map(timeless, report.tried)), findings=tuple(findings))


def test_one_worker_says_the_same(report: FamilyReport, folder: Path) -> None:
    assert without_seconds(searched(folder, "every", 1)) == without_seconds(report)


def test_a_worker_that_somebody_kills_is_replaced_and_its_configuration_examined_again(folder: Path) -> None:
    note = folder / "pid"
    killed = list[int]()

    def kill() -> None:
        killed.append(noted(note))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = searched(folder, "waits", 1)
    killer.join()
    assert found.counts == {"tested": 2}
    assert not runs(killed[0])


def test_what_is_ended_from_outside_each_time_died(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TRIES", 2)
    (one,) = searched(folder, "ends", 1).tried
    assert one.cause == Cause("died", "", "its process was killed by SIGKILL")
    assert (folder / "attempts").read_text() == "one\n" * 2


def noted(note: Path) -> int:
    """The process that a note names, once it is whole."""
    for _ in range(30000):
        if note.exists() and note.read_text().endswith("\n"):
            return int(note.read_text())
        time.sleep(0.01)
    raise AssertionError("nothing was noted within five minutes")


def runs(pid: int) -> bool:
    """Whether a process is there, and no corpse."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.1)
    return True


def test_a_closed_worker_is_gone_with_what_it_did(folder: Path) -> None:
    worker = Worker(request(f"{folder}/theirs.py:hangs", folder))
    closing = threading.Timer(0.0, lambda: (wait_for(worker), worker.close()))
    closing.start()
    with pytest.raises(CancelledError):
        worker.examine(job_of(0, {"deed": "hang"}))
    closing.join()
    assert worker.process is not None
    assert not runs(worker.process.pid)


def wait_for(worker: Worker) -> None:
    """Until it has a process."""
    while worker.process is None:
        time.sleep(0.01)


def test_what_is_no_family_stops_all(folder: Path) -> None:
    with pytest.raises(BadSubject, match="broken: NameError: name 'no_such_name'"):
        searched(folder, "broken", 2)


def test_a_value_that_cannot_go_to_another_process_is_named() -> None:
    family: Family = coequal.family(act=st.sampled_from([lambda x: x]))(lambda act: act)
    with pytest.raises(BadSubject, match=r"act=.*<lambda> cannot go to a worker process .*: let the option be a name"):
        job_of(0, {"act": family.options["act"].elements[0]})
