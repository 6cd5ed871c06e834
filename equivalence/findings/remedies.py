"""What a subject's maker suspects, tried where clip and stream differ: what makes them agree was what is wrong."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from coequal.equivalence.checks.attempts import Attempt
from coequal.equivalence.compare.relation import compare
from coequal.equivalence.findings.base import FINDINGS
from coequal.equivalence.options import Replay
from coequal.equivalence.report import Finding
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session

AT_MOST = 20.0  # seconds, unless there is less


def remedies(session: Session, failed: Attempt | None, replay: Replay | None, deadline: float | None) -> list[Finding]:
    """The first suspect whose stream agrees with the clip, or else all that was seen to be wrong; nothing in a replay."""
    if session.subject.suspects is None or failed is None or replay is not None:
        return []
    until, found = time.monotonic() + AT_MOST, list[str]()
    until = until if deadline is None else min(until, deadline)
    for suspect in session.subject.suspects():
        if suspect.stream is None:
            found.append(suspect.says)
        elif _agrees(session, suspect.stream, failed.example):
            found = [suspect.says]
            break
        if time.monotonic() > until:
            break
    return [Finding("remedy", FINDINGS["remedy"][0], says) for says in found]


def _agrees(session: Session, stream: Callable[[], Any], failed: Example | None) -> bool:
    """Whether this stream gives what the clip gives: where the other one did not, and at two more lengths."""
    other = copy.copy(session).unseen()
    other.subject = replace(session.subject, stream=stream)
    other.comparisons = []
    lengths = [session.example_length, 2 * session.facts.reach + 5]
    examples = [Example(session.legal(n), session.batch, session.seed + 950 + i, None) for i, n in enumerate(lengths)]
    try:
        for example in [*([failed] if failed is not None else []), *examples]:
            with other.weights(example):
                x = other.inputs(other.legal(example.length), example.batch, example.seed)
                if compare(other, x, other.play(x)).difference is not None:
                    return False
    except Exception:  # this stream does not even run
        return False
    return True
