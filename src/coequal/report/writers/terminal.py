"""A document on the terminal: verdict first, then what it rests on. Plain text when piped.

What belongs to a title is indented below it. Figures are left out: they are for pages.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any, assert_never

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from coequal.report.document import (
    Cell,
    Column,
    Document,
    Facts,
    Figure,
    Line,
    Notes,
    Part,
    Section,
    Table,
    Verbatim,
    cell,
)

STYLES = {"": "", "good": "green", "bad": "bold red", "warn": "yellow", "calm": "cyan", "dim": "dim"}
STEP = 2  # columns of one level
ROOMY = 100  # columns from which on nothing is shortened
LONGEST = 24  # letters of a word that is not broken


def show(document: Document, console: Console) -> None:
    """Print it."""
    with trimmed(console):
        _show(document, console)


def plain(document: Document, width: int = 100) -> str:
    """What a pipe of that width gets."""
    stream = io.StringIO()
    show(document, Console(file=stream, width=width, highlight=False, markup=False, emoji=False, color_system=None))
    return stream.getvalue()


@contextlib.contextmanager
def trimmed(console: Console) -> Iterator[None]:
    """What is printed within it goes to a pipe without blanks at the ends of lines."""
    if console.is_terminal:
        yield
        return
    with console.capture() as captured:
        yield
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _show(document: Document, console: Console) -> None:
    _heading(document, console)
    below = bool(document.title)
    conclusion = (Line(document.conclusion),) if document.conclusion else ()
    blank = bool(document.meaning)
    for parts, indent in ((document.parts, STEP * below), (conclusion, 0), (document.appendix, 0)):
        for before, part in _pairs(parts):
            if _apart(before, part) if before is not None else blank and not _joined(part):
                console.print()
            _print(part, indent, below, console)
            blank = True


def _pairs(parts: tuple[Part, ...]) -> Iterator[tuple[Part | None, Part]]:
    """Each part that is shown here, with the one before it."""
    before = None
    for part in filter(_shown, parts):
        yield before, part
        before = part


def _shown(part: Part) -> bool:
    return any(map(_shown, part.parts)) or not part.parts if isinstance(part, Section) else not isinstance(part, Figure)


def _joined(part: Part) -> bool:
    """Whether a part continues what stands before it."""
    return isinstance(part, Section) and not part.title


def _apart(before: Part, part: Part) -> bool:
    """Whether there is a blank line between two parts: not where both are lines."""
    return not _joined(part) and not (isinstance(before, (Facts, Line)) and isinstance(part, (Facts, Line)))


def _heading(document: Document, console: Console) -> None:
    """`different  a.py:b  (12.3 s)`, and its meaning."""
    if document.title:
        verdict = Text(document.verdict, f"bold {STYLES[document.tone]}") if document.verdict else Text()
        aside = document.aside or ("" if document.seconds is None else f"{document.seconds:.1f} s")
        words = [verdict, Text(document.title, "" if verdict else "bold"), Text(f"({aside})" if aside else "")]
        console.print(Text("  ").join(word for word in words if word), soft_wrap=True)
        if document.meaning:
            console.print(Padding.indent(Text(document.meaning), STEP))


def _print(part: Part, indent: int, below: bool, console: Console) -> None:
    """One part; `below` a heading, facts and tables need no title of their own."""
    match part:
        case Facts():
            console.print(Padding.indent(_facts(part), indent))
        case Table():
            if part.title and not below:
                _title(part.title, indent, console)
            console.print(Padding.indent(_table(part, console.width), indent))
        case Notes():
            console.print(Padding.indent(_grid(("-", Text(line)) for line in part.lines), indent))
        case Line():
            _line(part, indent, console)
        case Verbatim():
            _verbatim(part, console)
        case Section():
            _section(part, indent, console)
        case Figure():
            pass
        case _:
            assert_never(part)


def _title(title: str, indent: int, console: Console, tone: str = "") -> None:
    console.print(Text.assemble(" " * indent, (title, f"bold {STYLES[tone]}")), soft_wrap=True)


def _section(section: Section, indent: int, console: Console) -> None:
    if section.title:
        _title(section.title, indent, console, section.tone)
    for part in section.parts:
        _print(part, indent + STEP, True, console)


def _line(line: Line, indent: int, console: Console) -> None:
    """On one line, whatever its length: the terminal may break it, and it can be copied."""
    gap = " " if line.name.endswith(":") else "  " if line.name else ""
    console.print(Text.assemble(" " * indent, (line.name, "bold"), f"{gap}{line.text}"), soft_wrap=True)


def _verbatim(part: Verbatim, console: Console) -> None:
    """As it stands in the file, at the margin."""
    if part.title:
        console.print(Text(part.title, "bold"))
    if part.language and console.is_terminal:
        from rich.syntax import Syntax  # it takes as long to import as all the rest

        console.print(Syntax(part.text, part.language, theme="ansi_dark", background_color="default", word_wrap=True))
    else:
        console.print(Text(part.text), soft_wrap=True)


def _facts(facts: Facts) -> Grid:
    """A line a fact; the subject stands before the first."""
    style = "" if facts.subject else "bold"
    rows = [(Text(name, style), _text(cell(value))) for name, value in facts.rows]
    if facts.subject:
        return _grid((Text("" if i else facts.subject, "bold"), *row) for i, row in enumerate(rows))
    return _grid(rows)


def _grid(rows: Any) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for row in rows:
        grid.add_row(*row)
    return grid


def _table(table: Table, width: int) -> RenderableType:
    cells = [[cell(words) for words in row] for row in table.rows]
    if not table.headed:
        first = "bold" if table.columns[0].kind == "name" else ""
        return _grid((_text(row[0], first), *map(_text, row[1:])) for row in cells)
    grid = Grid(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for i, column in enumerate(table.columns):
        _column(grid, column, [row[i].text for row in cells])
    for row in cells:
        grid.add_row(*(_text(c, "", width < ROOMY) for c in row))
    return grid


def _column(grid: Grid, column: Column, texts: list[str]) -> None:
    longest = max((len(word) for text in texts for word in text.split()), default=0)
    grid.add_column(
        column.head,
        justify="right" if column.kind == "number" else "left",
        no_wrap=column.kind in ("name", "word"),
        overflow="fold",
        min_width=min(longest, LONGEST) if column.kind == "phrase" else None,
    )


def _text(words: Cell, style: str = "", short: bool = False) -> Text:
    return Text((short and words.short) or words.text, STYLES[words.tone] or style, overflow="fold")
