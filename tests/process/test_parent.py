"""A process of its own: whatever the user's code does, one line comes back, in time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coequal.process import parent as sandbox

DEADLY = {
    "import os\nos._exit(7)\n": "its process ended with exit code 7 and no answer (os._exit?), while loading it",
    "import os\nos._exit(0)\n": "its process ended with exit code 0 and no answer (os._exit?), while loading it",
    "x = 1\nimport ctypes\nctypes.string_at(0)\n": "its process was killed by SIGSEGV, while loading it, at {path}, line 3",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n": "its process was killed by SIGKILL, while loading it",
    "def f():\n    while True:\n        pass\n\nf()\n": "not finished after 3 s, while loading it, at {path}, line ",
}


def request(target: str) -> dict:
    load = {"example": None, "window": None, "allow": [], "seed": 0}
    return {"target": target, "again": target, "load": load, "options": {"effort": "quick"}, "replay": {}}


def complaint(target: str, timeout: float = 60) -> str:
    with pytest.raises(sandbox.BadInput) as error:
        sandbox.run(request(target), timeout)
    return str(error.value)


@pytest.mark.parametrize(("source", "says"), DEADLY.items(), ids=["exit 7", "exit 0", "segfault", "killed", "never returns"])
def test_an_end_that_no_try_can_catch(source: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "deadly.py"
    path.write_text(source)
    limit = 3 if "while True" in source else 60
    assert complaint(f"{path}:x", limit).startswith(f"{path}:x: {says.format(path=path)}")


def test_the_time_limit_holds_and_takes_the_children_along(tmp_path: Path) -> None:
    path, note = tmp_path / "parent.py", tmp_path / "pid"
    path.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    began = time.monotonic()
    said = complaint(f"{path}:x", 12)
    assert time.monotonic() - began < 300  # it would sleep for ten minutes
    assert f"not finished after 12 s, while loading it, at {path}, line 4, in <module>" in said
    assert not runs(int(note.read_text()))


def runs(pid: int) -> bool:
    """Whether a process exists and is more than a corpse that nobody has buried yet."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.1)
    return True


def test_prints_of_the_user_go_through(tmp_path: Path) -> None:
    path = tmp_path / "chatty.py"
    path.write_text("import sys\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\nname = 0\n")
    script = Path(sys.executable).with_name("coequal")
    run = subprocess.run([script, "verify", f"{path}:name"], capture_output=True, text=True, check=False, timeout=600)
    assert run.stdout == "to stdout\n"
    assert run.stderr.splitlines()[0] == "to stderr"
    assert run.returncode == 2


def test_a_lingering_thread_does_not_hold_the_answer_back(tmp_path: Path) -> None:
    path = tmp_path / "lingering.py"
    path.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\nname = 0\n")
    assert "is of type int" in complaint(f"{path}:name")


def test_asking_for_input_is_an_error_not_a_wait(tmp_path: Path) -> None:
    path = tmp_path / "asking.py"
    path.write_text("answer = input('?')\n")
    assert complaint(f"{path}:answer").endswith(f"{path}, line 1: EOFError: EOF when reading a line")


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(tmp_path))
    complaint("nothing/here.py:x")
    assert os.listdir(tmp_path) == []


BEGIN = """
import signal
from coequal.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
raise SystemExit(main())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_ending_the_command_ends_its_child(name: str, tmp_path: Path) -> None:
    path, note = tmp_path / "endless.py", tmp_path / "pid"
    path.write_text(f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n")
    command = [sys.executable, "-P", "-c", BEGIN, "verify", f"{path}:x"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        while not (note.exists() and note.read_text()):
            time.sleep(0.05)
        run.send_signal(getattr(signal, name))
        assert run.communicate(timeout=300)[1] == "coequal: interrupted\n"
    assert run.returncode == 130
    assert not runs(int(note.read_text()))
