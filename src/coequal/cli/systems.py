"""`coequal systems`: the catalogue, operators of the reference and published networks: how they stream, and what it saves.

Everything is derived when it is asked for, from the network: nothing is stored that could grow stale.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from coequal.cli.explain import Page, pages
from coequal.process.parent import BadInput
from coequal.proofs.cost.savings.machine import FLOAT32
from coequal.report.document import Cell, Column, Document, Notes, Part, Table
from coequal.subjects.errors import nearest
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.streamability import KINDS, PHASED, Streamability, streamability
from coequal.systems.system import System

COLUMNS = (
    Column("name", "name"),
    Column("verdict", "phrase"),
    *(Column(head, "number") for head in ("delay", "parameters", "clip", "step", "reduction", "state")),
)
REFUTED = (
    Column("name", "name"),
    Column("needs the whole clip"),
    Column("frames", "number"),
    Column("closest that streams"),
)
READ = (
    "a clip and a mean step in multiply-adds, batch 1; the reduction is the one over the other; delay and phase in frames; a"
    " stream's state in bytes of float32"
)
READ_REFUTED = (
    "two clips of so many frames that differ in the last one alone differ in their first output, for which no stream waits"
    " that long"
)
SHORT: dict[str, str] = dict(zip(KINDS, ("exactly", "delay", "phase", "last", "no"), strict=True))


@dataclass(frozen=True)
class Entry:
    """What is listed of a network; multiply-adds, and numbers that a stream keeps: None where there is no stream."""

    system: System
    verdict: Streamability
    clip: int
    step: int | float | None
    state: int | None

    @property
    def reduction(self) -> float | None:
        """A clip costs as much as so many steps."""
        return self.clip / self.step if self.step else None

    @property
    def state_bytes(self) -> int | None:
        """In float32."""
        return None if self.state is None else FLOAT32 * self.state

    @property
    def closest(self) -> str:
        """The variant that streams: a network of the catalogue, or what is changed; empty where none is known."""
        variant = self.verdict.variant
        if variant is None:
            return ""
        return next((name for name, system in SYSTEMS.items() if system.layer == variant.layer), str(variant))


# name of an order: what is compared; the largest number comes first, what is not there last
ORDERS: dict[str, Callable[[Entry], Any]] = {
    "name": lambda entry: entry.system.name.lower(),
    "verdict": lambda entry: (KINDS.index(entry.verdict.kind), entry.verdict.phase, entry.verdict.delay),
    "parameters": lambda entry: -entry.system.params,
    "clip": lambda entry: -entry.clip,
    "step": lambda entry: -(entry.step or 0),
    "reduction": lambda entry: -(entry.reduction or 0),
    "state": lambda entry: -(-1 if entry.state is None else entry.state),
}


def document(options: argparse.Namespace) -> Document:
    """The operators, and the networks that were asked for; BadInput for a family that there is none of."""
    entries = list(map(entry, _family(options.family)))
    if options.streams:
        entries = [each for each in entries if each.verdict.streams]
    if options.sort is not None:
        entries.sort(key=ORDERS[options.sort])
    asked = options.streams or options.family is not None
    operators = (
        [] if asked else [page for page in pages().values() if _layers(page)]
    )  # a file without any is shared by others
    return Document(
        command="systems",
        parts=(*_operators(operators), *_networks(entries)),
        conclusion="" if entries else "none of these networks streams",
        data={"operators": list(map(_operator, operators)), "systems": list(map(told, entries))},
    )


def _family(name: str | None) -> Iterable[System]:
    """Its networks; all of them for None."""
    if name is None:
        return SYSTEMS.values()
    known = {system.family.lower(): system.family for system in SYSTEMS.values()}
    if name.lower() not in known:
        close = nearest(name.lower(), known)
        hint = f"did you mean {known[close]}?" if close else f"there are {', '.join(sorted(known.values()))}"
        raise BadInput(f"systems: no family {name!r}; {hint}")
    return [system for system in SYSTEMS.values() if system.family.lower() == name.lower()]


@functools.cache
def entry(system: System) -> Entry:
    """Derive it: the verdict from the timings of the operators, costs from their formulas."""
    from coequal.proofs.cost import clip_cost, state_size, step_cost
    from coequal.proofs.cost.targets.named import number

    verdict, stream, shape = streamability(system.layer, system.shape), system.stream, system.shape
    clip = clip_cost(system.layer, shape).macs()
    if stream is None:
        return Entry(system, verdict, clip, None, None)
    return Entry(system, verdict, clip, number(step_cost(stream, shape).mean.macs()), state_size(stream, shape))


# -- the document ------------------------------------------------------------------------------------------------------


def _layers(page: Page) -> list[str]:
    return [name for name in page.layers if name[0] != "_"]


def _operator(page: Page) -> dict[str, Any]:
    return {"name": page.name, "title": page.title, "layers": _layers(page)}


def _operators(operators: list[Page]) -> list[Part]:
    rows = tuple((page.name, f"{page.title}\n{', '.join(_layers(page))}") for page in operators)
    return [Table((Column("", "name"), Column("")), rows, "operators")] if rows else []


def _networks(entries: list[Entry]) -> list[Part]:
    refuted = [each for each in entries if not each.verdict.streams]
    shown: list[Part] = []
    if entries:
        shown += [Table(COLUMNS, tuple(map(_row, entries)), "systems"), Notes((READ,))]
    if refuted:
        shown += [Table(REFUTED, tuple(map(_refuted, refuted)), "not exactly"), Notes((READ_REFUTED,))]
    return shown


def _row(entry: Entry) -> tuple[str | Cell, ...]:
    verdict, params = entry.verdict, entry.system.params
    phase = f" {verdict.phase}" if verdict.kind == PHASED else ""
    return (
        entry.system.name,
        Cell(str(verdict), short=f"{SHORT[verdict.kind]}{phase}"),
        "-" if verdict.delay is None else str(verdict.delay),
        Cell(f"{params:,}", short=scaled(params)),
        *(scaled(entry.clip), scaled(entry.step)),
        "-" if entry.reduction is None else f"{entry.reduction:.3g}x",
        scaled(entry.state_bytes),
    )


def _refuted(entry: Entry) -> tuple[str, ...]:
    found = entry.verdict.counterexample
    assert found is not None
    closest = entry.closest or "none known: every window anew"
    return entry.system.name, f"{found.path} {found.operator}", str(found.length), closest


def scaled(number: float | None) -> str:
    """Three digits and a prefix of the SI; a dash for none.

    >>> scaled(5_020_000_000), scaled(12), scaled(999_999), scaled(None)
    ('5.02G', '12', '1.00M', '-')
    """
    if number is None:
        return "-"
    prefixes = iter(" kMGT")
    prefix = next(prefixes)
    while number >= 999.5:
        number, prefix = number / 1000, next(prefixes)
    if prefix == " ":
        return f"{number:.0f}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}{prefix}"


def told(entry: Entry) -> dict[str, Any]:
    """The same for programs, exactly."""
    system, verdict, found = entry.system, entry.verdict, entry.verdict.counterexample
    return {
        "name": system.name,
        "family": system.family,
        "source": system.source,
        "notes": system.notes,
        "shape": list(system.shape),
        "parameters": system.params,
        "streams": verdict.streams,
        "verdict": verdict.kind,
        "delay": verdict.delay,
        "phase": verdict.phase,
        "warm_up": verdict.warm_up,
        "clip_macs": entry.clip,
        "step_macs": entry.step,
        "reduction": entry.reduction,
        "state": entry.state,
        "state_bytes": entry.state_bytes,
        "counterexample": None
        if found is None
        else {key: getattr(found, key) for key in ("path", "operator", "length", "frame", "output")},
        "closest": entry.closest or None,
    }
