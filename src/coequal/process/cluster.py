"""Configurations of a family on a Dask cluster: each of its threads keeps a worker process of ours, with the same limits.

So what a configuration does to its process is told as it is here, and ends no worker of the cluster. What a worker of the
cluster was doing when it went is done again by another.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from concurrent.futures import CancelledError
from importlib import import_module
from typing import Any

from coequal.equivalence.campaigns.found import Tried
from coequal.equivalence.campaigns.search import Numbered
from coequal.equivalence.causes import Cause
from coequal.process.pool import Worker, job_of
from coequal.process.worker import Job
from coequal.subjects.errors import BadSubject

GONE = "the workers of the cluster that had it ended"


class Cluster:
    """The workers of a Dask scheduler. Called, it is a `Run` of a search."""

    def __init__(self, request: dict[str, Any], address: str) -> None:
        """Of a family.

        Args:
            request: As for a `Worker`; target and `folder` are the same files on every machine.
            address: Of the scheduler, like `tcp://host:8786`.

        Raises:
            BadSubject: Dask is not installed, or no scheduler answers.
        """
        try:
            self.dask = import_module("distributed")
        except ImportError as error:
            raise BadSubject("--scheduler needs Dask, which is not installed: pip install 'coequal[dask]'") from error
        self.request, self.address = request, address
        try:
            self.client = self.dask.Client(address)
        except (OSError, ValueError) as error:
            raise BadSubject(f"--scheduler {address}: no Dask scheduler answers there") from error

    def __enter__(self) -> Cluster:
        return self

    def turn_to(self, request: dict[str, Any]) -> None:
        """Another family: threads of the cluster begin new workers for it."""
        self.request = request

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # it is gone
            self.client.run(close, self.request, on_error="ignore")
        self.client.close()

    def __call__(self, configurations: Numbered) -> Generator[Tried, None, None]:
        jobs = [job_of(number, values) for number, values in configurations]
        futures = self.client.map(examined, [self.request] * len(jobs), jobs, pure=False)
        job_of_future = dict(zip(futures, jobs, strict=True))
        try:
            for future in self.dask.as_completed(futures):
                yield self._result(future, job_of_future[future])
        finally:
            with contextlib.suppress(OSError):
                self.client.cancel(futures)

    def _result(self, future: Any, job: Job) -> Tried:
        """What became of a configuration; whose workers went more often than the scheduler allows, died."""
        try:
            return future.result()
        except self.dask.KilledWorker:
            return Tried(job.number, job.words, "died", 0.0, Cause("died", "", GONE), GONE)
        except (OSError, CancelledError) as error:
            raise BadSubject(f"--scheduler {self.address}: it is gone; with a journal, --resume goes on") from error


_here = threading.local()
_workers: list[Worker] = []  # of all threads of this process


def examined(request: dict[str, Any], job: Job) -> Tried:
    """On the cluster: what becomes of a configuration, in the worker process of this thread."""
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is None or worker.closed or worker.request != request:
        if worker is not None:
            worker.close()
        worker = _here.worker = Worker(request)
        _workers.append(worker)
    return worker.examine(job)


def close(request: dict[str, Any]) -> None:
    """On the cluster: end the worker processes of a family."""
    for worker in [worker for worker in _workers if worker.request == request]:
        _workers.remove(worker)
        worker.close()
