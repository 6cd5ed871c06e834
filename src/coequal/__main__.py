"""`coequal` on the command line: verify, check, cost, claims, explain, systems."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from coequal.arguments import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code (0, 1, 2 or 3)."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return 0
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130  # as shells say it
    except BrokenPipeError:  # the reader of our output went away: `coequal explain conv | head`
        sys.stderr.close()
        return 0


def verify(options: argparse.Namespace) -> int:
    """Run the target in a process of its own, print its report, write the files asked for."""
    from coequal import again, page, sandbox, text

    for path in filter(None, (options.json, options.html)):  # said now, not after ten minutes of work
        if not Path(path).parent.is_dir():
            return _complain(f"cannot write {path}: no folder {Path(path).parent}")
    try:
        report = sandbox.run(_request(options), options.timeout)
        report = again.repeated(report, options.seed, options.timeout, _request)
    except sandbox.BadInput as error:
        return _complain(str(error))
    text.show(report, _console())
    try:
        if options.json:
            Path(options.json).write_text(report.to_json() + "\n")
        if options.html:
            Path(options.html).write_text(page.html(report), encoding="utf-8")
    except OSError as error:
        return _complain(f"cannot write {error.filename}: {error.strerror}")
    return report.exit_code(options.require)


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """What the worker is asked for."""
    replay = {key: getattr(options, key) for key in ("length", "batch", "scale", "chunks", "format")}
    return {
        "target": options.target,
        "seed": options.seed if options.load_seed is None else options.load_seed,
        "again": _again(options),
        "load": {key: getattr(options, key) for key in ("example", "window", "allow", "seed", "device")},
        "verify": {
            **{"checks": options.only and tuple(options.only), "seed": options.seed, "effort": options.effort},
            **{"bound": options.bound, "literal": options.literal_constants},
            **{key: value for key, value in replay.items() if value is not None},
        },
    }


def _again(options: argparse.Namespace) -> str:
    """The target with the options that change what is compared: the beginning of a line that repeats a comparison."""
    words = [options.target]
    words += [] if options.window is None else ["--window", str(options.window)]
    words += [] if options.example is None else ["--example", ",".join(map(str, options.example))]
    words += ["--literal-constants"] if options.literal_constants else []
    words += [] if options.device is None else ["--device", options.device]
    return shlex.join(words)


def check(options: argparse.Namespace) -> int:
    """Compare reference, torch.nn and continual on random architectures."""
    from coequal import campaign

    return campaign.run(options, _console(), _complain)


def cost(options: argparse.Namespace) -> int:
    """Count the operations of a clip and of a step."""
    from coequal import cost as command

    return command.run(options, _console(), _complain)


def claims(options: argparse.Namespace) -> int:
    """Judge published numbers."""
    from coequal import claims

    return claims.run(options, _console(), _complain)


def explain(options: argparse.Namespace) -> int:
    """Print the lesson of one operator."""
    from coequal import lesson

    try:
        lesson.show(options.operator, _console())
    except lesson.UnknownOperator as error:
        return _complain(str(error))
    return 0


def systems(options: argparse.Namespace) -> int:
    """Print the catalogue."""
    from coequal import lesson

    lesson.catalogue(_console())
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "verify": verify,
    "check": check,
    "cost": cost,
    "claims": claims,
    "explain": explain,
    "systems": systems,
}


def _console():
    from rich.console import Console

    if hasattr(sys.stdout, "reconfigure"):  # a terminal or pipe that cannot show a letter gets a question mark
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, markup=False, emoji=False)


def _complain(message: str) -> int:
    """Bad input: one line on stderr, exit code 2."""
    print(f"coequal: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
