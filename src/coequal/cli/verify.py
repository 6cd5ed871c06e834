"""`coequal verify`: the target in a process of its own, and its report in every format that was asked for."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from coequal.cli.console import complain, console


def verify(options: argparse.Namespace) -> int:
    """Run the target in a process of its own, print its report, write the files asked for."""
    from coequal.cli import again
    from coequal.process import parent
    from coequal.report import html, terminal

    for path in filter(None, (options.json, options.html)):  # said now, not after ten minutes of work
        if not Path(path).parent.is_dir():
            return complain(f"cannot write {path}: no folder {Path(path).parent}")
    try:
        report = parent.run(_request(options), options.timeout)
        report = again.repeated(report, options.seed, options.timeout, _request)
    except parent.BadInput as error:
        return complain(str(error))
    terminal.show(report, console())
    try:
        if options.json:
            Path(options.json).write_text(report.to_json() + "\n")
        if options.html:
            Path(options.html).write_text(html.html(report), encoding="utf-8")
    except OSError as error:
        return complain(f"cannot write {error.filename}: {error.strerror}")
    return report.exit_code(options.require)


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """What the worker is asked for."""
    replay = {key: getattr(options, key) for key in ("length", "batch", "scale", "chunks", "format")}
    return {
        "target": options.target,
        "seed": options.seed if options.load_seed is None else options.load_seed,
        "again": _again(options),
        "load": {key: getattr(options, key) for key in ("example", "window", "within", "allow", "seed", "device")},
        "options": {
            **{"checks": options.only and tuple(options.only), "seed": options.seed, "effort": options.effort},
            **{"bound": options.bound, "literal": options.literal_constants},
        },
        "replay": replay,
    }


def _again(options: argparse.Namespace) -> str:
    """The target with the options that change what is compared: the beginning of a line that repeats a comparison."""
    words = [options.target]
    words += [] if options.window is None else ["--window", str(options.window)]
    words += [] if options.example is None else ["--example", ",".join(map(str, options.example))]
    words += ["--literal-constants"] if options.literal_constants else []
    words += [] if options.device is None else ["--device", options.device]
    return shlex.join(words)
