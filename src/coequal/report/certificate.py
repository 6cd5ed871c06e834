"""What is said of a certificate: that it was written or not, that it holds or not."""

from __future__ import annotations

import dataclasses
from typing import Any

from coequal.report.document import Case, Document, Facts, Notes, Section
from coequal.subjects.wording import power


def written(document: Document, path: str, said: dict[str, Any]) -> Document:
    """A report, with the certificate that was written of it."""
    rows = (
        ("file", path),
        ("step", f"SHA-256 {said['step']['sha256']}"),
        ("frames", ", ".join(map(str, said["lengths"]))),
        ("bound", f"wrong with probability below {power(said['bound'])}"),
    )
    return dataclasses.replace(document, parts=(*document.parts, Section("certificate", (Facts(rows),), "good")))


def not_written(document: Document, why: str) -> Document:
    """A report without the certificate that was asked for: exit code 3 at least."""
    return dataclasses.replace(
        document,
        parts=(*document.parts, Section("certificate", (Notes((f"not written: {why}",)),), "warn")),
        cases=(*document.cases, Case("certificate", "error", f"not written: {why}")),
        exit_code=document.exit_code or 3,
    )


def checked(path: str, found: Any) -> Document:
    """What became of a certificate that was computed again."""
    if found.refused:
        case = Case("certificate", "failed", found.refused)
        data = {"certificate": path, "holds": False, "why": found.refused}
        return Document("recheck", path, "refused", "bad", meaning=found.refused, cases=(case,), data=data, exit_code=1)
    rows = (
        ("frames", ", ".join(map(str, found.lengths))),
        ("clip", found.clip or "the graphs in the certificate: that they are your network is not checked"),
        ("bound", f"wrong with probability below {power(found.bound)}"),
    )
    data = {"certificate": path, "holds": True, "lengths": list(found.lengths), "bound": found.bound, "clip": found.clip}
    meaning = "step and clip network agree at the point that follows from their hashes"
    case = Case("certificate", "passed", meaning)
    return Document("recheck", path, "holds", "good", meaning=meaning, parts=(Facts(rows),), cases=(case,), data=data)
