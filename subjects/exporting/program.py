"""A module as a program of torch.export."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import export, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

from coequal.subjects.errors import BadSubject

COMPARED = {
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__bool__",
    "item",
}


class KnownConstants(TorchFunctionMode):
    """In a program that is traced, comparisons of tensors that are no inputs and no weights are made now.

    torch.export takes such tensors (modes that a library keeps in one, say) for data, on which nothing may be decided.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        if getattr(func, "__name__", "") in COMPARED and given and not any(isinstance(x, FakeTensor) for x in given):
            with _disable_current_modes():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


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
