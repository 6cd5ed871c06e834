"""The same campaign on a Dask cluster: as here, also where a worker of the cluster is killed in the middle."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coequal.equivalence.campaigns.found import FamilyReport
from coequal.equivalence.campaigns.search import Run, search
from coequal.process.asked import asked_of
from coequal.process.cluster import Cluster
from coequal.process.pool import Pool
from coequal.process.target import loaded
from coequal.process.worker import Limits
from coequal.subjects.errors import BadSubject

THEIRS = """
import os, time
from pathlib import Path
import coequal, torch
from hypothesis import strategies as st

class Echo:
    def __init__(self, size):
        self.size = size

    def step(self, frame):
        if self.size == 4:
            os._exit(7)
        return frame if self.size < 6 else 2 * frame

@coequal.family(size=st.integers(0, 8))
def net(size):
    if size == 2 and not Path("pid").exists() and Path("wait").exists():  # of the process that had this one started
        Path("pid").write_text(f"{os.getppid()}\\n")
        time.sleep(600)
    return coequal.Subject(clip=torch.clone, stream=lambda: Echo(size), example=torch.randn(1, 2, 6))
"""


def request(folder: Path) -> dict[str, Any]:
    """What a worker is asked for."""
    target = f"{folder}/theirs.py:net"
    options = {"seed": 0, "checks": ("values",), "effort": "quick"}
    about = {"target": target, "again": target, "seed": 0, "load": {}, "options": options, "replay": {}}
    return {**about, "configurations": 9, "require": None, "limits": Limits(300.0), "folder": str(folder)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theirs.py").write_text(THEIRS)
    return tmp_path


@pytest.fixture
def address() -> Iterator[str]:
    """Of a scheduler with two workers, each a process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def told(report: FamilyReport) -> list:
    tried = [(one.number, one.configuration, one.outcome, one.cause, one.detail) for one in report.tried]
    return [tried, [(f.cause, f.count, f.first.number, f.smallest.configuration, f.tried) for f in report.findings]]


def searched(folder: Path, run: Run) -> FamilyReport:
    asked = request(folder)
    return search(loaded(asked["target"]), asked_of(asked, 1e9), run)


def kill_noted(note: Path) -> None:
    """Kill the process that a note names, once it is whole."""
    while not (note.exists() and note.read_text().endswith("\n")):
        time.sleep(0.05)
    os.kill(int(note.read_text()), signal.SIGKILL)


def test_a_cluster_says_the_same_though_a_worker_of_it_is_killed(folder: Path, address: str) -> None:
    with Pool(request(folder), 1) as pool:
        here = searched(folder, pool)
    assert here.counts == {"tested": 5, "different": 3, "died": 1}
    (folder / "wait").touch()
    killer = threading.Thread(target=kill_noted, args=(folder / "pid",), daemon=True)
    killer.start()
    with Cluster(request(folder), address) as cluster:
        there = searched(folder, cluster)
    killer.join(60)
    assert not killer.is_alive(), "no worker was killed"
    assert told(there) == told(here)


def test_what_is_no_scheduler() -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(BadSubject, match=r"--scheduler tcp://127\.0\.0\.1:9: no Dask scheduler answers there"),
    ):
        Cluster({}, "tcp://127.0.0.1:9")


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadSubject, match=r"--scheduler needs Dask, which is not installed: pip install 'coequal\[dask\]'"):
        Cluster({}, "tcp://127.0.0.1:9")
