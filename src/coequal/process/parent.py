"""A process of its own for the user's code, with a time limit that holds.

A stream may call `os._exit`, crash in C, or never return: no `try` catches that. So `coequal verify` starts itself again (as
`python -m coequal.process.child FOLDER`), hands over a request in a file, and reads the answer from another. Prints of the
user's code go straight through. When the time is up, the child and all its children are killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REQUEST, ANSWER, STAGE, FAULTS = "request.pickle", "answer.pickle", "stage.txt", "faults.txt"


class BadInput(Exception):
    """One line for stderr: what is wrong with what the user gave us, and what to do."""


def run(request: dict[str, Any], timeout: float, *, quiet: bool = False) -> Any:
    """What the worker answers to `request`; BadInput if it says so, dies, or takes longer than `timeout` seconds.

    `quiet`: what the user's code prints is dropped.
    """
    with tempfile.TemporaryDirectory(prefix="coequal-") as name:
        folder = Path(name)
        (folder / REQUEST).write_bytes(pickle.dumps({**request, "deadline": time.time() + timeout}))
        with _child(folder, quiet) as child:
            late = _wait(child, timeout)
        answer = folder / ANSWER
        if not late and answer.exists():
            kind, value = pickle.loads(answer.read_bytes())
            if kind == "bad":
                raise BadInput(value)
            return value
        raise BadInput(_obituary(folder, request["target"], f"not finished after {timeout:g} s" if late else _death(child)))


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
        _end(child)


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
        if hasattr(signal, "SIGUSR1"):  # faulthandler in the worker writes its stack, even from inside a C loop
            child.send_signal(signal.SIGUSR1)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.3)
        return True


def _end(child: subprocess.Popen) -> None:
    """Kill the child and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
    child.wait()


def _death(child: subprocess.Popen) -> str:
    """How the worker ended, without an answer."""
    code = child.returncode
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code} and no answer (os._exit?)"


def _obituary(folder: Path, target: str, what: str) -> str:
    """What happened, during what, and at which line of the user's code, as far as the worker could still say."""
    stage = folder / STAGE
    doing = stage.read_text() if stage.exists() else "starting"
    return f"{target}: {what}, while {doing}{_stack(folder / FAULTS)}"


def _stack(faults: Path) -> str:
    """The user's innermost line in a stack written by faulthandler; nothing if there is none."""
    from coequal.process.tracebacks import is_users

    text = faults.read_text(errors="replace") if faults.exists() else ""
    current = text.partition("Current thread")[2] or text  # other threads come first
    for filename, line, function in re.findall(r'File "(.*?)", line (\d+) in (.*)', current.partition("\n\n")[0]):
        if is_users(filename):
            return f", at {filename}, line {line}, in {function}"
    return ""
