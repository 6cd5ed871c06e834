"""`coequal cost`: what a clip and a step cost, printed and as JSON.

A name of the catalogue is counted here, from its formulas; code of the user's in a process of its own, as in `verify`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coequal.process import parent

SHOWN = 30  # submodules in the table


def run(options: argparse.Namespace, console: Console, complain: Callable[[str], int]) -> int:
    """Count, print, write; 0, or 2 for what cannot be counted."""
    from coequal.proofs.cost.algebra.conventions import CONVENTIONS
    from coequal.proofs.cost.algebra.counts import CostError

    if options.convention not in CONVENTIONS:
        return complain(f"cost: no convention {options.convention!r}; there are {', '.join(CONVENTIONS)}")
    if options.json and not Path(options.json).parent.is_dir():
        return complain(f"cannot write {options.json}: no folder {Path(options.json).parent}")
    try:
        counted = _counted(options)
    except (CostError, parent.BadInput, ValueError) as error:
        return complain(str(error))
    result = {"target": options.target, **counted, "convention": options.convention}
    show(result, console, options.symbolic or options.latex, options.modules)
    if options.json:
        try:
            Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
        except OSError as error:
            return complain(f"cannot write {options.json}: {error.strerror}")
    return 0


def _counted(options: argparse.Namespace) -> dict[str, Any]:
    chosen = {key: getattr(options, key) for key in ("example", "mode", "convention", "symbolic", "latex", "window")}
    chosen["symbolic"] |= options.latex
    if ":" in options.target or options.target.endswith(".py"):
        counted = parent.run({"target": options.target, "cost": chosen}, options.timeout)
    else:
        from coequal.proofs.cost.targets.named import find, of_tree

        counted = of_tree(find(options.target), chosen | {"executed": options.executed})
    for mode in ("clip", "step"):
        if options.mode not in (None, mode):
            counted[mode] = None
    return counted | {"reduction": _reduction(counted)}


def _reduction(counted: dict[str, Any]) -> float | None:
    """The clip over what a step executes, or over its formula where nothing was executed."""
    clip, step = counted["clip"], counted["step"]
    if clip is None or step is None:
        return None
    below = step["macs"] if step.get("executed") is None else step["executed"]
    return clip["macs"] / below if below else None


# -- on the terminal ---------------------------------------------------------------------------------------------------


def show(result: dict[str, Any], console: Console, symbolic: bool, modules: bool) -> None:
    """The facts, one a line, then the submodules if asked for."""
    from coequal.report.terminal import trimmed

    with trimmed(console):
        console.print(Text.assemble((result["target"], "bold"), f"  ({unit(result['convention'])})"), soft_wrap=True)
        for mode in ("clip", "step"):
            if result[mode] is not None:
                console.print(_facts(mode, result[mode], symbolic))
        if result["reduction"] is not None:
            console.print(f"  reduction  {result['reduction']:.4g}x: a clip costs as much as that many steps")
        for note in result.get("notes", ()):
            console.print(f"  note  {note}", soft_wrap=True)
        for mode in ("clip", "step") if modules else ():
            if result[mode] is not None and result[mode].get("modules"):
                console.print(_modules(mode, result[mode]["modules"]))


def unit(convention: str) -> str:
    """What the numbers count."""
    return "multiply-adds, batch 1" if convention == "macs" else f"operations by the convention {convention}, batch 1"


def _facts(mode: str, facts: dict[str, Any], symbolic: bool) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    rows = _clip_rows(facts) if mode == "clip" else _step_rows(facts)
    if symbolic and facts["expression"] is not None:
        rows["expression"] = facts["expression"]
    for i, (name, value) in enumerate(rows.items()):
        grid.add_row(Text(f"  {mode}" if i == 0 else "", "bold"), name, Text(value, overflow="fold"))
    return grid


def _clip_rows(facts: dict[str, Any]) -> dict[str, str]:
    return {
        "shape": " x ".join(map(str, facts["shape"])),
        "operations": whole(facts["macs"]),
        "parameters": whole(facts["params"]),
        "bytes moved": whole(facts["bytes"]),
        "peak activation": f"{whole(facts['peak_activation'])} bytes",
    }


def _step_rows(facts: dict[str, Any]) -> dict[str, str]:
    rows = {"minimal": "not derived" if facts["macs"] is None else whole(facts["macs"])}
    if facts.get("executed") is not None:
        rows["executed"] = whole(facts["executed"])
        rows["claimed"] = "nothing" if facts["claimed"] is None else whole(facts["claimed"])
    if facts["period"] not in (None, 1):
        rows["worst"] = f"{whole(facts['worst'])} in one of {facts['period']} steps; above are means"
    rows |= {"state": f"{whole(facts['state_bytes'])} bytes", "bytes moved": whole(facts["bytes"])}
    return rows | {"peak activation": f"{whole(facts['peak_activation'])} bytes"}


def whole(value: float) -> str:
    """With commas; a fraction with two digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _modules(mode: str, costs: dict[str, Any]) -> Table:
    table = Table(f"{mode}: submodule", "operations", box=None, pad_edge=False, header_style="bold")
    ordered = sorted(costs.items(), key=lambda pair: -pair[1])
    for name, value in ordered[:SHOWN]:
        table.add_row(name or "(outside)", whole(value))
    if len(ordered) > SHOWN:
        table.add_row(f"{len(ordered) - SHOWN} more", whole(sum(value for _, value in ordered[SHOWN:])))
    return table
