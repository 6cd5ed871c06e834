"""`coequal write` in the child process: load the module that the user named, draft a subject of it."""

from __future__ import annotations

import torch

from coequal.process.target import called, named
from coequal.subjects.adapters.find import Named
from coequal.subjects.drafting import draft
from coequal.subjects.drafts.origin import Origin
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

WANTED = (
    "a torch.nn.Module, a class of one that needs no arguments, or a function that needs none and returns one:"
    " write such a function where arguments are needed"
)


def of_target(target: str, example: tuple[int, ...] | None) -> str:
    """The draft for a target; BadSubject where it cannot be loaded, is no module, or has nothing like a stream."""
    where, colon, name = target.rpartition(":")
    if not colon or not name:
        raise BadSubject(f"{target}: write FILE.py:NAME or package.module:NAME; NAME is {WANTED}")
    found = named(target)
    if isinstance(found, Named):
        raise BadSubject(f"{target} needs no draft, since an adapter builds it: coequal verify {target}")
    value = called(target, found, WANTED)
    pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], torch.Tensor)
    module, clip = value if pair else (value, None)
    if isinstance(module, Subject):
        raise BadSubject(f"{target} is a coequal.Subject already: coequal verify {target}")
    if not isinstance(module, torch.nn.Module):
        raise BadSubject(f"{target} is of type {type(module).__name__}; expected {WANTED}")
    origin = Origin(where, name, called=found is not value, pair=pair)
    return draft(module.eval(), origin, clip if example is None else example)
