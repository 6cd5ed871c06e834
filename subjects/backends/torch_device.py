"""Devices of torch: modules and example are moved there, and computed with where they are."""

from __future__ import annotations

import dataclasses

import torch

from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import mapped
from coequal.subjects.subject import Subject


def serves(name: str) -> bool:
    """Whether torch knows devices of this name, be there one or not."""
    try:
        torch.device(name)
    except RuntimeError:
        return False
    return True


def moved(subject: Subject, name: str) -> Subject:
    """The same with modules and example on the device. BadSubject where torch has no such device here."""
    try:
        example = mapped(lambda leaf: leaf.to(name), subject.example)
    except (RuntimeError, AssertionError) as error:
        raise BadSubject(f"--device {name}: {str(error).splitlines()[0]}") from None
    if subject.modules is not None:
        subject.modules.to(name)
    return dataclasses.replace(subject, example=example)
