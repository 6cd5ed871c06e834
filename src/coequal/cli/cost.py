"""`coequal cost`: what a clip and a step cost.

A name of the catalogue is counted here, from its formulas; code of the user's in a process of its own, as in `verify`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from coequal.process import parent
from coequal.process.parent import BadInput
from coequal.report.document import Column, Document, Facts, Line, Part, Table

SHOWN = 30  # submodules in the table


def document(options: argparse.Namespace) -> Document:
    """Count; BadInput for what cannot be counted."""
    from coequal.proofs.cost.algebra.conventions import CONVENTIONS
    from coequal.proofs.cost.algebra.counts import CostError

    if options.convention not in CONVENTIONS:
        raise BadInput(f"cost: no convention {options.convention!r}; there are {', '.join(CONVENTIONS)}")
    try:
        result = {"target": options.target, **_counted(options), "convention": options.convention}
    except (CostError, ValueError) as error:
        raise BadInput(str(error)) from error
    return counted(result, options.symbolic or options.latex, options.modules)


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


# -- the document ------------------------------------------------------------------------------------------------------


def counted(result: dict[str, Any], symbolic: bool, modules: bool) -> Document:
    """The facts, one a line, then the submodules if asked for."""
    modes = {mode: result[mode] for mode in ("clip", "step") if result[mode] is not None}
    tables = [_modules(mode, facts["modules"]) for mode, facts in modes.items() if modules and facts.get("modules")]
    return Document(
        command="cost",
        title=result["target"],
        aside=unit(result["convention"]),
        parts=(*(_facts(mode, facts, symbolic) for mode, facts in modes.items()), *_lines(result)),
        appendix=tuple(tables),
        data=result,
    )


def _lines(result: dict[str, Any]) -> Iterator[Part]:
    if result["reduction"] is not None:
        yield Line(f"{result['reduction']:.4g}x: a clip costs as much as that many steps", "reduction")
    for note in result.get("notes", ()):
        yield Line(note, "note")


def unit(convention: str) -> str:
    """What the numbers count."""
    return "multiply-adds, batch 1" if convention == "macs" else f"operations by the convention {convention}, batch 1"


def _facts(mode: str, facts: dict[str, Any], symbolic: bool) -> Facts:
    rows = _clip_rows(facts) if mode == "clip" else _step_rows(facts)
    if symbolic and facts["expression"] is not None:
        rows["expression"] = facts["expression"]
    return Facts(tuple(rows.items()), subject=mode)


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
    """The most expensive first; those that are not shown, as one."""
    ordered = sorted(costs.items(), key=lambda pair: -pair[1])
    rows = [(name or "(outside)", whole(value)) for name, value in ordered[:SHOWN]]
    if len(ordered) > SHOWN:
        rows.append((f"{len(ordered) - SHOWN} more", whole(sum(value for _, value in ordered[SHOWN:]))))
    return Table((Column(f"{mode}: submodule", "name"), Column("operations", "number")), tuple(rows))
