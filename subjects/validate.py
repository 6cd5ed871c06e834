"""What a subject must be before anything of it runs: each mistake is named, with what was expected."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import torch

from coequal.subjects.chunks import plan_of
from coequal.subjects.errors import BadSubject, nearest
from coequal.subjects.inputs import Inputs, leaves_of
from coequal.subjects.subject import Claim, Subject

Tensor = torch.Tensor
WHOLE = {
    "window": (1, "a number of frames, at least 1, or None"),
    "longest": (1, "the greatest total length in frames, at least 1, or None"),
    "latency": (0, "a number of frames, 0 or more, or None"),
}
COMPLEX = (
    "Subject.example: complex numbers are handed over by their parts: give torch.view_as_real(x), and let clip and step"
    " begin with torch.view_as_complex"
)
META = "is on the device meta, which holds no numbers"
COUNTS = {"ignore": "a number of emissions", "warm_up": "a number of frames"}


def check_subject(subject: Subject) -> None:
    """BadSubject unless the fields have the right kinds."""
    if not isinstance(subject, Subject):
        raise BadSubject(f"verify: expected a coequal.Subject, got {type(subject).__name__}")
    _check_example(subject.example)
    _check_callables(subject)
    layout = subject.layout
    for name, leaf in leaves_of(subject.example).items():
        _check_axes(f" of the input {name!r}" if name else "", leaf, layout.time[name], layout.batch[name])
    _check_lengths(subject, layout)
    _check_numbers(subject)
    _check_choices(subject)
    _check_named(subject)
    _check_kinds(subject)
    plan_of(subject.plan)


def _check_example(example: Any) -> None:
    if isinstance(example, (tuple, list, Mapping)) and not example:
        raise BadSubject("Subject.example: there is no input in it")
    if not isinstance(example, (Tensor, tuple, list, Mapping)):
        raise BadSubject(
            "Subject.example: expected a tensor, a whole clip, or a tuple or dictionary of tensors, got"
            f" {type(example).__name__}"
        )
    for name, leaf in leaves_of(example).items():
        if not isinstance(leaf, Tensor):
            raise BadSubject(f"Subject.example: the input {name!r} is no tensor, it is {type(leaf).__name__}")
        if leaf.is_complex():
            raise BadSubject(COMPLEX)
        if leaf.is_meta:
            raise BadSubject(f"Subject.example: the input{f' {name!r}' if name else ''} {META}: give a clip of numbers")


def _check_axes(of: str, leaf: Tensor, time: Any, batch: Any) -> None:
    axes = leaf.dim()
    if time is not None and (not isinstance(time, int) or not 0 <= time < axes):
        raise BadSubject(
            f"Subject.time: the example{of} has {axes} axes {tuple(leaf.shape)}, so there is no time axis {time}"
            f"{' (None for what does not move with time)' if of else ''}"
        )
    if batch is not None and (not isinstance(batch, int) or not 0 <= batch < axes or batch == time):
        raise BadSubject(
            f"Subject.batch: axis {batch} is not one of the example's {axes}{of}, or is time; None if there is none"
        )
    if time is not None and leaf.shape[time] < 1:
        raise BadSubject(f"Subject.example: needs at least one frame, got shape {tuple(leaf.shape)}{of}")
    if 0 in leaf.shape:
        raise BadSubject(
            f"Subject.example: a clip of shape {tuple(leaf.shape)}{of} is empty: every axis needs an element at least"
        )


def _check_lengths(subject: Subject, layout: Inputs) -> None:
    """All inputs are clips of one length and one number of rows."""
    leaves = leaves_of(subject.example)
    if all(axis is None for axis in layout.time.values()):
        raise BadSubject("Subject.time: no input of the example moves with time")
    for what, axes in (("frames", layout.time), ("rows", layout.batch)):
        counts = {name: leaf.shape[axis] for name, leaf in leaves.items() if (axis := axes[name]) is not None}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise BadSubject(f"Subject.example: its inputs have different numbers of {what}: {listed}")


def _check_callables(subject: Subject) -> None:
    for name in ("clip", "stream"):
        if not callable(getattr(subject, name)):
            raise BadSubject(f"Subject.{name}: expected a callable, got {type(getattr(subject, name)).__name__}")
    for name in ("inputs", "memory", "clip_state", "twin", "suspects"):
        if getattr(subject, name) is not None and not callable(getattr(subject, name)):
            raise BadSubject(f"Subject.{name}: expected a callable or None, got {type(getattr(subject, name)).__name__}")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_numbers(subject: Subject) -> None:
    for name, (least, expected) in WHOLE.items():
        value = getattr(subject, name)
        if value is not None and not _whole(value, least):
            raise BadSubject(f"Subject.{name}: {expected}; got {value!r}")
    for name, expected in COUNTS.items():
        if not _whole(getattr(subject, name), 0):
            raise BadSubject(f"Subject.{name}: {expected}, 0 or more; got {getattr(subject, name)!r}")
    if not isinstance(subject.offset, int) or subject.offset < 0:
        raise BadSubject(
            f"Subject.offset: index of the clip frame that the first emission stands for, 0 or more; got {subject.offset!r}."
            " A stream whose first emissions stand for no frame leaves them out (returns None), or names them by `ignore`"
        )
    if subject.rate is not None and not (isinstance(subject.rate, (int, Fraction)) and subject.rate > 0):
        raise BadSubject(f"Subject.rate: frames out for each frame in, a Fraction above 0, or None; got {subject.rate!r}")
    if subject.within is not None and not (type(subject.within) in (int, float) and 0 < subject.within < float("inf")):
        raise BadSubject(f"Subject.within: a distance above 0, or None; got {subject.within!r}")
    rows = subject.batches
    if rows is not None and not (isinstance(rows, (tuple, list)) and rows and all(_whole(n, 1) for n in rows)):
        raise BadSubject(f"Subject.batches: the numbers of rows that are legal, like (1,), or None; got {rows!r}")
    mine = subject.layout.rows(subject.example)
    if rows is not None and mine is not None and mine not in rows:
        raise BadSubject(f"Subject.batches: the example has {mine} rows, which is none of {tuple(rows)}")
    if subject.longest is not None and subject.layout.length(subject.example) > subject.longest:
        raise BadSubject(f"Subject.longest: the example has more than {subject.longest} frames")


def _check_choices(subject: Subject) -> None:
    if subject.emits not in ("frames", "window", "last"):
        raise BadSubject(f"Subject.emits: 'frames', 'window' or 'last', got {subject.emits!r}")
    if subject.emits == "window" and subject.window is None:
        raise BadSubject("Subject.emits: 'window' hands out whole windows: say of how many frames by `window`")
    if subject.streams not in ("any", "one at a time"):
        raise BadSubject(f"Subject.streams: 'any' or 'one at a time', got {subject.streams!r}")
    if not isinstance(subject.clip_between, bool):
        raise BadSubject(f"Subject.clip_between: True or False, got {subject.clip_between!r}")
    select = subject.select
    paths = (select,) if isinstance(select, str) else select
    named = isinstance(paths, tuple) and paths != () and all(isinstance(path, str) for path in paths)
    if not (select is None or callable(select) or named):
        raise BadSubject(f"Subject.select: a path like 'hidden[0]', several of them, or a function; got {select!r}")


def _check_named(subject: Subject) -> None:
    """Masks and positions are inputs of the example, of a kind that can be drawn."""
    leaves, layout = leaves_of(subject.example), subject.layout
    for what in ("positions", "valid"):
        name = getattr(subject, what)
        if name is None:
            continue
        if not isinstance(name, str) or name not in leaves:
            known = ", ".join(leaf for leaf in leaves if leaf) or "a tensor without a name"
            meant = nearest(str(name), leaves)
            raise BadSubject(
                f"Subject.{what}: {name!r} is no input of the example, which has {known}"
                f"{f': did you mean {meant!r}?' if meant else ''}"
            )
        if what == "positions" and layout.time[name] is None:
            raise BadSubject(f"Subject.positions: the input {name!r} has no time axis")
        if what == "valid" and layout.time[name] is None and (leaves[name].is_floating_point() or leaves[name].dim() > 1):
            raise BadSubject(f"Subject.valid: {name!r} is a mask with a time axis, or holds a whole number for each row")
    _check_contents(subject, leaves, layout)
    if subject.positions is not None and subject.positions == subject.valid:
        raise BadSubject("Subject.positions and Subject.valid name the same input")


def _check_contents(subject: Subject, leaves: dict[str, Tensor], layout: Inputs) -> None:
    """Positions count frames, masks say yes or no, lengths are no longer than the clip."""
    if subject.positions is not None:
        example, time = leaves[subject.positions], layout.time[subject.positions]
        assert time is not None
        if example.dtype == torch.bool or not bool((example.diff(dim=time) == 1).all()):
            raise BadSubject(f"Subject.positions: `{subject.positions}` does not count frames, one by one, in the example")
    if subject.valid is None:
        return
    example, length = leaves[subject.valid], layout.length(subject.example)
    if layout.time[subject.valid] is None:
        if bool(((example < 0) | (example > length)).any()):
            raise BadSubject(f"Subject.valid: `{subject.valid}` holds lengths, from 0 to the example's {length} frames")
    elif not bool(((example == 0) | (example == 1)).all()):
        raise BadSubject(f"Subject.valid: `{subject.valid}` is a mask: True or 1 where a frame counts, False or 0 where not")


def _check_kinds(subject: Subject) -> None:
    if subject.modules is not None and not isinstance(subject.modules, torch.nn.Module):
        kind = type(subject.modules).__name__
        raise BadSubject(f"Subject.modules: expected a torch.nn.Module (a ModuleList of several), or None; got {kind}")
    if subject.modules is not None:
        named = itertools.chain(subject.modules.named_parameters(), subject.modules.named_buffers())
        if (name := next((name for name, tensor in named if tensor.is_meta), None)) is not None:
            raise BadSubject(f"Subject.modules: `{name}` {META}: make it on a device that does, and load its weights")
    if subject.claim is not None and not isinstance(subject.claim, Claim):
        raise BadSubject(f"Subject.claim: expected a coequal.Claim, or None; got {type(subject.claim).__name__}")
    allow = subject.allow
    if not isinstance(allow, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in allow):
        raise BadSubject(f"Subject.allow: names of checks or findings, like ('fork',); got {allow!r}")
