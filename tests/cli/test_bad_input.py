"""Everything that can be wrong with a subject: one line on stderr, exit code 2, no traceback."""

import sys
import time
from pathlib import Path

import pytest

from coequal.__main__ import main
from coequal.process import child as worker
from coequal.process import parent as sandbox

HEAD = """
import os, sys, time
import torch, coequal

x = torch.randn(1, 2, 6)

class Echo:
    def __init__(self):
        self.count = 0
    def step(self, frame):
        self.count += 1
        return frame

class Raises(Echo):
    def step(self, frame):
        if self.count == 2:
            return torch.ones(2, 3) @ torch.ones(2, 3)
        return super().step(frame)

class Leaves(Echo):
    def step(self, frame):
        sys.exit("enough")

class LeavesAtOnce(Echo):
    def step(self, frame):
        os._exit(5)

class Crashes(Echo):
    def step(self, frame):
        import ctypes
        ctypes.string_at(0)

class NeverReturns(Echo):
    def step(self, frame):
        while True:
            time.sleep(0.1)

class Gives(Echo):
    what = None
    def step(self, frame):
        return self.what

def gives(what):
    return type("Gives", (Gives,), {"what": what})

def no_stream():
    raise KeyError("no stream today")

def subject(clip=lambda x: x, stream=Echo, example=x, **more):
    return coequal.Subject(clip=clip, stream=stream, example=example, **more)

linear = torch.nn.Linear(5, 2)
"""

# what is wrong -> (the subject, extra arguments, what the line says)
WRONG = {
    "the stream raises": ("subject(stream=Raises)", "", "theirs.py, line 17"),
    "the stream calls sys.exit": ("subject(stream=Leaves)", "", "theirs.py, line 22"),
    "the stream calls os._exit": ("subject(stream=LeavesAtOnce)", "", "ended with exit code 5 and no answer (os._exit?)"),
    "the stream crashes": ("subject(stream=Crashes)", "", "killed by SIGSEGV, while verifying it, at "),
    "the stream never returns": (
        "subject(stream=NeverReturns)",
        "--timeout 6",
        "not finished after 6 s, while verifying it, at ",
    ),
    "the clip never returns": (
        "subject(clip=NeverReturns().step)",
        "--timeout 6",
        "not finished after 6 s, while verifying it",
    ),
    "the stream gives a string": ("subject(stream=gives('frame'))", "", "str"),
    "the stream cannot be made": ("subject(stream=no_stream)", "", "theirs.py, line 47"),
    "the stream has no step": ("subject(stream=object)", "", "step"),
    "the clip gives a string": ("subject(clip=lambda x: 'clip')", "", "str"),
    "the clip gives nothing": ("subject(clip=lambda x: None)", "", "None"),
    "the clip gives another dtype": ("subject(clip=lambda x: x.half())", "", "float16"),
    "the example does not fit": ("subject(clip=linear)", "", "mat1 and mat2 shapes cannot be multiplied"),
    "the example is no tensor": ("subject(example=[1, 2, 3])", "", "int"),
    "the time axis is not there": ("subject(time=3)", "", "time"),
    "the stream is no callable": ("subject(stream=Echo())", "", "stream"),
    "an unknown check": ("subject()", "--only vlaues", "values"),
    "an unknown thing to allow": ("subject()", "--allow driftt", "drift"),
    "a window of an unknown kind": ("subject(emits='all')", "", "emits"),
}


DEADLY = {"the stream calls os._exit", "the stream crashes", "the stream never returns", "the clip never returns"}


@pytest.mark.parametrize("what", WRONG)
def test_one_line(what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    expression, options, says = WRONG[what]
    path = tmp_path / "theirs.py"
    path.write_text(f"{HEAD}\n\nname = {expression}\n")
    if what not in DEADLY:
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(sandbox, "run", in_this_process(tmp_path))
    code = main(["verify", f"{path}:name", "--effort", "quick", *options.split()])
    out, err = capfd.readouterr()
    assert says in err
    assert err.startswith(f"coequal: {path}:name: ")
    assert err.count("\n") == 1
    assert "coequal itself failed" not in err
    assert (out, code) == ("", 2)


def in_this_process(folder: Path):
    """The worker's answer without its process, which takes seconds to start."""

    def run(request: dict, timeout: float):
        kind, value = worker.answer(folder, {**request, "deadline": time.time() + timeout})
        if kind == "bad":
            raise sandbox.BadInput(value)
        return value

    return run
