"""Findings about numbers: outliers, NaN, drift, rounding beyond the clip's own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from coequal.equivalence.compare.difference import close
from coequal.equivalence.compare.floats import largest
from coequal.equivalence.compare.relation import emitted
from coequal.equivalence.compare.rounding import Rounded
from coequal.equivalence.findings.base import FINDINGS, Looked
from coequal.equivalence.findings.drift import follow
from coequal.equivalence.report import Finding, MeasuredTiming
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import Tree

OUTLIER = 20.0  # times as large as the other frames

Tensor = torch.Tensor


def outlier(session: Session, looked: Looked) -> None:
    """One frame twenty times as large, then ordinary ones: the emission must be finite, and right once the frame is gone."""
    length = session.legal(3 * session.facts.reach + 6) or session.legal(session.example_length)
    at = length - 2 * session.facts.reach - 4
    x = session.inputs(length, session.batch, session.seed + 901)
    x = session.layout.replaced(x, max(0, at), session.layout.on_frames(lambda leaf: leaf * OUTLIER, x), max(0, at))
    for frame, got, want, limit in _pairs(session, x):
        finite = torch.isfinite(want)
        if not bool(torch.isfinite(got)[finite].all()):
            looked.add(
                "outlier", f"frame {frame} is not finite after frame {at} was {OUTLIER:g} times as large; the clip is finite"
            )
            return
        if not close(got, want, limit):
            if _off_already(session, 901):
                return
            looked.add(
                "outlier",
                f"frame {frame} is wrong after frame {at} was {OUTLIER:g} times as large: off by {_off(got, want):.1e}",
            )
            return


def nan_recovery(session: Session, looked: Looked) -> None:
    """One NaN frame: where the clip has recovered the stream must have, too."""
    length = session.legal(3 * session.facts.reach + 6) or session.legal(session.example_length)
    at = max(0, length - 2 * session.facts.reach - 4)
    x = session.inputs(length, session.batch, session.seed + 902)
    x = session.layout.replaced(x, at, session.layout.on_frames(lambda leaf: torch.full_like(leaf, math.nan), x), at)
    for frame, got, want, limit in _pairs(session, x):
        if bool(torch.isfinite(want).all()) and not close(got, want, limit):
            if not bool(torch.isnan(got).any()) and _off_already(session, 902):
                return
            what = "NaN" if bool(torch.isnan(got).any()) else "wrong"
            looked.add(
                "nan-recovery", f"frame {frame} is {what} although the NaN of frame {at} has left the receptive field"
            )
            return


def _off_already(session: Session, seed: int) -> bool:
    """Whether ordinary frames are off, too: it is the stream's rounding, which has a finding of its own."""
    length = session.legal(3 * session.facts.reach + 6) or session.legal(session.example_length)
    x = session.inputs(length, session.batch, session.seed + seed)
    return any(not close(got, want, limit) for _, got, want, limit in _pairs(session, x))


def _pairs(session: Session, x: Tree) -> Iterator[tuple[int, Tensor, Tensor, float]]:
    """Every emission with what it should be and the rounding bound of ordinary frames; shapes are known to agree.

    Of a length that the clip function refuses there is none.
    """
    if session.subject.window is None and session.clip(x) is None:
        return
    for pair in emitted(session, x, session.play(x).emissions()):
        yield pair.frame, pair.got, pair.want, _limit(session, pair.clip, pair.like)


def _limit(session: Session, x: Tree, output: Tensor) -> float:
    if not largest(output):
        return 0.0
    return session.numbers.bound(session, session.layout.on_data(torch.nan_to_num, x), torch.nan_to_num(output))


def _off(got: Tensor, want: Tensor) -> float:
    return float((got.double() - want.double()).abs().max())


def drift(session: Session, looked: Looked, timing: MeasuredTiming) -> None:
    """Error over time. Where memory is unbounded, errors may add up in the function itself: of low severity then."""
    followed = follow(session, timing)
    if followed is None:
        return
    looked.quality.update(followed.quality)
    if followed.grows:
        bounded = session.subject.window is not None or timing.receptive_field not in (None, math.inf)
        remembers = "" if bounded else ": the stream remembers everything, and errors may add up in the function itself"
        severity = FINDINGS["drift"][0] if bounded else "low"
        looked.findings.append(Finding("drift", severity, followed.grows + remembers))


def of_rounding(rounded: Sequence[Rounded]) -> list[Finding]:
    """The stream cancels digits that its clip keeps; what its own format alone shows, and rounding does not explain."""
    worst = max(rounded, key=lambda one: one.largest, default=None)
    unexplained = next((one.unexplained for one in rounded if one.unexplained), "")
    found = {"rounding": worst.words if worst is not None and worst.largest else "", "own-format": unexplained}
    return [Finding(name, FINDINGS[name][0], f"{FINDINGS[name][1]} ({detail})") for name, detail in found.items() if detail]
