"""`coequal cost` in the child process: load what the user named, count it."""

from __future__ import annotations

from typing import Any

from coequal.process.target import loaded, random_clip
from coequal.proofs.cost.algebra.counts import CostError
from coequal.proofs.cost.targets.code import of_value
from coequal.subjects.adapters.find import Named
from coequal.subjects.errors import BadSubject


def of_target(target: str, options: dict[str, Any]) -> dict[str, Any]:
    """Facts and counts of a target; BadSubject where it cannot be loaded or counted."""
    value = loaded(target)
    example = options["example"]
    if isinstance(value, Named):
        value, example = value.subject(example), None
    clip = None if example is None else random_clip(example)
    try:
        if "conventions" in options:
            return under_each(target, value, clip, options)
        return of_value(target, value, clip, options)
    except CostError as error:
        raise BadSubject(f"{target}: {error}") from error


def under_each(target: str, value: Any, clip: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The numbers alone, as `proofs/claims/judge.py` asks for them: of the clip, of what a step executes, parameters."""
    counted = {name: of_value(target, value, clip, options | {"convention": name}) for name in options["conventions"]}
    some = next(iter(counted.values()))
    steps = {name: each["step"]["executed"] for name, each in counted.items() if each["step"] is not None}
    return {
        "clip": {name: each["clip"]["macs"] for name, each in counted.items()},
        "step": steps or None,
        "params": {"trainable": some["clip"]["params"]},
    }
