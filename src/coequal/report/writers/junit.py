"""A document as JUnit XML, which systems of continuous integration read: one testcase for each thing that could fail.

A failure is what makes the exit code 1, an error what could not be decided; what is worth a look and no failure is skipped,
with its message. A command where nothing can fail has one testcase, which passes. What the terminal shows is `system-out`.
"""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from coequal.report.document import Case, Document, Facts, Part, cell
from coequal.report.writers import terminal

HELP = "write it as JUnit XML, for continuous integration"
TAGS = {"failed": "failure", "error": "error", "skipped": "skipped", "warned": "skipped"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that no escape makes legal


def text(document: Document) -> str:
    """One suite."""
    cases = document.cases or (Case(document.heading, "passed"),)
    counts = _counts(cases)
    total = document.seconds if document.seconds is not None else sum(case.seconds or 0 for case in cases)
    root = Element("testsuites", counts, time=f"{total:.3f}")
    name = legal(f"coequal {document.command} {document.title}".strip())
    suite = SubElement(root, "testsuite", counts, name=name, time=f"{total:.3f}")
    _properties(document, suite)
    for case in cases:
        _case(document, case, suite)
    SubElement(suite, "system-out").text = legal(terminal.plain(document))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def legal(words: str) -> str:
    """Without the characters that XML cannot hold."""
    return NOT_XML.sub("\ufffd", words)


def _counts(cases: tuple[Case, ...]) -> dict[str, str]:
    found = Counter(TAGS.get(case.status, "passed") for case in cases)
    counts = {"tests": len(cases), "failures": found["failure"], "errors": found["error"], "skipped": found["skipped"]}
    return {name: str(count) for name, count in counts.items()}


def _properties(document: Document, suite: Element) -> None:
    """Facts and the seed, by name."""
    rows = [row for part in document.parts for row in _rows(part)]
    if rows:
        properties = SubElement(suite, "properties")
        for name, value in rows:
            SubElement(properties, "property", name=legal(name), value=legal(value))


def _rows(part: Part) -> list[tuple[str, str]]:
    """The facts of a part that is facts, with whose they are."""
    rows = part.rows if isinstance(part, Facts) else ()
    subject = part.subject if isinstance(part, Facts) else ""
    return [(" ".join(filter(None, (subject, name))), cell(value).text) for name, value in rows]


def _case(document: Document, case: Case, suite: Element) -> None:
    known = {"classname": legal(document.title or document.command), "name": legal(case.name)}
    if case.seconds is not None:
        known["time"] = f"{case.seconds:.3f}"
    if document.place is not None:
        known |= {"file": legal(document.place.file), "line": str(document.place.line)}
    element = SubElement(suite, "testcase", known)
    if tag := TAGS.get(case.status):
        found = SubElement(element, tag, message=legal(case.message))
        found.text = legal(case.detail) or None
