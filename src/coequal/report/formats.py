"""Output formats: whatever the files of `writers/` can do, and the entry points of other packages in `coequal.writers`.

A file has `HELP`, one line for --help, and one of two functions. `text(document)` returns what is written to a file: the
option is `--NAME FILE`. `publish(document, out)` writes to the standard output and wherever else: the option is `--NAME`.
The terminal has neither `HELP` nor an option: it is always written to.
"""

from __future__ import annotations

from typing import Any

from coequal.report import writers
from coequal.subjects.listing import installed, modules_of

GROUP = "coequal.writers"


def formats() -> dict[str, Any]:
    """The writers that have an option, by name. No other package replaces one of ours."""
    return installed(GROUP) | modules_of(writers, "HELP")


def to_file(writer: Any) -> bool:
    """Whether a writer's option takes a file."""
    return hasattr(writer, "text")
