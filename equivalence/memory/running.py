"""What runs while a stream is fed: code of the program, by whatever name it was called, and functions of libraries.

A walk reads the code of functions that are called by name. Others are called by libraries and by Python (`__del__`, `write`,
`extra_repr`), or by names that are put together: those are seen here.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.known import STATEFUL, Hidden, harmless, harmless_in, is_known, made_in_known

FILES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file", "is_dir", "stat", "lstat"}
FILES |= {"touch", "unlink", "mkdir", "rmdir", "rename", "iterdir", "glob", "rglob", "walk", "symlink_to", "hardlink_to"}
FILES |= {"chmod", "cwd", "home", "resolve", "replace", "owner", "group", "samefile", "readlink", "__init__", "__new__"}


@dataclass(frozen=True)
class Ran:
    """Codes of the program's functions that ran, and those of the functions that its modules hold."""

    codes: frozenset[types.CodeType] = frozenset()
    functions: tuple[types.FunctionType, ...] = ()


NOTHING = Ran()


@contextlib.contextmanager
def seeing_calls(look: Callable[[types.FrameType, str, Any], None]) -> Iterator[None]:
    """Meanwhile `look` is told of every call. What the collector of garbage calls is nobody's: it waits."""
    collects = gc.isenabled()
    gc.disable()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
        if collects:
            gc.enable()


class Running:
    """Codes of the program's own functions that ran, and what functions of libraries that it called remember."""

    def __init__(self) -> None:
        self.codes: set[types.CodeType] = set()
        self.functions: dict[tuple[str, str], types.FunctionType] = {}
        self.hidden: str = ""
        self.known: dict[int, tuple[Any, bool]] = {}  # globals, and whether they are a library's
        self.judged: set[Any] = set()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile all calls are seen."""
        if sys.getprofile() is not None:
            raise Unobservable("a profiler runs: nobody can see what is called")
        with seeing_calls(self._look):
            yield

    def unread(self, read: set[types.CodeType]) -> str:
        """What ran and is not among what was read; empty where there is nothing."""
        names = sorted(code.co_qualname for code in self.codes - read if code.co_name != "<module>")
        return f"{names[0]} runs, and was not read: something calls it by another name" if names else ""

    def _look(self, frame: types.FrameType, event: str, function: Any) -> None:
        if event == "call":
            if not self._is_librarys(frame):
                self._note(frame)
            elif frame.f_back is not None and not self._is_librarys(frame.f_back):
                self._judge_code(frame)
        elif event == "c_call" and not self._is_librarys(frame):
            self._judge_built_in(function)

    def ran(self) -> Ran:
        """What ran so far."""
        return Ran(frozenset(self.codes), tuple(self.functions[name] for name in sorted(self.functions)))

    def _note(self, frame: types.FrameType) -> None:
        if frame.f_code not in self.codes:
            self.codes.add(frame.f_code)
            function = frame.f_globals.get(frame.f_code.co_name)
            if isinstance(function, types.FunctionType) and function.__code__ is frame.f_code:
                self.functions[str(function.__module__), function.__qualname__] = function

    def _is_librarys(self, frame: types.FrameType) -> bool:
        names = frame.f_globals
        if id(names) not in self.known:
            self.known[id(names)] = (names, made_in_known(names))
        return self.known[id(names)][1]

    def _judge_code(self, frame: types.FrameType) -> None:
        """A library's function that the program calls."""
        if frame.f_code not in self.judged:
            self.judged.add(frame.f_code)
            module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
            fine = name not in FILES if module.startswith("pathlib") else module.startswith("importlib._bootstrap")
            if not fine:
                self._judge(harmless_in, module, (name,), _any_function)

    def _judge_built_in(self, function: Any) -> None:
        """The same, of one that is not written in Python."""
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if (type(owner), name) in self.judged:
            return
        self.judged.add((type(owner), name))
        if isinstance(function, types.BuiltinFunctionType):
            self._judge(harmless, function)
        if name in STATEFUL and not isinstance(owner, types.ModuleType) and is_known(_class_of(owner).__module__):
            self.hidden = self.hidden or f"the stream uses {_class_of(owner).__name__}.{name}"

    def _judge(self, judge: Any, *given: Any) -> None:
        try:
            judge(*given)
        except Hidden as error:
            self.hidden = self.hidden or f"the stream {error}"


def _any_function() -> None:
    """What a function is told by, where there is its code alone."""


def _class_of(owner: Any) -> type:
    return owner if isinstance(owner, type) else type(owner)
