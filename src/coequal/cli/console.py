"""One way to write on the terminal, and one way to complain."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


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
