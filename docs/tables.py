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


def meanings() -> str:
    """What every operation means over a field."""
    from coequal.proofs.field import rules  # noqa: F401  fills the table
    from coequal.proofs.field.meanings import TABLE

    rows = [(", ".join(f"`{name}`" for name in m.names), m.says, m.keeps, m.source) for m in TABLE]
    return table(("operation", "meaning", "keeps", "source"), rows)


def refused() -> str:
    """What has no meaning over a field, by reason."""
    from coequal.proofs.field.meanings import REFUSED

    reasons = dict.fromkeys(REFUSED.values())
    rows = [(", ".join(f"`{name}`" for name in REFUSED if REFUSED[name] == reason), reason) for reason in reasons]
    return table(("operation", "why"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "verify": lambda: options("verify"),
    "check": lambda: options("check"),
    "checks": checks,
    "findings": findings,
    "explain": lambda: options("explain"),
    "meanings": meanings,
    "refused": refused,
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
