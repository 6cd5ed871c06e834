"""`coequal check`: the campaign with a progress bar, its table, its JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

EXAMPLES, PROOFS = 50, 10  # random architectures for each operator, unless told


def run(options: argparse.Namespace, console: Console, complain: Callable[[str], int]) -> int:
    """Compare reference, torch and continual; 0: all agree, 1: two differ, 2: no such operator, 3: not decided."""
    from coequal.equivalence.campaigns.agree import check
    from coequal.equivalence.campaigns.run import check_exactly
    from coequal.subjects.errors import BadSubject

    count = options.max_examples or (PROOFS if options.exact else EXAMPLES)
    result: Any = None
    columns = TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn()
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("", total=count)
            result = (check_exactly if options.exact else check)(  # type: ignore[operator]
                options.operators,
                max_examples=count,
                seed=options.seed,
                progress=lambda name, done, of: progress.update(task, description=name, completed=done, total=of),
            )
    except BadSubject as error:
        return complain(str(error))
    outcomes = result if options.exact else result.outcomes
    if options.exact:
        show_proofs(outcomes, console)
    else:
        show(result, console)
    if options.json:
        try:
            Path(options.json).write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
        except OSError as error:
            return complain(f"cannot write {options.json}: {error.strerror}")
    return _code({outcome.outcome for outcome in outcomes})


def _code(outcomes: set[str]) -> int:
    """1: something differs; 3: something is not decided."""
    return 1 if "different" in outcomes else 3 if "not decided" in outcomes else 0


def show(result: object, console: Console) -> None:
    """One line an operator; what differs below."""
    table = Table("operator", "outcome", "examples", "s", box=None, pad_edge=False, header_style="bold")
    outcomes = result.outcomes  # type: ignore[attr-defined]
    for outcome in outcomes:
        table.add_row(outcome.operator, outcome.outcome, str(outcome.examples), f"{outcome.seconds:.1f}")
    console.print(table)
    for outcome in outcomes:
        if outcome.outcome != "passed":
            console.print(f"\n{outcome.operator}: {outcome.detail}", soft_wrap=True)
            console.print(f"  {outcome.architecture}", soft_wrap=True)
            console.print(f"  {outcome.reproduce}", soft_wrap=True)
    total = sum(outcome.examples for outcome in outcomes)
    console.print(f"\nreference = torch.nn = continual on {total} random architectures" if result.passed else "")  # type: ignore[attr-defined]


def show_proofs(outcomes: list[Any], console: Console) -> None:
    """One line an operator with its bound; what was taken as given, and what is not proved, below."""
    table = Table("operator", "outcome", "wrong with", "examples", "s", box=None, pad_edge=False, header_style="bold")
    for o in outcomes:
        table.add_row(
            o.operator, o.outcome, _bound(o.wrong) if o.outcome == "proved" else "", str(o.examples), f"{o.seconds:.1f}"
        )
    console.print(table)
    for o in outcomes:
        lines = [o.detail, o.architecture, o.reproduce] if o.outcome not in ("proved", "tested") else [o.detail]
        if lines[0]:
            console.print(f"\n{o.operator}: " + "\n  ".join(line for line in lines if line), soft_wrap=True)
    given = sorted({g for o in outcomes for g in o.given})
    assumptions = sorted({a for o in outcomes for a in o.assumptions if not a.startswith("the constant")})
    if given:
        console.print(f"\nfunctions of the reference taken as torch's: {', '.join(given)}", soft_wrap=True)
    for assumption in assumptions:
        console.print(f"assumed: {assumption}", soft_wrap=True)
    proved = [o for o in outcomes if o.outcome == "proved"]
    total = sum(o.examples for o in proved)
    if proved:
        wrong = _bound(sum(o.wrong for o in proved))
        text = f"reference = torch.nn = continual proved on {total} random architectures"
        console.print(f"\n{text}; the probability that one of these is wrong is {wrong}", soft_wrap=True)


def _bound(wrong: float) -> str:
    """`< 2^-40`: a power of two above it."""
    return f"< 2^{math.frexp(wrong)[1]}" if 0 < wrong < 1 else f"{wrong:g}"
