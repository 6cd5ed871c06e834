"""`coequal` on the command line: verify, export, recheck, write, check, cost, claims, explain, systems."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from coequal.cli.commands import run
from coequal.cli.console import complain
from coequal.cli.parser import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code (0, 1, 2 or 3)."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return 0
    try:
        return run(options)
    except KeyboardInterrupt:
        complain("interrupted")
        return 130  # as shells say it
    except BrokenPipeError:  # the reader of our output went away: `coequal explain conv | head`
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
