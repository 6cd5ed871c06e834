"""Processes that examine configurations of a family, each within limits of time and memory.

What a configuration does to its process (a crash, an exit, no end, no memory) is what became of that configuration, and
another process takes the next. Who ends a process from outside says nothing of the configuration: it is examined again.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import Any

from coequal.equivalence.campaigns.drawing import Configuration
from coequal.equivalence.campaigns.found import Tried
from coequal.equivalence.campaigns.lines import tried_of
from coequal.equivalence.campaigns.search import Numbered
from coequal.equivalence.campaigns.spelling import value_in_words
from coequal.equivalence.causes import Cause
from coequal.process.ends import ask_where, death, end, users_frames
from coequal.process.worker import Job, Limits
from coequal.subjects.errors import BadSubject

ENDING = 5.0  # seconds that a process has to end, after what it could still say
TRIES = 5  # of what is ended from outside: then it is what the kernel does to it, say, when there is no memory
LOADING = 600.0  # seconds that a worker has to load the family, which was loaded before
OUTSIDE = [-getattr(signal, name, 0) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")]  # who sends these is not it


def job_of(number: int, configuration: Configuration) -> Job:
    """A configuration as it goes to a worker.

    Raises:
        BadSubject: A value cannot be pickled.
    """
    for name, value in configuration.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise BadSubject(
                f"{name}={value_in_words(value)} cannot go to a worker process ({type(error).__name__}): let the option be"
                " a name, and the function of the family look up what it stands for"
            ) from error
    words = {name: value_in_words(value) for name, value in configuration.items()}
    return Job(number, words, pickle.dumps(configuration))


class Worker:
    """A process that examines one configuration after the other, and is replaced when one of them ends it."""

    def __init__(self, request: dict[str, Any]) -> None:
        """Nothing is started yet.

        Args:
            request: That of the parent, with `limits`, and the `folder` that targets are looked for in.
        """
        self.request = request
        self.limits: Limits = request["limits"]
        self.process: subprocess.Popen[bytes] | None = None
        self.loaded: dict[str, Any] | None = None  # the request that the process has
        self.closed, self.lock = False, threading.Lock()

    def turn_to(self, request: dict[str, Any]) -> None:
        """Another request, which the process loads when it is asked next."""
        self.request, self.limits = request, request["limits"]

    def examine(self, job: Job) -> Tried:
        """What becomes of a configuration.

        Raises:
            BadSubject: The family is no family.
            CancelledError: The worker was closed.
        """
        for _ in range(TRIES):
            process, begin = self._running(), time.monotonic()
            said, late = _asked(process, job, self.limits.seconds)
            if _is_answer(said):
                return self._read(process, said)
            if late or process.returncode not in OUTSIDE:
                break
        how = f"not finished after {self.limits.seconds:g} s" if late else death(process)
        return _died(job, how, late, said.decode(errors="replace"), time.monotonic() - begin)

    def close(self) -> None:
        """End the process; what it examines is lost."""
        with self.lock:
            self.closed = True
            if self.process is not None and self.process.poll() is None:
                end(self.process)

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, which has loaded the family."""
        alive = self.process if self.process is not None and self.process.poll() is None else None
        if alive is not None and self.loaded is self.request:
            return alive
        for _ in range(TRIES):
            process, alive = alive or self._started(), None
            said, _ = _asked(process, self.request, LOADING)
            if _is_answer(said):
                _complain(said)
                self.loaded = self.request
                return process
        raise BadSubject(f"{self.request['target']}: {death(process)}, while a worker was loading it")

    def _started(self) -> subprocess.Popen[bytes]:
        """A process in a group of its own, so that all that a configuration starts can be ended."""
        with self.lock:
            if self.closed:
                raise CancelledError
            command = [sys.executable, "-P", "-m", "coequal.process.worker"]
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
            return self.process

    def _read(self, process: subprocess.Popen[bytes], said: bytes) -> Tried:
        """An answer; the process that had no memory, or was to exit, is not asked again."""
        _complain(said)
        tried = tried_of(said)
        if tried.outcome == "died":
            _last_words(process)
        return tried


class Pool:
    """So many workers, which start when there is something to examine. Called, it is a `Run` of a search."""

    def __init__(self, request: dict[str, Any], count: int) -> None:
        """Of a family.

        Args:
            request: As for a `Worker`.
            count: How many.
        """
        self.workers = [Worker(request) for _ in range(count)]
        self.idle = queue.LifoQueue[Worker]()  # the last first: what is to be examined alone needs one
        for worker in self.workers:
            self.idle.put(worker)
        self.threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Pool:
        return self

    def turn_to(self, request: dict[str, Any]) -> None:
        """Another family: workers that are there load it when they are asked next. None of them examines anything now."""
        for worker in self.workers:
            worker.turn_to(request)

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.close()
        self.threads.shutdown(cancel_futures=True)

    def __call__(self, configurations: Numbered) -> Generator[Tried, None, None]:
        futures = [self.threads.submit(self._examine, job_of(number, values)) for number, values in configurations]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def _examine(self, job: Job) -> Tried:
        worker = self.idle.get()
        try:
            return worker.examine(job)
        finally:
            self.idle.put(worker)


def _asked(process: subprocess.Popen[bytes], what: Any, seconds: float) -> tuple[bytes, bool]:
    """What a process answers; or, where it ended, the stack that it could still write, and whether its time was up."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        ask_where(process)
        end(process)

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        with contextlib.suppress(OSError):  # it has ended: how, is seen below
            pickle.dump(what, process.stdin)
            process.stdin.flush()
        said = process.stdout.readline()
        if not _is_answer(said):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)
            said += _last_words(process)
        return said, late.is_set()
    finally:
        timer.cancel()


def _last_words(process: subprocess.Popen[bytes]) -> bytes:
    """End a process, unless it has ended; what it had written."""
    assert process.stdin is not None
    assert process.stdout is not None
    end(process)
    with process.stdout as words:
        said = words.read()
    with contextlib.suppress(OSError):
        process.stdin.close()
    return said


def _is_answer(said: bytes) -> bool:
    return said.startswith(b"{") and said.endswith(b"}\n")


def _complain(said: bytes) -> None:
    """BadSubject where an answer says that the family is none."""
    if said.startswith(b'{"bad"'):
        raise BadSubject(json.loads(said)["bad"])


def _died(job: Job, how: str, late: bool, stack: str, seconds: float) -> Tried:
    """A configuration that ended its process. Where a loop was when its time was up says less than what called it."""
    frames, where, place = users_frames(stack), "", ""
    if frames:
        filename, line, function = frames[-1 if late else 0]
        where = f", in {function} of {filename}" if late else f", at {filename}, line {line}, in {function}"
        place = f"in {function}"
    return Tried(job.number, job.words, "died", seconds, Cause("died", place, how), f"{how}{where}")
