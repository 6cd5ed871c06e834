"""`coequal check`: the campaign with a progress bar, its table, its JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

EXAMPLES = 50  # random architectures for each operator, unless told


def run(options: argparse.Namespace, console: Console, complain: Callable[[str], int]) -> int:
    """Compare reference, torch and continual; 0 when all agree, 1 when two differ, 2 for an operator that is none."""
    from coequal.equivalence.campaign import CampaignResult, check
    from coequal.equivalence.errors import BadSubject

    count = options.max_examples or EXAMPLES
    result = CampaignResult()
    columns = TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn()
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("", total=count)
            result = check(
                options.operators,
                max_examples=count,
                seed=options.seed,
                progress=lambda name, done, of: progress.update(task, description=name, completed=done, total=of),
            )
    except BadSubject as error:
        return complain(str(error))
    show(result, console)
    if options.json:
        try:
            Path(options.json).write_text(json.dumps([asdict(outcome) for outcome in result.outcomes], indent=2) + "\n")
        except OSError as error:
            return complain(f"cannot write {options.json}: {error.strerror}")
    return 0 if result.passed else 1


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
