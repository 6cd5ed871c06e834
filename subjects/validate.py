"""What a subject must be before anything of it runs: each mistake is named, with what was expected."""

from __future__ import annotations

import torch

from coequal.subjects.chunks import plan_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


def check_subject(subject: Subject) -> None:
    """BadSubject unless the fields have the right kinds."""
    if not isinstance(subject, Subject):
        raise BadSubject(f"verify: expected a coequal.Subject, got {type(subject).__name__}")
    if not isinstance(subject.example, Tensor):
        raise BadSubject(f"Subject.example: expected a tensor, a whole clip, got {type(subject.example).__name__}")
    _check_callables(subject)
    axes = subject.example.dim()
    if not 0 <= subject.time < axes:
        raise BadSubject(
            f"Subject.time: the example has {axes} axes {tuple(subject.example.shape)},"
            f" so there is no time axis {subject.time}"
        )
    if subject.batch is not None and (not 0 <= subject.batch < axes or subject.batch == subject.time):
        raise BadSubject(
            f"Subject.batch: axis {subject.batch} is not one of the example's {axes}, or is time; None if there is none"
        )
    if subject.example.shape[subject.time] < 1:
        raise BadSubject(f"Subject.example: needs at least one frame, got shape {tuple(subject.example.shape)}")
    if 0 in subject.example.shape:
        raise BadSubject(
            f"Subject.example: a clip of shape {tuple(subject.example.shape)} is empty: every axis needs an element at least"
        )
    if subject.window is not None and (not isinstance(subject.window, int) or subject.window < 1):
        raise BadSubject(f"Subject.window: a number of frames, at least 1, or None; got {subject.window!r}")
    if not isinstance(subject.offset, int) or subject.offset < 0:
        raise BadSubject(
            f"Subject.offset: index of the clip frame that the first emission stands for, 0 or more; got {subject.offset!r}."
            " A stream whose first emissions stand for no frame has to leave them out (return None)"
        )
    if subject.emits not in ("frames", "window", "last"):
        raise BadSubject(f"Subject.emits: 'frames', 'window' or 'last', got {subject.emits!r}")
    plan_of(subject.plan)


def _check_callables(subject: Subject) -> None:
    for name in ("clip", "stream"):
        if not callable(getattr(subject, name)):
            raise BadSubject(f"Subject.{name}: expected a callable, got {type(getattr(subject, name)).__name__}")
    for name in ("inputs", "memory", "clip_state", "twin"):
        if getattr(subject, name) is not None and not callable(getattr(subject, name)):
            raise BadSubject(f"Subject.{name}: expected a callable or None, got {type(getattr(subject, name)).__name__}")
