"""Writes docs/systems/*.md: a page for each file of systems/ that lists networks, all of it from the code.

python -P docs/pages.py         rewrites the pages and their figures (docs/diagrams.py); a test compares them

What a family is stands in the docstring of its file, and so does its equation; where it has none, that of the operator over
time is told that few others have, or that has most of the weights. Verdicts, costs and judged numbers are those of
`docs/systems.md` and `docs/claims.md`, row by row.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import runpy
import textwrap
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from coequal import systems
from coequal.cli.systems import entry, scaled
from coequal.proofs.claims.claim import Claim
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing
from coequal.systems.catalogue import SYSTEMS, networks_of
from coequal.systems.system import System, trainable

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "systems"
TABLES, DIAGRAMS = (runpy.run_path(str(DOCS / name)) for name in ("tables.py", "diagrams.py"))
BLOCK = re.compile(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", re.MULTILINE)
OWN = re.compile(r"^ {4}\w+(\[[^]]*\])? = ", re.MULTILINE)  # an equation: what stands at the left margin has a value
MANY = 3  # families that share an operator, which is then nobody's own

Rows = Callable[[Sequence[System]], str]


def page(
    family: str,
    verdicts: Rows = TABLES["verdicts"],
    refuted: Rows = TABLES["refuted"],
    judged: Callable[[], Any] | None = None,
) -> str:
    """The Markdown of a family; a test has the tables from elsewhere."""
    title, lead, rest = described(family)
    listed = networks_of(family)
    parts = [
        f"# {title}\n",
        f"{lead}\n",
        f"Published by {'; '.join(dict.fromkeys(system.source for system in listed))}.\n",
        f"{NOTE.format(family=family)}\n",
        "## What a step computes anew, and what it keeps\n",
        f"{READ}\n",
        *_pictures(family),
        "## What it computes\n",
        f"{rest}\n",
        *_equation(family, rest, listed),
        "## Its networks\n",
        f"{COUNTED}\n",
        verdicts(listed),
        *_refuted(listed, refuted),
        *_published(listed, _judged() if judged is None else judged),
    ]
    return "\n".join(parts)


def described(family: str) -> tuple[str, str, str]:
    """What the docstring of its file says: a name, a sentence, and all that follows."""
    text = inspect.getdoc(import_module(f"{systems.__name__}.{family}")) or family
    first, _, rest = text.partition("\n\n")
    title, _, lead = " ".join(first.split()).partition(": ")
    return title, lead[:1].upper() + lead[1:], rest


NOTE = "(Written by `docs/pages.py` from [`systems/{family}.py`](../../systems/{family}.py).)"
READ = (
    "Time runs to the right, the network upwards; beside a row stands the operator that it comes out of. Orange is\n"
    "computed when the newest frame has come, blue is kept from before. Of a network that does not stream, a clip is\n"
    "drawn that ends with this frame."
)
COUNTED = (
    "Delay, phase and warm-up in frames; clip and step in multiply-adds of batch 1, a step's the mean over a period of the\n"
    "stream; the state in bytes of float32. Same numbers, same words: [published systems](../systems.md)."
)


# -- the equation ------------------------------------------------------------------------------------------------------


def _equation(family: str, said: str, networks: Sequence[System]) -> Iterator[str]:
    """Unless the docstring has it, that of the operator that is the family's own more than others'."""
    if any(OWN.search(block) for block in BLOCK.findall(f"{said}\n")):
        return
    operator = characteristic(networks)
    name = operator.__module__.rpartition(".")[2]
    yield f"### {operator.__name__}\n"
    yield f"{' '.join(_text(operator).partition(chr(10) * 2)[0].split())}\n"
    yield _block(operator)
    yield f"([`reference/{name}.py`](../../reference/{name}.py), or `coequal explain {name}`.)\n"


def characteristic(networks: Sequence[System]) -> type[Layer]:
    """Of the operators of half of its networks at least, one of which looks at other frames: see above."""
    mine = [_kinds(system) for system in networks]
    over_time = {kind for kinds in mine for kind, looks in kinds.items() if looks and _block(kind)}
    common = [kind for kind in over_time if 2 * sum(kind in kinds for kinds in mine) >= len(mine)]
    having = {kind: _families_with(kind) for kind in common}
    weights = {kind: _weights(kind, networks[0]) for kind in common}
    return min(common, key=lambda kind: (min(having[kind], MANY), -weights[kind], having[kind], kind.__name__))


def _text(operator: type[Layer]) -> str:
    return inspect.getdoc(import_module(operator.__module__)) or ""


def _block(operator: type[Layer]) -> str:
    """The equation of an operator's file; empty where there is none."""
    return next((block for block in BLOCK.findall(_text(operator)) if " = " in block), "")


def _weights(kind: type[Layer], system: System) -> int:
    return sum(trainable(layer) for layer in _inside(system.layer) if type(layer) is kind)


