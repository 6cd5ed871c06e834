"""Whose fault: an exception that comes out of the user's code, said in one line with their file and line number."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from coequal.subjects.errors import BadSubject

# ours too, but models: what they raise is about how they are used
MODELS = ("coequal.continual.", "coequal.reference.", "coequal.systems.")
HERE = str(Path(__file__).parents[1])
LIBRARY = (sysconfig.get_path("stdlib"), "<frozen")
Frame = tuple[FrameType, int]  # and the line in it


class blamed:
    """Within it, an exception of the user's code becomes a BadSubject that says where in their file it came from."""

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None and not isinstance(error, (BadSubject, KeyboardInterrupt)):
            raise BadSubject(f"{self.doing}: {blame(error)}") from error


def blame(error: BaseException) -> str:
    """One line for an exception: file, line and error, at the last frame that is the user's."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {kind}: {error.msg}"
    frames = list(traceback.walk_tb(error.__traceback__))
    if frames and _is_harness(frames[-1][0]):
        where = f"{Path(frames[-1][0].f_code.co_filename).name}, line {frames[-1][1]}"
        return f"coequal itself failed ({where}: {kind}: {error}); COEQUAL_DEBUG=1 shows where, please report it"
    frame = _last_frame_of_user(frames)
    place = f"{frame[0].f_code.co_filename}, line {frame[1]}: " if frame else ""
    if isinstance(error, SystemExit):
        return f"{place}the program called sys.exit({error.code!r})"
    return f"{place}{kind}: {' '.join(str(error).split())}".rstrip(": ")


def located(error: BaseException, target: str) -> str:
    """The message of an error of the harness, with the target and the user's line that it came from, if it says neither."""
    message = str(error)
    cause = error
    while (before := cause.__cause__ or cause.__context__) is not None:
        cause = before
    frames = [frame for frame in traceback.walk_tb(cause.__traceback__) if _is_users(frame[0])]
    if frames and frames[-1][0].f_code.co_filename not in message:
        message += f" ({frames[-1][0].f_code.co_filename}, line {frames[-1][1]})"
    return message if target in message else f"{target}: {message}"


def _last_frame_of_user(frames: list[Frame]) -> Frame | None:
    """The innermost frame that is neither coequal's nor an installed library's; else the innermost that is not ours."""
    foreign = [f for f in frames if not is_ours(f[0]) and not f[0].f_code.co_filename.startswith("<frozen")]
    return next((f for f in reversed(foreign) if _is_users(f[0])), foreign[-1] if foreign else None)


def is_ours(frame: FrameType) -> bool:
    """Whether the code of a frame is coequal's: its module says so, wherever the file is."""
    return f"{frame.f_globals.get('__name__')}.".startswith("coequal.")


def _is_harness(frame: FrameType) -> bool:
    return is_ours(frame) and not f"{frame.f_globals.get('__name__')}.".startswith(MODELS)


def _is_users(frame: FrameType) -> bool:
    return not is_ours(frame) and is_users(frame.f_code.co_filename)


def is_users(filename: str) -> bool:
    """Whether a file is neither coequal's, nor Python's, nor an installed package's."""
    return "site-packages" not in filename and not filename.startswith((HERE, *LIBRARY))
