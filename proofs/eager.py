"""Watching every operation that torch runs, eagerly: the base of all dispatch modes here.

A compiled program would run operations that nobody sees; and a dispatch mode makes torch import its compiler, and ask it at
each operation, unless the mode says that it has nothing to do with it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class EagerMode(TorchDispatchMode):
    """A dispatch mode, to be entered within `eagerly`."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether the compiler is to be told to skip it: there is nothing to skip, since nothing is compiled."""
        return False


def unusual(tensor: torch.Tensor) -> str:
    """What a tensor is that is no array of numbers in memory, `a sparse tensor`; nothing for all others."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.is_quantized:
        return "a quantized tensor"
    if tensor.layout is not torch.strided:
        return f"a tensor of layout {str(tensor.layout).removeprefix('torch.').removeprefix('_')}"
    return ""


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Within it compiled code runs uncompiled, and what is handed to the compiler comes back as it was."""
    if "torch._dynamo" in sys.modules:
        with torch.compiler.set_stance("force_eager"):
            yield
        return
    before, torch.compile = torch.compile, _as_it_was  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = before


def _as_it_was(model: Callable | None = None, **_: Any) -> Any:
    """`torch.compile`, as a function and as a decorator."""
    return (lambda function: function) if model is None else model
