"""One way to write, on the terminal and into files, and one way to complain."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coequal.process.parent import BadInput
from coequal.report.formats import formats, to_file

if TYPE_CHECKING:
    from rich.console import Console

    from coequal.report.document import Document


def console() -> Console:
    """The terminal, or the pipe, that is written to."""
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):  # a terminal or pipe that cannot show a letter gets a question mark
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, markup=False, emoji=False)


def complain(message: str) -> int:
    """Bad input: one line on stderr, exit code 2."""
    print(f"coequal: {' '.join(message.split())}", file=sys.stderr)
    return 2


def writable(options: argparse.Namespace) -> None:
    """BadInput where a file that is asked for cannot be written: said now, not after ten minutes of work."""
    for path in (Path(asked) for writer, asked in _asked(options) if to_file(writer)):
        if not path.parent.is_dir():
            raise BadInput(f"cannot write {path}: no folder {path.parent}")
        if path.is_dir():
            raise BadInput(f"cannot write {path}: Is a directory")


def deliver(document: Document, options: argparse.Namespace) -> int:
    """Print a document, write it in every format that was asked for, and return its exit code; BadInput as of `writable`."""
    from coequal.report.writers import terminal

    printed = console()
    terminal.show(document, printed)
    for writer, asked in _asked(options):
        try:
            if to_file(writer):
                Path(asked).write_text(writer.text(document), encoding="utf-8", errors="replace")
            else:
                writer.publish(document, printed.file)
        except BrokenPipeError:
            raise
        except OSError as error:  # that of a full disk names no file
            where = error.filename or (asked if to_file(writer) else "the standard output")
            raise BadInput(f"cannot write {where}: {error.strerror}") from error
    return document.exit_code


def _asked(options: argparse.Namespace) -> Iterator[tuple[Any, Any]]:
    """The writers that were asked for, each with the value of its option; an option that was not given is not there."""
    for name, writer in formats().items():
        if hasattr(options, name):
            yield writer, getattr(options, name)
