"""The back end that a name belongs to."""

from __future__ import annotations

from coequal.subjects import backends
from coequal.subjects.errors import BadSubject
from coequal.subjects.listing import modules_of
from coequal.subjects.subject import Subject


def on_device(subject: Subject, name: str) -> Subject:
    """The subject, where a back end runs it. BadSubject where none serves the name, or cannot here."""
    found = modules_of(backends, "serves")
    for backend in found.values():
        if backend.serves(name):
            return backend.moved(subject, name)
    raise BadSubject(f"--device {name}: no back end is called so; there are {', '.join(found)}")
