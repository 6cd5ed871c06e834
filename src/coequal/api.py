"""`coequal.verify`, `coequal.subject` and `coequal.export`: the harness, for subjects and for modules alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch

from coequal.equivalence import exporting
from coequal.equivalence import verify as harness
from coequal.equivalence.options import BOUND, Options, Replay
from coequal.equivalence.report import Report
from coequal.subjects.adapters.find import subject_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Example
from coequal.subjects.subject import Subject


def subject(module: torch.nn.Module, *, example: torch.Tensor, **overrides: Any) -> Subject:
    """A Subject for a module that an adapter recognises: ours, or one of those packages that `docs/adapters.md` names.

    `example` is a clip the module accepts, time axis included; its shape and dtype are the examples' from then on.
    `overrides` are fields of Subject, and what an adapter asks besides. BadSubject says which modules are recognised
    when this one is not.
    """
    return subject_of(module, example, **overrides)


def export(
    module: torch.nn.Module, path: str, *, example: torch.Tensor, seed: int = 0, timeout: float | None = None
) -> Report:
    """Write the step of a module as a file that ends in .onnx or .pt2; its report, which is proved or tested.

    `module` is a continual module, or one of torch.nn that can be made one; `example` is a clip that it accepts, time axis
    included. The step takes a frame (any number of rows) and states, and returns an emission and states; states begin with
    zeros. `timeout` is in seconds. BadSubject, in one line: it has no such step, or its file is not the same function;
    nothing is then left on disk.
    """
    options = Options(seed, None, "quick", timeout)
    return exporting.export(module, example, path, to=path.rpartition(".")[2], options=options).report


def verify(
    what: Subject | torch.nn.Module,
    *,
    example: Example | None = None,
    window: int | None = None,
    within: float | None = None,
    seed: int = 0,
    checks: str | Iterable[str] | None = None,
    effort: str = "normal",
    timeout: float | None = None,
    bound: float = BOUND,
    literal: bool = False,
    length: int | None = None,
    batch: int | None = None,
    scale: float | None = None,
    chunks: Iterable[int] | None = None,
    format: str | None = None,
) -> Report:
    """Compare a stream with its clip function: verdict, checks by name, findings, a counterexample if there is one.

    `what` is a Subject, or a module that an adapter recognises together with an `example` clip. `window=N` compares with
    the clip of the last N frames. `within` accepts a distance (absolute): what is no further off is `within`, never equal.
    `checks`: the names of those to run, or one name (default: all). `timeout` is in seconds. `bound` is the greatest
    probability of a wrong proof, `literal` takes constants as the floats that they are. `length` (frames), `batch` (rows),
    `scale` (of drawn weights), `chunks` and `format` ("float32") repeat one comparison with `seed`. BadSubject: it cannot
    be compared at all.
    """
    if isinstance(what, Subject):
        given: dict[str, Any] = {"example": example, "window": window, "within": within}
        chosen = dataclasses.replace(what, **{key: value for key, value in given.items() if value is not None})
    elif not isinstance(what, torch.nn.Module):
        raise BadSubject(f"verify: expected a coequal.Subject or a torch.nn.Module, got {type(what).__name__}")
    elif example is None:
        raise BadSubject(f"verify: the module {type(what).__name__} needs an example clip: verify(module, example=clip)")
    else:
        fields = {"window": window, "within": within}
        chosen = subject_of(what, example, **{key: value for key, value in fields.items() if value is not None})
    replay = Replay(length, batch, scale, None if chunks is None else tuple(chunks), format)
    return harness.verify(chosen, Options(seed, checks, effort, timeout, bound, literal), replay)
