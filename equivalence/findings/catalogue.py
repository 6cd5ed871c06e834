"""Named findings: numerics, conduct, weights. None of them makes a verdict `different`; a high one makes the exit code 1.

`FINDINGS` is the table of names, with the severity of each and what it means.
"""

from __future__ import annotations

import contextlib
import functools

import torch

from coequal.equivalence.findings.base import Looked
from coequal.equivalence.findings.lifecycle import claims, copying, side_effects
from coequal.equivalence.findings.numerics import drift, nan_recovery, outlier
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor


def look(session: Session, timing: MeasuredTiming, effort: str, fine: bool) -> Looked:
    """All findings of one subject. Those about numerics need a stream that is right otherwise (`fine`)."""
    looked = Looked()
    ordinary = session.subject.inputs is None  # others may mean nothing to the subject
    with contextlib.suppress(StreamRaised):
        copying(session, looked)
    side_effects(session, looked)
    claims(session, timing, looked)
    if fine and session.floating:
        example = Example(0, session.batch, session.seed + 900, session.facts.scale)
        with session.weights(example):
            changed = (outlier, nan_recovery) if ordinary else ()
            for numeric in (*changed, functools.partial(drift, timing=timing)):
                try:
                    numeric(session, looked)
                except StreamRaised as error:
                    name = getattr(numeric, "__name__", "drift").replace("_", "-")
                    looked.add(name, str(error))
    return looked
