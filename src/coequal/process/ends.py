"""How a process of ours ends: asked where it is, killed with all that it started, and said in words."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess

from coequal.process.tracebacks import is_users

ASKING = 0.3  # seconds that a process has to say where it is


def ask_where(child: subprocess.Popen) -> None:
    """Have `faulthandler` in a process write its stack, even from inside a loop in C."""
    if hasattr(signal, "SIGUSR1"):
        child.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(ASKING)


def end(child: subprocess.Popen) -> None:
    """Kill a process that leads its group, and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
    child.wait()


def death(child: subprocess.Popen) -> str:
    """How a process ended, without an answer."""
    code = child.returncode
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code} and no answer (os._exit?)"


def users_frames(text: str) -> list[tuple[str, str, str]]:
    """Of a stack written by `faulthandler`: file, line and function of the user's frames, the innermost first."""
    current = text.partition("Current thread")[2] or text  # other threads come first
    frames = re.findall(r'File "(.*?)", line (\d+) in (.*)', current.partition("\n\n")[0])
    return [frame for frame in frames if is_users(frame[0])]
