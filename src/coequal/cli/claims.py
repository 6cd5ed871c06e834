"""`coequal claims`: published numbers judged, as a table on the terminal and as JSON."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coequal.proofs.claims.claim import BadClaims, Claim, published, read
from coequal.proofs.claims.judge import FAILS, HOLDS, UNDER, UNKNOWN, Judgement, judge
from coequal.report.terminal import trimmed
from coequal.subjects.errors import nearest

MANY = {HOLDS: "hold", UNDER: "hold under a convention", FAILS: "do not hold", UNKNOWN: "not derivable"}
STYLES = {HOLDS: "green", UNDER: "green", FAILS: "red", UNKNOWN: "dim"}


def run(options: argparse.Namespace, console: Console, complain: Callable[[str], int]) -> int:
    """Judge, print, write; 0, or 2 for bad input. Whether numbers hold is a finding, not an error."""
    if options.json and not Path(options.json).parent.is_dir():  # said now, not after the work
        return complain(f"cannot write {options.json}: no folder {Path(options.json).parent}")
    try:
        claims = published() if options.data is None else list(read(Path(options.data)))
        chosen = select(judge(claims), options.systems)
    except BadClaims as error:
        return complain(f"claims: {error}")
    with trimmed(console):
        show(chosen, console, everything=bool(options.systems))
    if options.json:
        try:
            Path(options.json).write_text(json.dumps([j.to_dict() for j in chosen], indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            return complain(f"cannot write {error.filename}: {error.strerror}")
    return 0


def select(judgements: Sequence[Judgement], names: Sequence[str]) -> list[Judgement]:
    """Those of the named papers, models or networks, in order; all of them without names."""
    known = {name: None for j in judgements for name in _names(j.claim)}
    for name in names:
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


def show(judgements: Sequence[Judgement], console: Console, *, everything: bool) -> None:
    """One line for each number; without names, what is not derivable is only counted, by its reason."""
    lines = [j for j in judgements if everything or j.verdict != UNKNOWN]
    if lines:
        console.print(_table(lines, short=console.width < 100))
        console.print()
    for j in lines:
        if j.verdict == FAILS or everything:
            console.print(Text.assemble((f"{j.claim.model}, {j.claim.quantity}: ", "bold"), j.why), soft_wrap=True)
    console.print(Text(summary(judgements)), soft_wrap=True)
    reasons = Counter(j.why for j in judgements if j.verdict == UNKNOWN)
    for why, count in {} if everything else reasons.items():
        console.print(Text(f"  not derivable: {count}, {why}"), soft_wrap=True)


def summary(judgements: Sequence[Judgement]) -> str:
    """How many numbers there are, and how many of each verdict."""
    counts = Counter(j.verdict for j in judgements)
    parts = [f"{phrase}: {counts[verdict]}" for verdict, phrase in MANY.items() if counts[verdict]]
    return "; ".join([f"published numbers: {len(judgements)}", *parts])


def _table(judgements: Sequence[Judgement], short: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    longest = max(len(word) for j in judgements for word in j.claim.model.split())  # names are not broken
    table.add_column("model", overflow="fold", min_width=min(longest, 24))
    table.add_column("quantity", overflow="fold")
    table.add_column("published", justify="right", overflow="fold")
    table.add_column("derived", justify="right", overflow="fold")
    table.add_column("verdict", overflow="fold")
    for j in judgements:
        claim = j.claim
        quantity = f"{claim.quantity}, {claim.mode}"
        row = (claim.model, quantity, f"{claim.published} {claim.unit}", j.shown())
        verdict = j.text.replace(" convention", "") if short else j.text
        table.add_row(*map(Text, row), Text(verdict, STYLES[j.verdict]))
    return table
