"""A process of its own for the user's code, with a time limit that holds.

A stream may call `os._exit`, crash in C, or never return: no `try` catches that. So `coequal verify` starts itself again (as
`python -m coequal.process.child FOLDER`), hands over a request in a file, and reads the answer from another. Prints of the
user's code go straight through. When the time is up, the child and all its children are killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coequal.process.ends import ask_where, death, end, users_frames

REQUEST, ANSWER, STAGE, FAULTS = "request.pickle", "answer.pickle", "stage.txt", "faults.txt"


class BadInput(Exception):
    """One line for stderr: what is wrong with what the user gave us, and what to do."""


def run(request: dict[str, Any], timeout: float, *, quiet: bool = False) -> Any:
    """What the worker answers to `request`; BadInput if it says so, dies, or takes longer than `timeout` seconds.

    `quiet`: what the user's code prints is dropped.
    """
    with tempfile.TemporaryDirectory(prefix="coequal-") as name:
        folder = Path(name)
        asked = {**request, "deadline": time.time() + timeout, "parent": os.getpid()}
        (folder / REQUEST).write_bytes(pickle.dumps(asked))
        with _child(folder, quiet) as child:
            late = _wait(child, timeout)
        answer = folder / ANSWER
        if not late and answer.exists():
            kind, value = pickle.loads(answer.read_bytes())
            if kind == "bad":
                raise BadInput(value)
            return value
        raise BadInput(_obituary(folder, request["target"], f"not finished after {timeout:g} s" if late else death(child)))


@contextlib.contextmanager
def _child(folder: Path, quiet: bool) -> Iterator[subprocess.Popen]:
    """The worker, in a process group of its own so that all of it can be ended."""
    command = [sys.executable, "-P", "-m", "coequal.process.child", str(folder)]
    prints = subprocess.DEVNULL if quiet else None
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=prints, stderr=prints, start_new_session=True)
    try:
        with _terminable():
            yield child
    finally:
        end(child)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Within it, SIGTERM unwinds the stack as Ctrl-C does, so that the child does not outlive us."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(child: subprocess.Popen, timeout: float) -> bool:
    """Whether the child is still running when the time is up; if so it has been asked where it is."""
    try:
        child.wait(timeout)
        return False
    except subprocess.TimeoutExpired:
        ask_where(child)
        return True


def _obituary(folder: Path, target: str, what: str) -> str:
    """What happened, during what, and at which line of the user's code, as far as the worker could still say."""
    stage = folder / STAGE
    doing = stage.read_text() if stage.exists() else "starting"
    return f"{target}: {what}, while {doing}{_stack(folder / FAULTS)}"


def _stack(faults: Path) -> str:
    """The user's innermost line in a stack written by faulthandler; nothing if there is none."""
    for filename, line, function in users_frames(faults.read_text(errors="replace") if faults.exists() else ""):
        return f", at {filename}, line {line}, in {function}"
    return ""
