"""A process that examines configurations of one family, one after the other, for `coequal.process.pool`.

It reads pickles from its standard input, a request and then jobs, or another request, and answers each with one line of JSON
on what was its standard output; prints of the user's code go to stderr, Python's warnings with what became of the
configuration. What it cannot catch ends it: `faulthandler` then writes the stack where the answer was to stand. It ends with
the process that asks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import pickle
import queue
import signal
import sys
import threading
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

GRACE = 10.0  # seconds after the time limit, when a worker ends by itself: there is nobody left who does it


@dataclass(frozen=True)
class Limits:
    """Of one configuration."""

    seconds: float = 60.0  # on the clock
    memory: float = 4.0  # gigabytes, beyond what its worker holds before


@dataclass(frozen=True)
class Job:
    """One configuration: its number, its values in words, and pickled."""

    number: int
    words: dict[str, str]
    pickled: bytes


def main() -> None:
    """Load the family, say so, and examine what comes."""
    jobs, answers = _channels()
    faulthandler.enable(answers)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, answers, all_threads=False)
    request = pickle.load(jobs)
    waiting = queue.SimpleQueue[Any]()
    threading.Thread(target=_read, args=(jobs, waiting), daemon=True).start()
    examine = _answered(answers, request["target"], lambda: _loaded(request))
    while examine is not None:
        job = waiting.get()
        if isinstance(job, dict):
            request = job
            examine = _answered(answers, request["target"], lambda request=request: _loaded(request))
            continue
        limits: Limits = request["limits"]
        _limit_memory(limits.memory)
        faulthandler.dump_traceback_later(limits.seconds + GRACE, exit=True, file=answers)
        _answered(answers, request["target"], lambda job=job, examine=examine: examine(job))
        faulthandler.cancel_dump_traceback_later()


def _channels() -> tuple[IO[bytes], IO[bytes]]:
    """Where jobs come from and answers go to: no longer where the user's code reads and prints."""
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return jobs, answers


def _read(jobs: IO[bytes], waiting: queue.SimpleQueue[Any]) -> None:
    """Hand jobs over until nobody is left who sends them."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            waiting.put(pickle.load(jobs))
    _end()


def _end() -> None:
    """Nobody is left who asks: end, with all that was started."""
    os.killpg(0, signal.SIGKILL) if hasattr(os, "killpg") else os._exit(0)


def _answered(answers: IO[bytes], target: str, work: Any) -> Any:
    """What work returns, written as one line; what is no family is one line, too, and returns None."""
    from coequal.process.tracebacks import located
    from coequal.subjects.errors import BadSubject

    done = None
    try:
        done = work()
        line = done if isinstance(done, str) else json.dumps({"ready": True})
    except BadSubject as error:
        line = json.dumps({"bad": located(error, target)})
    try:
        answers.write(f"{line}\n".encode())
        answers.flush()
    except BrokenPipeError:
        _end()
    return done


def _loaded(request: dict[str, Any]) -> Any:
    """What examines a job of a family."""
    import torch

    from coequal.equivalence.campaigns.lines import line_of
    from coequal.equivalence.campaigns.search import examined
    from coequal.process.asked import asked_of
    from coequal.process.target import loaded, seed_all

    os.chdir(request["folder"])
    if request["folder"] not in sys.path:
        sys.path.append(request["folder"])  # at the end, as in the child
    torch.set_num_threads(1)  # there is a worker for each processor, it may be
    seed_all(request["seed"])
    family, asked = loaded(request["target"], request["seed"]), asked_of(request, 0.0)

    def examine(job: Job) -> str:
        begin = time.monotonic()
        with warnings.catch_warnings(record=True) as heard:
            try:
                tried = examined(family, asked, job.number, pickle.loads(job.pickled))
            except Exception as error:
                tried = _failed(error, job, time.monotonic() - begin)
        return line_of(replace(tried, warned=tuple(dict.fromkeys(_said(one) for one in heard))))

    return examine


def _said(warning: warnings.WarningMessage) -> str:
    """`FutureWarning: in so many words`, as it is for all sizes."""
    from coequal.equivalence.causes import without_numbers

    return f"{warning.category.__name__}: {without_numbers(str(warning.message))}"


def _failed(error: Exception, job: Job, seconds: float) -> Any:
    """An error that nobody expected is one of its configuration; what is no family is handed on."""
    from coequal.equivalence.campaigns.found import Tried
    from coequal.equivalence.causes import Cause, without_numbers
    from coequal.process.tracebacks import blame
    from coequal.subjects.errors import BadSubject

    if isinstance(error, BadSubject):
        raise error
    said = blame(error)
    return Tried(job.number, job.words, "raised", seconds, Cause("raised", "", without_numbers(said)), said)


def _limit_memory(gigabytes: float) -> None:
    """So much more than is held now. On Linux alone: elsewhere no limit counts what was not there before."""
    if sys.platform != "linux":
        return
    import resource

    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


if __name__ == "__main__":
    main()
