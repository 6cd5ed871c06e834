"""What a command has to say, and not how it looks: every command builds a Document, every writer prints any Document.

A Document is a heading (verdict, title, meaning), parts in their order, a conclusion, and what is long after it. Programs
get `data`, continuous integration gets `cases`: what could fail, and what became of it. No case failed where the exit code
is 0, and one did, or could not be decided, where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["", "good", "bad", "warn", "calm", "dim"]
Kind = Literal["text", "phrase", "name", "word", "number"]
Status = Literal["passed", "failed", "error", "skipped", "warned"]


@dataclass(frozen=True)
class Cell:
    """A value with what else is known of it: whether it is good news, a shorter way to say it, whether it is code."""

    text: str
    tone: Tone = ""
    short: str = ""
    code: bool = False


def cell(words: str | Cell) -> Cell:
    """Plain words as a cell of no tone."""
    return words if isinstance(words, Cell) else Cell(words)


@dataclass(frozen=True)
class Column:
    """What stands in a column: `text`, a `phrase` of whole words, a `name` of the code, one `word`, or a `number`."""

    head: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Facts:
    """Names and values; `subject`: whose facts these are, where a document has those of several."""

    rows: tuple[tuple[str, str | Cell], ...]
    title: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; without heads, a list of names and what they mean."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    title: str = ""

    @property
    def headed(self) -> bool:
        """Whether the columns say what they hold."""
        return any(column.head for column in self.columns)


@dataclass(frozen=True)
class Notes:
    """Sentences, each by itself."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """What stays on one line, whatever its length; `code`: it is there to be copied."""

    text: str
    name: str = ""
    code: bool = False


@dataclass(frozen=True)
class Figure:
    """A series of numbers over time, from frame 0 to `end`; what is not finite is a gap."""

    name: str
    values: tuple[float, ...]
    end: str = "end"


@dataclass(frozen=True)
class Verbatim:
    """Lines as they stand in a file: code, or an equation."""

    text: str
    title: str = ""
    language: str = ""


@dataclass(frozen=True)
class Section:
    """Parts that belong together, below a title; without a title, they belong to what stands before them."""

    title: str
    parts: tuple[Part, ...]
    tone: Tone = ""


Part = Facts | Table | Notes | Line | Figure | Verbatim | Section


@dataclass(frozen=True)
class Case:
    """One thing that could fail. `warned`: worth a look, and no failure; `error`: it could not be decided."""

    name: str
    status: Status
    message: str = ""  # in one line
    detail: str = ""  # in as many as it takes
    seconds: float | None = None


@dataclass(frozen=True)
class Place:
    """Where in the user's files a document's subject stands."""

    file: str
    line: int = 1


@dataclass(frozen=True)
class Document:
    """All that a command says; `data` is the same for programs, and `exit_code` what the command ends with."""

    command: str
    title: str = ""  # what it is about, as the user named it; empty: the command as a whole
    verdict: str = ""
    tone: Tone = ""
    aside: str = ""  # how to read it: the unit, the file
    meaning: str = ""  # the verdict in a sentence
    parts: tuple[Part, ...] = ()
    conclusion: str = ""  # what follows from the parts
    appendix: tuple[Part, ...] = ()  # what is long, or beside the point
    cases: tuple[Case, ...] = ()
    place: Place | None = None
    data: Any = None
    exit_code: int = 0
    seconds: float | None = None
    seed: int | None = None

    @property
    def heading(self) -> str:
        """The shortest thing to say: the verdict, else what it is about."""
        return self.verdict or self.title or f"coequal {self.command}"

    @property
    def summary(self) -> str:
        """The document in a sentence, where it has one."""
        return self.meaning or self.conclusion

    @property
    def made(self) -> str:
        """How it came about: `12.3 s, seed 0`."""
        time = "" if self.seconds is None else f"{self.seconds:.1f} s"
        return ", ".join(filter(None, (time, "" if self.seed is None else f"seed {self.seed}")))
