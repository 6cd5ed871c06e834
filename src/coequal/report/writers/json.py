"""The data of a document as JSON: finite, and in ASCII."""

from __future__ import annotations

import json

from coequal.equivalence.report import plain
from coequal.report.document import Document

HELP = "write it as JSON"


def text(document: Document) -> str:
    """One object or list, indented."""
    return json.dumps(plain(document.data), indent=2, allow_nan=False) + "\n"
