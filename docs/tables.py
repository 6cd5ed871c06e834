"""The parts of the documentation that repeat what the code says: written by this script, compared by a test.

python -P docs/tables.py        rewrites README.md and docs/*.md: what stands between the markers <!-- table NAME -->
                                and <!-- end -->, and the output of every console block that begins with `$ coequal`
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CONSOLE = re.compile(r"(```console\n\$ (coequal [^\n]*)\n).*?(```)", re.DOTALL)
BLOCK = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def options(command: str) -> str:
    """The options of a command, from its parser."""
    from coequal.arguments import parser

    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    rows = [(f"`{_spelled(a)}`", a.help or "") for a in commands.choices[command]._actions if a.dest != "help"]
    return table(("argument", "meaning"), rows)


def _spelled(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else ""
    value = action.metavar or "|".join(action.choices or ())
    more = {"+": " ...", "*": " ..."}.get(str(action.nargs), "")
    return f"{name} {value}{more}".strip()


def checks() -> str:
    """The named checks and the question that each answers."""
    from coequal.equivalence.checks import CHECKS

    return table(("name", "question"), [(f"`{name}`", spec.question) for name, spec in CHECKS.items()])


def findings() -> str:
    """The named findings, with their severity."""
    from coequal.equivalence.findings import FINDINGS

    rows = [(f"`{name}`", severity, meaning) for name, (severity, meaning) in FINDINGS.items()]
    return table(("name", "severity", "what was found"), rows)


def conventions() -> str:
    """What each convention counts, and where it was read."""
    from coequal.proofs.cost import CONVENTIONS

    return table(("name", "counts", "source"), [(f"`{name}`", c.meaning, c.source) for name, c in CONVENTIONS.items()])


def energy() -> str:
    """Frames that one load of the weights must serve, by how often a prediction is wanted."""
    from coequal.proofs.cost import clip_cost, step_cost
    from coequal.proofs.cost.machine import frames_per_weight_load, intensity
    from coequal.reference.attention import MultiheadAttention
    from coequal.reference.conv import Conv
    from coequal.reference.linear import Linear

    layers = {
        "conv 1x1x1, 48 to 108, 28 x 28": (Conv(48, 108, (1, 1, 1), bias=False), (1, 48, 16, 28, 28)),
        "depthwise 3x3x3, 108, 28 x 28": (
            Conv(108, 108, (3, 3, 3), padding=1, groups=108, bias=False),
            (1, 108, 16, 28, 28),
        ),
        "conv 3x3x3, 256 to 256, 7 x 7": (Conv(256, 256, (3, 3, 3), padding=1, bias=False), (1, 256, 16, 7, 7)),
        "attention, single, E = 192": (MultiheadAttention(192, 8, mode="single", window=64), (1, 64, 192)),
        "linear, 1024 to 4096": (Linear(1024, 4096), (1, 64, 1024)),
    }
    rows = []
    for name, (layer, shape) in layers.items():
        clip, step = clip_cost(layer, shape), step_cost(layer, shape).mean
        loads = [frames_per_weight_load(clip, step, every=every) for every in (1, 2, 4, 8)]
        per_byte = tuple(f"{float(intensity(cost)):.2g}" for cost in (clip, step))
        rows.append((name, *per_byte, *("never" if load is None else f"{float(load):.2g}" for load in loads)))
    heads = ("layer", "MACs per byte, clip", "step", *(f"F, a prediction every {n} frames" for n in (1, 2, 4, 8)))
    return table(heads, rows)


TABLES: dict[str, Callable[[], str]] = {
    "verify": lambda: options("verify"),
    "check": lambda: options("check"),
    "checks": checks,
    "findings": findings,
    "explain": lambda: options("explain"),
    "cost": lambda: options("cost"),
    "conventions": conventions,
    "energy": energy,
}


def filled(text: str) -> str:
    """`text` with every table as the code has it now."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def played(text: str) -> str:
    """`text` with the output of every console block as the command prints it now, at the root of the repository."""
    return CONSOLE.sub(lambda found: found[1] + _output(found[2]) + found[3], text)


def _output(command: str) -> str:
    script = Path(sys.executable).with_name("coequal")
    run = subprocess.run([script, *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    return "".join(f"{line.rstrip()}\n" for line in (run.stdout + run.stderr).splitlines())


def main() -> None:
    """Rewrite the pages."""
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        page.write_text(played(filled(page.read_text())))


if __name__ == "__main__":
    main()
