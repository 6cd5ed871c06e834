"""The data files: one published number a line, checked when read.

system, model     whose number it is, as printed
mode              clip (one forward pass) or step (one frame)
input             the shape it was measured at, as printed; `3x8x224x224` (channels, frames, height, width), or
                  `30x3x8x224x224` with the number of views before it, is the clip that is counted
quantity          flops, params, memory or reduction
published, unit   the number as printed (its digits say how precise it is), and G, M, MiB or x
convention        what the source says it counts
source            where it stands
verified          yes: read there. recalled: from memory, no source opened, and never called published
network           its name in the catalogue of systems, or code, `path/to/file.py:NAME`; for a reduction two of them, `A / B`
                  (of code also `A` alone: its clip over its step); empty: none
counters          the rules to try, in this order (`proofs/claims/judge.py`), separated by spaces; empty: none, of code all
why               what there is to say besides: why it does not hold or cannot be derived

The last three may be left out, columns and all.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any

UNITS = {"flops": ("G", "M"), "params": ("M",), "memory": ("MiB",), "reduction": ("x",)}
SCALES = {"G": 10**9, "M": 10**6, "MiB": 2**20, "x": 1}
NEEDED = ("system", "model", "mode", "input", "quantity", "published", "unit", "convention", "source", "verified")


class BadClaims(ValueError):
    """A data file that says too little or makes no sense: file, line, what to do."""


@dataclass(frozen=True)
class Claim:
    """One published number."""

    system: str
    model: str
    mode: str
    input: str
    quantity: str
    published: str
    unit: str
    convention: str
    source: str
    verified: str
    network: str = ""
    counters: str = ""
    why: str = ""

    @property
    def value(self) -> Decimal:
        """As printed, in its unit."""
        return Decimal(self.published)

    @property
    def scale(self) -> int:
        """What one of its unit is."""
        return SCALES[self.unit]


COLUMNS = tuple(field.name for field in fields(Claim))


def is_code(network: str) -> bool:
    """Whether a network is code of somebody's: no name of the catalogue has a colon.

    >>> is_code("net.py:Net"), is_code("X3D-M / CoX3D-M_16")
    (True, False)
    """
    return ":" in network


def sources() -> list[Any]:
    """The data files, by name."""
    folder = files("coequal.proofs.claims") / "data"
    return sorted((entry for entry in folder.iterdir() if entry.name.endswith(".csv")), key=lambda entry: entry.name)


def published(paths: Iterable[Any] | None = None) -> list[Claim]:
    """Every claim of the data files, or of those given."""
    return [claim for path in (sources() if paths is None else paths) for claim in read(path)]


def read(path: Any) -> Iterator[Claim]:
    """The claims of one file; BadClaims names line and column."""
    where = path if isinstance(path, Path) else path.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadClaims(f"{where}: cannot be read: {error}") from None
    rows = csv.DictReader(text.splitlines())
    named = rows.fieldnames or ()
    if missing := [name for name in NEEDED if name not in named]:
        raise BadClaims(f"{where}: the first line must name the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    if unknown := [name for name in named if name not in COLUMNS]:
        raise BadClaims(
            f"{where}: the first line names {', '.join(map(repr, unknown))}; the columns are {', '.join(COLUMNS)}"
        )
    for row in rows:
        yield _claim(f"{where}, line {rows.line_num}", row)


def _claim(where: str, row: dict[str, Any]) -> Claim:
    if None in row or None in row.values():
        raise BadClaims(f"{where}: {len(row) - (None in row)} columns are needed; put quotes around a comma")
    claim = Claim(**{name: text.strip() for name, text in row.items()})
    for name in NEEDED:
        if not getattr(claim, name):
            raise BadClaims(f"{where} ({claim.model}): no {name}; a number without its {name} cannot be judged")
    _check(where, claim)
    return claim


def _check(where: str, claim: Claim) -> None:
    if claim.verified != "yes":
        raise BadClaims(
            f"{where} ({claim.model}): verified is {claim.verified!r}; a number from memory is not a published one:"
            " open the source, then write yes"
        )
    allowed = {"mode": ("clip", "step"), "quantity": tuple(UNITS), "unit": UNITS.get(claim.quantity, ())}
    for name, values in allowed.items():
        if getattr(claim, name) not in values:
            raise BadClaims(f"{where} ({claim.model}): {name} is {getattr(claim, name)!r}; expected {' or '.join(values)}")
    try:
        finite = claim.value.is_finite()
    except InvalidOperation:
        finite = False
    if not finite:
        raise BadClaims(f"{where} ({claim.model}): published is {claim.published!r}; expected a number as it is printed")
    if not claim.network and not claim.why:
        raise BadClaims(f"{where} ({claim.model}): neither a network nor a why: say what keeps it from being derived")
