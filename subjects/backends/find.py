"""The back end that a name belongs to."""

from __future__ import annotations

from typing import Any

from coequal.subjects import backends
from coequal.subjects.errors import BadSubject, nearest
from coequal.subjects.listing import modules_of
from coequal.subjects.subject import Subject


def on_device(subject: Subject, name: str) -> Subject:
    """The subject, where a back end runs it. BadSubject where none serves the name, or cannot here."""
    found = modules_of(backends, "serves")
    for backend in found.values():
        if backend.serves(name):
            return backend.moved(subject, name)
    raise BadSubject(f"--device {name}: no back end is called so; there are {', '.join(found)}")


def runtime(text: str) -> tuple[Any, str, dict[str, str]]:
    """`openvino,INFERENCE_PRECISION_HINT=f32`: the runtime, its name, its settings. BadSubject: there is none."""
    name, *rest = text.split(",")
    found = modules_of(backends, "start")
    if name not in found:
        meant = nearest(name, found)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(found)}"
        raise BadSubject(f"--backend {name}: no runtime is called so; {hint}")
    pairs = [part.partition("=") for part in rest]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise BadSubject(f"--backend {text}: expected NAME[,SETTING=VALUE,...], got {key!r}")
    return found[name], name, {key: value for key, _, value in pairs}
