"""`coequal verify`: the target in a process of its own, and the document of its report."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import time
from pathlib import Path
from typing import Any, TypeVar

from coequal.cli import again
from coequal.equivalence.campaigns.found import FamilyReport
from coequal.equivalence.report import Report
from coequal.equivalence.suites.found import SuiteReport
from coequal.process import parent
from coequal.process.place import configured, place_of
from coequal.report import certificate, family, runtimes, suite, verdict
from coequal.report.document import Document, Place

LOADING = (
    *("example", "window", "within", "allow", "seed", "device"),
    *("clip", "states", "initial", "time", "ignore", "longest"),
)

CAMPAIGN = ("workers", "time_limit", "memory_limit", "journal", "resume", "scheduler")
TIMEOUT = 600.0  # seconds
Searched = TypeVar("Searched", FamilyReport, SuiteReport)


def document(options: argparse.Namespace) -> Document:
    """Run the target in a process of its own; BadInput says in one line what is wrong with it."""
    if options.resume and options.journal is None:
        raise parent.BadInput("--resume goes on with a journal: say which with --journal FOLDER")
    options.timeout = _timeout(options)
    options.target = configured_target(options)
    report = parent.run(_request(options), options.timeout)
    found = place_of(options.target)
    place = None if found is None else Place(*found)
    if isinstance(report, FamilyReport):
        return family.document(_repeated(report, options), place)
    if isinstance(report, SuiteReport):
        return suite.document(_repeated(report, options))
    report = again.repeated(report, options.seed, options.timeout, _request)
    said = _certified(verdict.document(report, options.require, place), report, options)
    ran = [_on_runtime(options, name) for name in options.backends]
    return runtimes.beside(said, report, ran) if ran else said


def configured_target(options: argparse.Namespace) -> str:
    """The target with its settings in brackets, so that a line that names it repeats them."""
    settings = [*options.settings, *([f"cache={options.cache}"] if options.cache else [])]
    where, known = configured(options.target)
    return f"{where}[{', '.join([*([known] if known else []), *settings])}]" if settings else options.target


def _timeout(options: argparse.Namespace) -> float:
    """Seconds for all of it: what is asked for, and else none for a campaign."""
    campaign = options.workers or options.journal or options.scheduler
    return options.timeout or (math.inf if campaign else TIMEOUT)


def _certified(said: Document, report: Report, options: argparse.Namespace) -> Document:
    """With what became of the certificate that was asked for."""
    if options.certificate is None:
        return said
    try:
        made = parent.run({**_request(options), "certify": report}, options.timeout)
        Path(options.certificate).write_text(json.dumps(made, indent=1), encoding="utf-8")
    except parent.BadInput as error:
        return certificate.not_written(said, str(error).removeprefix(f"{options.target}: "))
    except OSError as error:
        raise parent.BadInput(f"cannot write {options.certificate}: {error.strerror}") from error
    return certificate.written(said, options.certificate, made)


def _repeated(report: Searched, options: argparse.Namespace) -> Searched:
    """With what became of each printed command in a fresh process."""
    ending = time.monotonic() + max(min(options.timeout, TIMEOUT) - report.seconds, 0.0)

    def repeated(found: Report) -> Report:
        if isinstance(report, SuiteReport) and time.monotonic() > ending:
            return found
        return again.repeated(found, options.seed, min(options.timeout, TIMEOUT), _request)

    return report.replacing(repeated)


def _on_runtime(options: argparse.Namespace, name: str) -> Any:
    """What became of the file on a runtime; one that is not installed, or refuses it, is said in the report."""
    try:
        return parent.run({**_request(options), "backend": name}, options.timeout)
    except parent.BadInput as error:
        return runtimes.NotRun(name, str(error).removeprefix(f"{options.target}: "))


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """What the worker is asked for."""
    replay = {key: getattr(options, key) for key in ("length", "batch", "scale", "chunks", "format")}
    return {
        "target": options.target,
        "seed": options.seed if options.load_seed is None else options.load_seed,
        "again": _again(options),
        "load": {key: getattr(options, key) for key in LOADING},
        "options": {
            **{"checks": options.only and tuple(options.only), "seed": options.seed, "effort": options.effort},
            **{"bound": options.bound, "literal": options.literal_constants},
        },
        "replay": replay,
        "configurations": options.configurations,
        "campaign": {key: getattr(options, key) for key in CAMPAIGN},
        "require": options.require,
        "backends": options.backends,
    }


def _again(options: argparse.Namespace) -> str:
    """The target with the options that change what is compared: the beginning of a line that repeats a comparison."""
    words = [options.target]
    words += [] if options.window is None else ["--window", str(options.window)]
    words += [] if options.example is None else ["--example", ",".join(map(str, options.example))]
    words += ["--literal-constants"] if options.literal_constants else []
    words += [] if options.device is None else ["--device", options.device]
    for name in ("clip", "initial", "time", "ignore", "longest"):
        words += [] if getattr(options, name) is None else [f"--{name}", str(getattr(options, name))]
    words += [word for pair in options.states for word in ("--state", pair)]
    return shlex.join(words)
