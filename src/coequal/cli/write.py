"""`coequal write`: a draft of a subject for a module, as Python."""

from __future__ import annotations

import argparse

from coequal.process import parent
from coequal.report.document import Document, Verbatim


def document(options: argparse.Namespace) -> Document:
    """The draft alone; BadInput where there is none. What the user's code prints is dropped: it is to become a file."""
    request = {"target": options.target, "draft": {"example": options.example}}
    source = parent.run(request, options.timeout, quiet=True)
    return Document(
        command="write",
        aside=options.target,
        parts=(Verbatim(source.rstrip("\n")),),  # of no language: a terminal that colours lines breaks them, too
        data={"target": options.target, "source": source},
    )
