"""`coequal claims`: published numbers judged."""

from __future__ import annotations

import argparse
import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coequal.process import parent
from coequal.process.parent import BadInput
from coequal.proofs.claims.claim import BadClaims, Claim, published, read
from coequal.proofs.claims.judge import FAILS, HOLDS, UNDER, UNKNOWN, Judgement, judge
from coequal.proofs.cost.algebra.conventions import CONVENTIONS
from coequal.report.document import Case, Cell, Column, Document, Line, Part, Section, Status, Table, Tone
from coequal.subjects.errors import nearest
from coequal.systems.catalogue import SYSTEMS

MANY = {HOLDS: "hold", UNDER: "hold under a convention", FAILS: "do not hold", UNKNOWN: "not derivable"}
TONES: dict[str, Tone] = {HOLDS: "good", UNDER: "good", FAILS: "bad", UNKNOWN: "dim"}
STATUSES: dict[str, Status] = {HOLDS: "passed", UNDER: "passed", FAILS: "warned", UNKNOWN: "skipped"}
OPTION, CLIPS = "add --example SHAPE (like --example 1,3,16,32,32)", "like 3x16x112x112, or 2x16 of 2 channels"
PHRASES = (Column("model", "phrase"), Column("quantity"))
COLUMNS = (*PHRASES, Column("published", "number"), Column("derived", "number"), Column("verdict"))


def document(options: argparse.Namespace) -> Document:
    """Judge. Whether numbers hold is a finding, not an error: the exit code is 0. BadInput: no such name, or a bad file."""
    try:
        claims = published() if options.data is None else list(read(Path(options.data)))
        judgements = judge(claims, functools.cache(functools.partial(measured, timeout=options.timeout)))
        return judged(select(judgements, options.systems), everything=bool(options.systems))
    except BadClaims as error:
        raise BadInput(f"claims: {error}") from error


def measured(code: str, shape: tuple[int, ...] | None, timeout: float) -> dict[str, Any]:
    """What code of the user's counts for under each convention, in a process of its own; BadInput: it cannot be counted."""
    asked = {"conventions": list(CONVENTIONS), "example": shape, **dict.fromkeys(("mode", "symbolic", "latex", "window"))}
    try:
        return parent.run({"target": code, "cost": asked}, timeout)
    except BadInput as error:
        raise BadInput(str(error).replace(OPTION, f"claims: write the clip as the input ({CLIPS})")) from error


def select(judgements: Sequence[Judgement], names: Sequence[str]) -> list[Judgement]:
    """Those of the named papers, models or networks, in order; all of them without names."""
    known = {name: None for j in judgements for name in _names(j.claim)}
    for name in names:
        if name not in known and name in SYSTEMS:
            raise BadClaims(f"no published number of {name!r} was found; what it costs: `coequal cost {name!r}`")
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"papers: {', '.join(papers(judgements))}"
            raise BadClaims(f"no published number of {name!r}; {hint}")
    return [j for j in judgements if not names or set(_names(j.claim)) & set(names)]


def papers(judgements: Sequence[Judgement]) -> list[str]:
    """Every system of the data files, in order."""
    return list(dict.fromkeys(j.claim.system for j in judgements))


def _names(claim: Claim) -> tuple[str, ...]:
    return (claim.system, claim.model, *filter(None, claim.network.split(" / ")))


def judged(judgements: Sequence[Judgement], *, everything: bool) -> Document:
    """One line for each number; without names, what is not derivable is only counted, by its reason."""
    return Document(
        command="claims",
        parts=tuple(_parts([j for j in judgements if everything or j.verdict != UNKNOWN], everything)),
        conclusion=summary(judgements),
        appendix=() if everything else tuple(_underivable(judgements)),
        cases=tuple(map(_case, judgements)),
        data=[j.to_dict() for j in judgements],
    )


def _parts(judgements: Sequence[Judgement], everything: bool) -> Iterator[Part]:
    if judgements:
        yield Table(COLUMNS, tuple(map(_row, judgements)))
    for j in judgements:
        if j.verdict == FAILS or everything:
            yield Line(j.why, f"{j.claim.model}, {j.claim.quantity}:")


def _row(j: Judgement) -> tuple[str | Cell, ...]:
    claim, verdict = j.claim, Cell(j.text, TONES[j.verdict], short=j.text.replace(" convention", ""))
    return claim.model, f"{claim.quantity}, {claim.mode}", f"{claim.published} {claim.unit}", j.shown(), verdict


def _underivable(judgements: Sequence[Judgement]) -> Iterator[Section]:
    """How many numbers do not follow, by the reason."""
    reasons = Counter(j.why for j in judgements if j.verdict == UNKNOWN)
    if reasons:
        yield Section("", tuple(Line(f"not derivable: {count}, {why}") for why, count in reasons.items()))


def _case(j: Judgement) -> Case:
    claim = j.claim
    name = f"{claim.model}, {claim.quantity}, {claim.mode}: {claim.published} {claim.unit}"
    return Case(name, STATUSES[j.verdict], f"{j.text}{f', {j.shown()} {claim.unit}' * (j.verdict == FAILS)}", j.why)


def summary(judgements: Sequence[Judgement]) -> str:
    """How many numbers there are, and how many of each verdict."""
    counts = Counter(j.verdict for j in judgements)
    parts = [f"{phrase}: {counts[verdict]}" for verdict, phrase in MANY.items() if counts[verdict]]
    return "; ".join([f"published numbers: {len(judgements)}", *parts])
