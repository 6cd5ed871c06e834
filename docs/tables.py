"""The parts of the documentation that repeat what the code says: written by this script, compared by a test.

python -P docs/tables.py        rewrites README.md and docs/*.md: what stands between the markers <!-- table NAME -->
                                and <!-- end -->, and the output of every console block that begins with `$ coequal`;
                                in code, what type checkers cannot find by themselves
"""

from __future__ import annotations

import argparse
import functools
import re
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CODE = (ROOT / "continual" / "__init__.py",)
CONSOLE = re.compile(r"(```console\n\$ (coequal [^\n]*)\n).*?(```)", re.DOTALL)
BLOCK = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def options(command: str) -> str:
    """The options of a command, from its parser."""
    from coequal.cli.parser import parser

    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    rows = [(f"`{_spelled(a)}`", a.help or "") for a in commands.choices[command]._actions if a.dest != "help"]
    return table(("argument", "meaning"), rows)


def _spelled(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else ""
    value = action.metavar or "|".join(action.choices or ())
    more = {"+": " ...", "*": " ..."}.get(str(action.nargs), "")
    return f"{name} {value}{more}".strip()


def formats() -> str:
    """The options of the output formats."""
    from coequal.report.formats import formats, to_file

    rows = [(f"`--{name}{' FILE' * to_file(writer)}`", writer.HELP) for name, writer in formats().items()]
    return table(("option", "what it does"), rows)


def checks() -> str:
    """The named checks and the question that each answers."""
    from coequal.equivalence.checks import CHECKS
    from coequal.equivalence.checks.exact import EXACT, QUESTION

    rows = [(f"`{name}`", spec.question) for name, spec in CHECKS.items()]
    return table(("name", "question"), [*rows, (f"`{EXACT}`", QUESTION)])


def findings() -> str:
    """The named findings, with their severity."""
    from coequal.equivalence.findings.base import FINDINGS

    rows = [(f"`{name}`", severity, meaning) for name, (severity, meaning) in FINDINGS.items()]
    return table(("name", "severity", "what was found"), rows)


def meanings() -> str:
    """What every operation means over a field."""
    from coequal.proofs.field.semantics.table import TABLE

    rows = [(", ".join(f"`{name}`" for name in m.names), m.says, m.keeps, m.source) for m in TABLE]
    return table(("operation", "meaning", "keeps", "source"), rows)


def refused() -> str:
    """What has no meaning over a field, by reason."""
    from coequal.proofs.field.semantics.table import REFUSED

    reasons = dict.fromkeys(REFUSED.values())
    rows = [(", ".join(f"`{name}`" for name in REFUSED if REFUSED[name] == reason), reason) for reason in reasons]
    return table(("operation", "why"), rows)


def counters() -> str:
    """The counters behind published numbers, and what each counts."""
    from coequal.proofs.claims.judge import PARAMS, RATIOS
    from coequal.proofs.cost.conventions.counters import COUNTERS

    rules = {
        **{("flops", name): counter.meaning for name, counter in COUNTERS.items()},
        **{("params", name): meaning for name, meaning in PARAMS.items()},
        **{("reduction", name): meaning for name, meaning in RATIOS.items()},
    }
    return table(("of", "name", "counts"), [(of, f"`{name}`", meaning) for (of, name), meaning in rules.items()])


def claims(source: str) -> str:
    """The judged numbers of one data file; what is not derivable is counted, with its reason."""
    return judged_table(_judged()[source])


def judged_table(judged: list) -> str:
    """Judged numbers; what is not derivable is counted, with its reason."""
    rows = [
        (
            j.claim.model,
            f"{j.claim.quantity}, {j.claim.mode}",
            f"{j.claim.published} {j.claim.unit}",
            j.shown(),
            j.text,
            j.why,
        )
        for j in judged
        if j.derived is not None
    ]
    unknown = Counter(j.why for j in judged if j.derived is None)
    lines = "".join(f"- {count} not derivable: {why}\n" for why, count in unknown.items())
    known = table(("model", "number", "published", "derived", "verdict", "why"), rows) if rows else ""
    return "\n".join(filter(None, (known, lines)))


@functools.cache
def _judged() -> dict[str, list]:
    """All of them, by the name of their file: a ratio divides cells of the others."""
    from coequal.proofs.claims.claim import published, sources
    from coequal.proofs.claims.judge import judge

    judged, found = iter(judge(published())), {}
    for path in sources():
        found[path.name.removesuffix(".csv")] = [next(judged) for _ in published([path])]
    return found


def verdicts(networks: Iterable | None = None) -> str:
    """Every published network, or those given: how it streams, and what that costs."""
    from coequal.cli.systems import entry, scaled
    from coequal.systems.catalogue import SYSTEMS

    rows = []
    for listed in map(entry, SYSTEMS.values() if networks is None else networks):
        verdict = listed.verdict
        frames = tuple("" if n is None else str(n) for n in (verdict.delay, verdict.phase, verdict.warm_up))
        counts = (f"{listed.system.params:,}", scaled(listed.clip), scaled(listed.step))
        saved = "" if listed.reduction is None else f"{listed.reduction:.3g}"
        rows.append((listed.system.name, verdict.kind, *frames, *counts, saved, scaled(listed.state_bytes)))
    counted = ("parameters", "clip", "step", "reduction", "state")
    return table(("network", "verdict", "delay", "phase", "warm-up", *counted), rows)


def edges() -> str:
    """Of each family, the first network that streams: how much of its clip sees neither end of it."""
    from coequal.reference.compose import Sequential
    from coequal.reference.pool import GlobalAvgPool
    from coequal.systems.catalogue import families as files
    from coequal.systems.catalogue import networks_of

    rows = {}
    for file in files():
        for system in networks_of(file):
            if system.layer.time != 2 or system.layer.timing is None:
                continue
            layers = system.layer.layers
            heads = [i for i, layer in enumerate(layers) if isinstance(layer, GlobalAvgPool)]
            timing, frames = Sequential(layers[: heads[-1]] if heads else layers).timing, system.shape[2]
            whole = (frames - timing.receptive_field + timing.pad_start) // timing.stride + 1
            inside = max(0, whole + -timing.pad_start // timing.stride)
            seen = (timing.receptive_field, frames, timing.pad_start, f"{inside} of {timing.output_length(frames)}")
            rows.setdefault((file, system.family), (system.name, *map(str, seen)))
    return table(("network", "R", "T", "P", "frames that see no padding"), list(rows.values()))


def refuted(networks: Iterable | None = None) -> str:
    """The networks that do not stream, of all or of those given, each with its counterexample and the closest that does."""
    from coequal.cli.systems import entry
    from coequal.systems.catalogue import SYSTEMS

    rows = []
    for listed in map(entry, SYSTEMS.values() if networks is None else networks):
        if (found := listed.verdict.counterexample) is not None:
            rows.append(
                (listed.system.name, f"{found.operator} (`{found.path}`)", str(found), listed.closest or "none known")
            )
    return table(("network", "operator", "counterexample", "closest that streams"), rows)


def families() -> str:
    """The pages of the families, and how their networks stream."""
    from coequal.systems.catalogue import families as files
    from coequal.systems.catalogue import networks_of
    from coequal.systems.streamability import KINDS, streamability

    rows = []
    for family in filter(networks_of, files()):
        found = networks_of(family)
        kinds = Counter(streamability(system.layer, system.shape).kind for system in found)
        said = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
        names = ", ".join(dict.fromkeys(system.family for system in found))
        rows.append((f"[{family}](systems/{family}.md)", names, said))
    return table(("page", "families", "verdicts"), rows)


def abstracts() -> str:
    """What follows from abstracts, operator by operator."""
    from coequal.systems.abstracts import ABSTRACTS, SHAPE
    from coequal.systems.streamability import streamability

    rows = [
        (paper.name, said, str(streamability(operator, SHAPE)), paper.notes, paper.source)
        for paper in ABSTRACTS
        for said, operator in paper.operators.items()
    ]
    return table(("system", "its abstract says", "that operator streams", "open", "source"), rows)


def conventions() -> str:
    """What each convention counts, and where it was read."""
    from coequal.proofs.cost import CONVENTIONS

    return table(("name", "counts", "source"), [(f"`{name}`", c.meaning, c.source) for name, c in CONVENTIONS.items()])


def energy() -> str:
    """Frames that one load of the weights must serve, by how often a prediction is wanted."""
    from coequal.proofs.cost import clip_cost, step_cost
    from coequal.proofs.cost.savings.machine import frames_per_weight_load, intensity
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


def efficiency() -> str:
    """What every network of the catalogue costs."""
    script = runpy.run_path(str(DOCS / "efficiency.py"))
    return table(script["HEADS"], [row.cells() for row in script["rows"]()])


def typed_names() -> str:
    """What a type checker imports for the public names of the operators, a line a file."""
    from coequal.continual.operators import public_names

    homes = sorted(set(public_names().values()))
    return "".join(f"    from coequal.continual.{home} import *\n" for home in homes) + "    # "


TABLES: dict[str, Callable[[], str]] = {
    "continual": typed_names,
    "verify": lambda: options("verify"),
    "write": lambda: options("write"),
    "export": lambda: options("export"),
    "recheck": lambda: options("recheck"),
    "check": lambda: options("check"),
    "formats": formats,
    "checks": checks,
    "findings": findings,
    "explain": lambda: options("explain"),
    "systems": lambda: options("systems"),
    "families": families,
    "verdicts": verdicts,
    "refuted": refuted,
    "edges": edges,
    "meanings": meanings,
    "refused": refused,
    "claims": lambda: options("claims"),
    "counters": counters,
    "claims-co3d": lambda: claims("co3d"),
    "claims-continual-transformers": lambda: claims("continual_transformers"),
    "claims-other-sources": lambda: claims("other_sources"),
    "cost": lambda: options("cost"),
    "conventions": conventions,
    "energy": energy,
    "efficiency": efficiency,
    "abstracts": abstracts,
}


def filled(text: str) -> str:
    """`text` with every table as the code has it now."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def output(arguments: list[str]) -> str:
    """What `coequal` prints at the root of the repository."""
    script = Path(sys.executable).with_name("coequal")
    run = subprocess.run([script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    return run.stdout + run.stderr


def played(text: str, says: Callable[[list[str]], str] = output) -> str:
    """`text` with the output of every console block as the command prints it now: as it `says`, for its arguments."""

    def block(found: re.Match[str]) -> str:
        lines = says(found[2].split()[1:]).splitlines()
        return found[1] + "".join(f"{line.rstrip()}\n" for line in lines) + found[3]

    return CONSOLE.sub(block, text)


def main() -> None:
    """Rewrite the pages."""
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        page.write_text(played(filled(page.read_text())))
    for code in CODE:
        code.write_text(filled(code.read_text()))


if __name__ == "__main__":
    main()
