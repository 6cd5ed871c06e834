"""`coequal systems`: the catalogue, operators of the reference and published networks."""

from __future__ import annotations

import argparse
from typing import Any

from coequal.cli.explain import Page, pages
from coequal.report.document import Column, Document, Table
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.system import System

COLUMNS = (Column("name", "name"), Column("parameters", "number"), Column("clip", "word"), Column("streams", "word"))


def document(options: argparse.Namespace) -> Document:
    """The operators, and the networks: trainable parameters, the clip they were published with, whether they stream."""
    operators = [page for page in pages().values() if _layers(page)]  # a file without any is shared by others
    named = tuple((page.name, f"{page.title}\n{', '.join(_layers(page))}") for page in operators)
    return Document(
        command="systems",
        parts=(
            Table((Column("", "name"), Column("")), named, "operators"),
            Table(COLUMNS, tuple(map(_row, SYSTEMS.values())), "systems"),
        ),
        data={"operators": list(map(_operator, operators)), "systems": list(map(_system, SYSTEMS.values()))},
    )


def _layers(page: Page) -> list[str]:
    return [name for name in page.layers if name[0] != "_"]


def _operator(page: Page) -> dict[str, Any]:
    return {"name": page.name, "title": page.title, "layers": _layers(page)}


def _row(system: System) -> tuple[str, str, str, str]:
    clip = "x".join(map(str, system.shape[1:]))
    return system.name, f"{system.params:,}", clip, "yes" if system.streams else "no"


def _system(system: System) -> dict[str, Any]:
    shape = list(system.shape)
    return {"name": system.name, "parameters": system.params, "shape": shape, "streams": bool(system.streams)}
