"""A document as Markdown, as GitHub reads it: for a comment, an issue, a summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from coequal.report.document import Cell, Column, Document, Facts, Figure, Line, Notes, Part, Section, Table, Verbatim, cell
from coequal.report.words import number

HELP = "write it as Markdown"
MARKS = re.compile(r"([\\`*_\[\]<>|~#$&@])")
CODE = re.compile(r"(`[^`]+`)")


def text(document: Document) -> str:
    """Heading, sentence, and a section for each part."""
    blocks = [*_head(document), *_blocks((*document.parts, *document.appendix), 2), escaped(document.made)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _head(document: Document) -> Iterator[str]:
    about = f": {code(document.title)}" if document.verdict and document.title else ""
    yield f"# {escaped(document.heading)}{about}"
    yield escaped(document.summary)
    yield escaped(document.aside)
    yield escaped(document.conclusion) if document.meaning else ""


def escaped(words: str) -> str:
    """Words that mean nothing but themselves, on one line; what stands between backticks is code."""
    pieces = CODE.split(" ".join(words.split()))
    return "".join(piece if CODE.fullmatch(piece) else MARKS.sub(r"\\\1", piece) for piece in pieces)


def code(words: str) -> str:
    """Code in a line, between more backticks than it holds."""
    line = " ".join(words.split())
    ticks = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    edge = " " if "`" in line else ""
    return f"{ticks}{edge}{line}{edge}{ticks}" if line else ""


def fenced(lines: str, language: str = "") -> str:
    """A block of code, between more backticks than it holds."""
    ticks = "`" * max(3, max(map(len, re.findall("`+", lines)), default=0) + 1)
    return f"{ticks}{language}\n{lines}\n{ticks}"


def _blocks(parts: tuple[Part, ...], level: int) -> Iterator[str]:
    for part in parts:
        if title := _title(part):
            yield f"{'#' * level} {escaped(title)}"
        yield from _blocks(part.parts, level + bool(part.title)) if isinstance(part, Section) else [_body(part)]


def _title(part: Part) -> str:
    if isinstance(part, Facts):
        return part.title or part.subject
    return part.title if isinstance(part, (Table, Verbatim, Section)) else ""


def _body(part: Facts | Table | Notes | Line | Figure | Verbatim) -> str:
    """A part without its title."""
    match part:
        case Facts():
            return "\n".join(f"- **{escaped(name)}**: {_cell(cell(value))}" for name, value in part.rows)
        case Table():
            return _table(part)
        case Notes():
            return "\n".join(f"- {escaped(line)}" for line in part.lines)
        case Line():
            name = f"**{escaped(part.name)}** " if part.name else ""
            return fenced(part.text) if part.code else f"{name}{escaped(part.text)}"
        case Figure():
            return f"{escaped(part.name)}, over time: {_range(part.values)}"
        case Verbatim():
            return fenced(part.text, part.language)
        case _:
            assert_never(part)


def _range(values: tuple[float, ...]) -> str:
    """A series in a few numbers."""
    return f"{number(values[0])} at frame 0, {number(values[-1])} at the end, at most {number(max(values))}"


def _table(table: Table) -> str:
    heads = [escaped(column.head) for column in table.columns]
    rules = ["---:" if column.kind == "number" else "---" for column in table.columns]
    rows = [list(map(_in_column, table.columns, map(cell, row))) for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rules, *rows))


def _in_column(column: Column, words: Cell) -> str:
    """A cell of a table, which ends at a bar even in code."""
    return re.sub(r"(?<!\\)\|", r"\\|", code(words.text) if column.kind == "name" else _cell(words))


def _cell(words: Cell) -> str:
    if words.code:
        return code(words.text)
    shown = "<br>".join(map(escaped, words.text.split("\n")))
    return f"**{shown}**" if words.tone == "bad" and shown else shown
