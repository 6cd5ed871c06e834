"""The journal of a campaign: what became of each configuration, on disk before it is counted.

One line of JSON each, after a first line that says of which campaign. A campaign that was killed goes on with it and repeats
what was in flight alone; the line that was being written then is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import time
from collections.abc import Generator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.campaigns.found import Tried
from coequal.equivalence.campaigns.lines import line_of, tried_of
from coequal.equivalence.campaigns.search import Asked, Numbered, Run
from coequal.equivalence.campaigns.spelling import spelled
from coequal.subjects.errors import BadSubject

NAME = "journal.jsonl"
PATIENCE = 30.0  # seconds: the processes of a campaign that was killed let go of its journal


def identity(family: Family, asked: Asked, **more: Any) -> dict[str, Any]:
    """What the results of a campaign depend on: as plain data, in words where they are compared.

    Args:
        family: Its options, and the file that it stands in.
        asked: How many configurations are left out: more begin with the same ones.
        **more: What else the results depend on.

    Returns:
        The first line of a journal.
    """
    found = {
        **{"version": version("coequal"), "target": asked.target, "family": f"{family.name}({', '.join(family.options)})"},
        **{"file": _digest(family), "seed": asked.options.seed, "require": asked.require},
        **{"checks": asked.options.checks, "effort": asked.options.effort},
        **{"bound": asked.options.bound, "literal-constants": asked.options.literal, **more},
    }
    return json.loads(json.dumps(found, default=str))


def _digest(family: Family) -> str:
    """Of the source file of a family; nothing where there is none."""
    with contextlib.suppress(TypeError, OSError):
        return hashlib.sha256(Path(inspect.getfile(family.function)).read_bytes()).hexdigest()
    return ""


class Journal:
    """What became of the configurations of one campaign, by their spelled names. One process at a time writes it."""

    def __init__(self, folder: Path, campaign: dict[str, Any], *, resume: bool = False) -> None:
        """Open a journal, or begin one.

        Args:
            folder: Where it is; made where there is none.
            campaign: Its `identity`.
            resume: Go on with what is there.

        Raises:
            BadSubject: It is of another campaign, damaged, written by another process, or there and not to be resumed.
        """
        self.path, self.known = folder / NAME, dict[str, Tried]()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.file = self.path.open("a+b")
        except OSError as error:
            raise BadSubject(f"cannot write the journal {self.path}: {error.strerror}") from error
        try:
            self._lock()
            self._begin(campaign, resume)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def run(self, run: Run) -> Run:
        """What examines configurations, but those that are known already; what becomes of others is written down."""

        def running(configurations: Numbered) -> Generator[Tried, None, None]:
            named = [(number, values, self.known.get(spelled(values))) for number, values in configurations]
            yield from (replace(one, number=number) for number, _, one in named if one is not None)
            with contextlib.closing(run([(number, values) for number, values, one in named if one is None])) as others:
                for tried in others:
                    self._add(tried)
                    yield tried

        return running

    def _add(self, tried: Tried) -> None:
        self.known[tried.name] = tried
        self._write(line_of(tried))

    def _write(self, line: str) -> None:
        self.file.write(f"{line}\n".encode())
        self.file.flush()
        os.fsync(self.file.fileno())

    def _begin(self, campaign: dict[str, Any], resume: bool) -> None:
        """Read what is there, or write the first line."""
        lines = self._whole_lines()
        if not lines:
            return self._write(json.dumps(campaign))
        if not resume:
            raise BadSubject(f"{self.path} is there already: --resume goes on with it")
        self._compare(campaign, self._read(json.loads, lines, 0))
        for index in range(1, len(lines)):
            tried = self._read(tried_of, lines, index)
            self.known[tried.name] = tried
        return None

    def _whole_lines(self) -> list[bytes]:
        """The lines of the file, from which what is not a whole one at its end is taken away."""
        self.file.seek(0)
        text = self.file.read()
        self.file.truncate(text.rfind(b"\n") + 1)
        return text.split(b"\n")[:-1]

    def _read(self, read: Any, lines: list[bytes], index: int) -> Any:
        try:
            return read(lines[index])
        except ValueError as error:
            raise BadSubject(f"{self.path} is damaged: line {index + 1} of {len(lines)}") from error

    def _compare(self, campaign: dict[str, Any], written: Any) -> None:
        theirs = written if isinstance(written, dict) else {}
        for name in [*campaign, *theirs]:
            if theirs.get(name) != campaign.get(name):
                got = "" if name == "file" else f": {theirs.get(name)!r}, not {campaign.get(name)!r}"
                raise BadSubject(f"{self.path} is the journal of another campaign, with another {name}{got}")

    def _lock(self) -> None:
        """So that two processes never write one journal."""
        end = time.monotonic() + PATIENCE
        while not _locked(self.file):
            if time.monotonic() > end:
                raise BadSubject(f"{self.path} is being written by another campaign")
            time.sleep(0.1)


def _locked(file: IO[bytes]) -> bool:
    """Whether the file is ours now; the lock goes when the process does. Where the system has no such locks, it is."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
