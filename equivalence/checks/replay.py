"""One comparison by itself: the line that repeats it, and the examples that such a line means."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from coequal.equivalence.checks import CHECKS
from coequal.equivalence.options import Replay
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session


def command(target: str | None, check: str, example: Example) -> str:
    """A line for the shell, or, without a target, for Python."""
    if target is None:
        given: dict[str, object] = {"length": example.length, "batch": example.batch, "seed": example.seed}
        given |= {} if example.scale is None else {"scale": example.scale}
        given |= {} if example.chunks is None else {"chunks": example.chunks}
        given |= {} if example.format is None else {"format": example.format}
        return f"coequal.verify(subject, checks=[{check!r}], {', '.join(f'{k}={v!r}' for k, v in given.items())})"
    words = ["coequal", "verify", *shlex.split(target), "--only", check]
    words += ["--length", str(example.length), "--batch", str(example.batch), "--seed", str(example.seed)]
    words += [] if example.scale is None else ["--scale", f"{example.scale:g}"]
    words += [] if example.chunks is None else ["--chunks", ",".join(map(str, example.chunks))]
    words += [] if example.format is None else ["--format", example.format]
    return shlex.join(words)


def examples_to_replay(session: Session, name: str, effort: str, replayed: Replay) -> Iterator[Example]:
    """The example that the options describe, once for each variant of the check; the seed is taken as it is."""
    usual = list(CHECKS[name].examples(session, effort))
    chosen = replayed.chosen
    if chosen.get("chunks") and "length" not in chosen:
        chosen["length"] = sum(chosen["chunks"])
    first = (
        Example(session.example_length, session.batch, session.seed) if not usual else replace(usual[0], seed=session.seed)
    )
    first = replace(first, scale=None, format=None, chunks=first.chunks if "length" not in chosen else None)
    for variant in dict.fromkeys(example.variant for example in usual) or [""]:
        yield replace(first, variant=variant, **chosen)
