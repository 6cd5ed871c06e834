"""A module as a program of torch.export."""

from __future__ import annotations

import warnings
from typing import Any

from torch import export, nn

from coequal.subjects.errors import BadSubject


def traced(module: nn.Module, given: tuple[Any, ...], dynamic_shapes: Any = None) -> Any:
    """The program of a module called with `given`, in torch's core operations; BadSubject where torch makes none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its own code
            program = export.export(module, given, dynamic_shapes=dynamic_shapes).run_decompositions()
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise BadSubject(f"torch.export: {type(error).__name__}: {first}") from None
    program.graph.eliminate_dead_code()
    return program
