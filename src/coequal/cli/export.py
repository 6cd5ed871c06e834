"""`coequal export`: a continual module as a file, verified before it is left on disk."""

from __future__ import annotations

import argparse
import shlex

from coequal.process import parent
from coequal.report import verdict
from coequal.report.document import Document, Facts, Line


def document(options: argparse.Namespace) -> Document:
    """What was written, and what the file is verified to be; BadInput where there is none."""
    asked = {"to": options.to, "output": options.output, "example": options.example}
    request = {"target": options.target, "seed": options.seed, "export": asked}
    written = parent.run(request, options.timeout)
    said = verdict.document(written.report)
    rows = (
        ("file", written.path),
        ("states", ", ".join(written.states) or "none"),
        ("delay", f"{written.late} emissions at the start stand for no frame"),
    )
    again = shlex.join(["coequal", "verify", written.path, "--clip", options.target])
    again += "" if options.example is None else f" --example {','.join(map(str, options.example))}"
    return Document(
        command="export",
        title=written.path,
        verdict=said.verdict,
        tone=said.tone,
        meaning=said.meaning,
        parts=(Facts(rows, "what was written"), *said.parts[:1], Line(again, "again", code=True)),
        cases=said.cases,
        data={**said.data, "file": written.path, "states": list(written.states), "ignore": written.late},
        seconds=said.seconds,
        seed=options.seed,
    )
