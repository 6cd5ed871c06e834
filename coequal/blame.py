"""Whose fault: an exception that comes out of the user's code, said in one line with their file and line number."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import Any

from coequal.equivalence.errors import BadSubject

_ROOT = Path(__file__).resolve().parents[1]
MODELS = ("continual", "reference", "systems")  # ours too, but models: what they raise is about how they are used
OURS = tuple(f"{_ROOT / room}/" for room in ("coequal", "equivalence", "proofs", *MODELS))
LIBRARY = (sysconfig.get_path("stdlib"), "<frozen")


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
    frames = traceback.extract_tb(error.__traceback__)
    if frames and _is_harness(frames[-1].filename):
        where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
        return f"coequal itself failed ({where}: {kind}: {error}); COEQUAL_DEBUG=1 shows where, please report it"
    frame = _last_frame_of_user(frames)
    place = f"{frame.filename}, line {frame.lineno}: " if frame else ""
    if isinstance(error, SystemExit):
        return f"{place}the program called sys.exit({error.code!r})"
    return f"{place}{kind}: {' '.join(str(error).split())}".rstrip(": ")


def located(error: BaseException, target: str) -> str:
    """The message of an error of the harness, with the target and the user's line that it came from, if it says neither."""
    message = str(error)
    cause = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    frames = [f for f in traceback.extract_tb(cause.__traceback__) if is_users(f.filename)]
    if frames and frames[-1].filename not in message:
        message += f" ({frames[-1].filename}, line {frames[-1].lineno})"
    return message if target in message else f"{target}: {message}"


def _last_frame_of_user(frames: list[traceback.FrameSummary]) -> traceback.FrameSummary | None:
    """The innermost frame that is neither coequal's nor an installed library's; else the innermost that is not ours."""
    foreign = [f for f in frames if not f.filename.startswith((*OURS, "<frozen"))]
    return next((f for f in reversed(foreign) if is_users(f.filename)), foreign[-1] if foreign else None)


def _is_harness(filename: str) -> bool:
    return filename.startswith(OURS) and not any(f"/{room}/" in filename for room in MODELS)


def is_users(filename: str) -> bool:
    """Whether a file is neither coequal's, nor Python's, nor an installed package's."""
    return "site-packages" not in filename and not filename.startswith((*OURS, *LIBRARY))
