"""A document as one self-contained HTML page: no scripts, nothing fetched, light or dark as the reader prefers.

`report.html` holds the look, this file the words. Every text is escaped: names and messages come from the user's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from itertools import groupby
from string import Template
from typing import assert_never

from coequal import __version__
from coequal.report.document import Cell, Column, Document, Facts, Figure, Line, Notes, Part, Section, Table, Verbatim, cell
from coequal.report.svg import drawn

HELP = "write it as one self-contained page"


def text(document: Document) -> str:
    """The page."""
    return Template(files("coequal.report").joinpath("report.html").read_text(encoding="utf-8")).substitute(
        title=escape(": ".join(filter(None, (document.verdict, document.title))) or document.heading),
        heading=escape(document.heading),
        lead="\n".join(_lead(document)),
        tone=document.tone or "none",
        sections="\n".join(_sections((*document.parts, *document.appendix))),
        footer=escape(", ".join(filter(None, (f"coequal {__version__}", document.made)))),
    )


def _lead(document: Document) -> Iterator[str]:
    """What stands below the heading: the sentence, what it is about, how to read it."""
    for words in filter(None, (document.summary, document.aside)):
        yield f"<p>{_words(words)}</p>"
    if document.verdict and document.title:
        yield f"<p><code>{escape(document.title)}</code></p>"
    if document.meaning and document.conclusion:
        yield f"<p>{_words(document.conclusion)}</p>"


def _sections(parts: tuple[Part, ...]) -> Iterator[str]:
    """A card with its title for each part; lines that follow one another share one."""
    for are_lines, group in groupby(parts, lambda part: isinstance(part, Line)):
        together = tuple(group)
        for title, inner, tone in [("", together, "")] if are_lines else map(_card, together):
            edge = f" edge {tone}" if tone else ""
            head = f"<h2>{escape(title)}</h2>" if title else ""
            yield f'<section>{head}<div class="card{edge}">{"".join(map(_body, inner))}</div></section>'


def _card(part: Part) -> tuple[str, tuple[Part, ...], str]:
    """The title of a part, what it holds, and its tone."""
    if isinstance(part, Section):
        return part.title, part.parts, part.tone
    if isinstance(part, Facts):
        return part.title or part.subject, (part,), ""
    return part.title if isinstance(part, (Table, Verbatim)) else "", (part,), ""


def _body(part: Part) -> str:
    """A part without its title."""
    match part:
        case Facts():
            rows = (f"<dt>{escape(name)}</dt><dd>{_cell(cell(value))}</dd>" for name, value in part.rows)
            return f"<dl>{''.join(rows)}</dl>"
        case Table():
            return _table(part)
        case Notes():
            return f"<ul>{''.join(f'<li>{_words(line)}</li>' for line in part.lines)}</ul>"
        case Line() | Verbatim():
            return _lines(part)
        case Figure():
            return drawn(part)
        case Section():
            return (f"<h3>{escape(part.title)}</h3>" if part.title else "") + "".join(map(_body, part.parts))
        case _:
            assert_never(part)


def _lines(part: Line | Verbatim) -> str:
    """Code as it stands; a sentence as a paragraph."""
    if isinstance(part, Verbatim):
        return f'<pre class="verbatim">{escape(part.text)}</pre>'
    if part.code:
        return f"<pre>{escape(part.text)}</pre>"
    name = f"<strong>{escape(part.name)}</strong> " if part.name else ""
    return f"<p>{name}{_words(part.text)}</p>"


def _table(table: Table) -> str:
    head = "".join(f"<th{_style(column)}>{escape(column.head)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_td, table.columns, map(cell, row)))}</tr>" for row in table.rows)
    heads = f"<thead><tr>{head}</tr></thead>" if table.headed else ""
    return f'<div class="scroll"><table>{heads}<tbody>{rows}</tbody></table></div>'


def _td(column: Column, words: Cell) -> str:
    shown = f"<code>{_words(words.text)}</code>" if column.kind == "name" else _cell(words)
    return f"<td{_style(column)}>{shown}</td>"


def _style(column: Column) -> str:
    return ' class="count"' if column.kind == "number" else ""


def _cell(words: Cell) -> str:
    if words.tone:
        return f'<span class="tone {words.tone}">{_words(words.text)}</span>'
    return f"<code>{_words(words.text)}</code>" if words.code else _words(words.text)


def _words(words: str) -> str:
    """Escaped; what stands between backticks is code."""
    return re.sub("`([^`\n]+)`", r"<code>\1</code>", escape(words)).replace("\n", "<br>")
