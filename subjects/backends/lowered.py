"""What runtimes for programs of torch have in common: a program is lowered for each set of sizes, when those are first fed.

They run files of torch.export (`.pt2`). Buffers that such a file writes to are states that go in and come out.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from coequal.subjects.artefacts.functional import Functional
from coequal.subjects.artefacts.pt2 import ExportedStep
from coequal.subjects.backends.runtime import Arrays, Started
from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor
Call = Callable[[Sequence[Tensor]], Sequence[Tensor]]
Lower = Callable[[Any, tuple[Tensor, ...]], Call]  # a program of torch.export and its inputs -> what runs it


DELEGATES = ("none", "xnnpack")  # what may compute instead of a runtime's own kernels


def delegate_of(settings: Mapping[str, str], runtime: str, default: str) -> str:
    """The only setting of some runtimes. BadSubject: there is another, or no such delegate."""
    delegate = settings.get("delegate", default)
    if unknown := [name for name in settings if name != "delegate"]:
        raise BadSubject(f"{runtime} has no setting {unknown[0]}; there is delegate")
    if delegate not in DELEGATES:
        raise BadSubject(f"{runtime}: delegate={delegate} is none; there are {', '.join(DELEGATES)}")
    return delegate


def started(model: Any, name: str, lower: Lower) -> Started:
    """A file's program, or a module, on a runtime called `name`. BadSubject, when it runs: the runtime refuses it."""
    module = Functional(model) if isinstance(model, ExportedStep) else model
    calls: dict[tuple, Call] = {}

    def run(arrays: Arrays) -> list[np.ndarray]:
        tensors = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
        sizes = tuple((tuple(x.shape), x.dtype) for x in tensors)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # the runtime's own
                warnings.simplefilter("ignore")
                if sizes not in calls:
                    calls[sizes] = lower(torch.export.export(module, tensors), tensors)
                return [x.detach().clone().numpy() for x in calls[sizes](tensors)]
        except Exception as error:
            lines = [line for line in str(error).strip().splitlines() if line.strip()]
            first = lines[0] if lines else ""
            raise BadSubject(f"{name} refuses the program: {type(error).__name__}: {first}") from error

    return Started(run, name)
