"""A document in a GitHub workflow: annotations at the user's line, and a summary of the job.

Annotations are commands on the standard output (`::error file=model.py,line=7,title=...::message`); the summary is Markdown,
added to the file that GITHUB_STEP_SUMMARY names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from coequal.report.document import Case, Document, Place
from coequal.report.writers import markdown

HELP = "annotate the line in a GitHub workflow, and add to the job's summary"
LEVELS = {"failed": "error", "error": "error", "warned": "warning"}


def publish(document: Document, out: TextIO) -> None:
    """Print the commands, and add the summary."""
    out.write(commands(document))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(summary, "a", encoding="utf-8", errors="replace") as file:
            file.write(markdown.text(document))


def commands(document: Document) -> str:
    """A line for each case that failed, could not be decided, or is worth a look."""
    return "".join(f"{_command(document, case)}\n" for case in document.cases if case.status in LEVELS)


def _command(document: Document, case: Case) -> str:
    named = {"title": f"coequal {document.command}: {case.name}"}
    properties = ",".join(f"{key}={_property(value)}" for key, value in (_where(document.place) | named).items())
    message = "\n".join(filter(None, (case.message, case.detail)))
    return f"::{LEVELS[case.status]} {properties}::{_data(message)}"


def _where(place: Place | None) -> dict[str, str]:
    """File and line, the file as GitHub names it: from the root of the checkout."""
    if place is None:
        return {}
    root, path = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()), Path(place.file).resolve()
    inside = path.is_relative_to(root.resolve())
    return {"file": str(path.relative_to(root.resolve()) if inside else place.file), "line": str(place.line)}


def _data(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")
