"""`coequal` on the command line: verify, write, check, cost, claims, explain, systems."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from coequal.cli.console import complain, console
from coequal.cli.parser import parser
from coequal.cli.verify import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code (0, 1, 2 or 3)."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return 0
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        complain("interrupted")
        return 130  # as shells say it
    except BrokenPipeError:  # the reader of our output went away: `coequal explain conv | head`
        sys.stderr.close()
        return 0


def write(options: argparse.Namespace) -> int:
    """Draft a subject for a module."""
    from coequal.cli import write as command

    return command.write(options)


def check(options: argparse.Namespace) -> int:
    """Compare reference, torch.nn and continual on random architectures."""
    from coequal.cli import check as campaign

    return campaign.run(options, console(), complain)


def cost(options: argparse.Namespace) -> int:
    """Count the operations of a clip and of a step."""
    from coequal.cli import cost as command

    return command.run(options, console(), complain)


def claims(options: argparse.Namespace) -> int:
    """Judge published numbers."""
    from coequal.cli import claims

    return claims.run(options, console(), complain)


def explain(options: argparse.Namespace) -> int:
    """Print the lesson of one operator."""
    from coequal.cli import explain as lesson

    try:
        lesson.show(options.operator, console())
    except lesson.UnknownOperator as error:
        return complain(str(error))
    return 0


def systems(options: argparse.Namespace) -> int:
    """Print the catalogue."""
    from coequal.cli import explain as lesson

    lesson.catalogue(console())
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "verify": verify,
    "write": write,
    "check": check,
    "cost": cost,
    "claims": claims,
    "explain": explain,
    "systems": systems,
}


if __name__ == "__main__":
    sys.exit(main())