def _families_with(kind: type[Layer]) -> int:
    return sum(any(kind in _kinds(system) for system in networks_of(f)) for f in DIAGRAMS["drawn_families"]())


@functools.cache
def _kinds(system: System) -> dict[type[Layer], bool]:
    """The operators of a network, and whether one of a kind looks at other frames."""
    found: dict[type[Layer], bool] = {}
    for layer in _inside(system.layer):
        found[type(layer)] = found.get(type(layer), False) or layer.timing != Timing()
    return found


def _inside(value: Any) -> Iterator[Layer]:
    """Every layer of a tree, those in the fields of others among them, but for containers."""
    if isinstance(value, tuple):
        for each in value:
            yield from _inside(each)
    elif dataclasses.is_dataclass(value) and isinstance(value, Layer):
        if not isinstance(value, (Sequential, Parallel, Residual)):
            yield value
        for field in dataclasses.fields(value):
            yield from _inside(getattr(value, field.name))


# -- how it streams ----------------------------------------------------------------------------------------------------


def _pictures(family: str) -> Iterator[str]:
    """A network for each verdict: what is said of it, and its figure."""
    for path, system in DIAGRAMS["figures_of"](family).items():
        listed = entry(system)
        yield f"### {system.name}: {listed.verdict}\n"
        yield f"{textwrap.fill(' '.join(_said(listed)), 128)}\n"
        yield f"![{system.name}, layer by layer: computed in a step, kept, no longer needed]({path.name})\n"


def _said(listed: Any) -> Iterator[str]:
    verdict, system = listed.verdict, listed.system
    if verdict.streams:
        saved, kept = f"{listed.reduction:.3g}", scaled(listed.state_bytes)
        yield f"A step takes {scaled(listed.step)} multiply-adds and the clip {scaled(listed.clip)}: {saved} times as many."
        yield f"The stream keeps {kept}B (float32). Its newest output"
        yield f"comes {verdict.delay} frames late," if verdict.delay else "is there at once,"
        yield f"its first with frame {verdict.warm_up + 1}{f', then one in {verdict.phase} frames' * (verdict.phase > 1)}."
    else:
        found, closest = verdict.counterexample, listed.closest
        yield f"`{found.operator}` (`{found.path}`) needs the whole clip. The shortest counterexample: {found}."
        if not closest:
            yield "No network close to it is known to stream: every window is computed anew."
        else:
            yield f"The closest network that streams {'is' if closest in SYSTEMS else 'is the same with'} {closest}."
    if system.notes:
        yield f"({system.notes[0].upper()}{system.notes[1:]}.)"


def _refuted(networks: Sequence[System], table: Rows) -> Iterator[str]:
    if any(system.layer.timing is None for system in networks):
        yield "Why some do not stream, with the shortest counterexample: two clips that differ in their last frame alone.\n"
        yield table(networks)


# -- what was published ------------------------------------------------------------------------------------------------


def _judged() -> list:
    return [judgement for found in TABLES["_judged"]().values() for judgement in found]


def _published(networks: Sequence[System], judged: list) -> Iterator[str]:
    """The numbers that were printed of them, judged; and the commands that say all of this."""
    mine = [judgement for judgement in judged if said_of(judgement.claim, networks)]
    if mine:
        sources = "; ".join(dict.fromkeys(judgement.claim.source for judgement in mine))
        yield "## Published numbers\n"
        yield f"{textwrap.fill(f'Judged by [`coequal claims`](../claims.md), as they stand in: {sources}.', 128)}\n"
        yield TABLES["judged_table"](mine)
    named = dict.fromkeys(name for each in mine for name in each.claim.network.split(" / ") if name)
    commands = [f'coequal systems --family "{family}"' for family in dict.fromkeys(system.family for system in networks)]
    commands += [f'coequal cost "{networks[0].name}"', *(f'coequal claims "{name}"' for name in list(named)[:1])]
    yield "## Again\n"
    yield "```sh\n" + "".join(f"{line}\n" for line in (*commands, "python -P docs/pages.py")) + "```\n"


def said_of(claim: Claim, networks: Sequence[System]) -> bool:
    """Whether a number is of one of the networks, or, of none that is in the catalogue, of their family."""
    if claim.network:
        return bool({network.name for network in networks} & set(claim.network.split(" / ")))
    return claim.system in {network.family for network in networks}


def pages() -> dict[Path, str]:
    """Every page, by its file."""
    return {FOLDER / f"{family}.md": page(family) for family in DIAGRAMS["drawn_families"]()}


def main() -> None:
    """Rewrite pages and figures; those of families that are gone are deleted."""
    FOLDER.mkdir(exist_ok=True)
    texts = pages() | {path: DIAGRAMS["drawn"](system) for path, system in DIAGRAMS["figures"]().items()}
    for path in {*FOLDER.iterdir()} - set(texts):
        path.unlink()
    for path, text in texts.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
