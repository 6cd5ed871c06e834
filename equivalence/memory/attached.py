"""What a stream may attach to objects that it does not own: classes of libraries, and the storages of tensors."""

from __future__ import annotations

import types
from collections import deque
from typing import Any

import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from coequal.equivalence.memory.known import is_known, is_librarys

MODULES = (torch, torch.nn.functional, torch.linalg, torch.fft, torch.special, torch.nn.init)  # that libraries call
SIMPLE = {int, float, complex, str, bytes, bool, list, tuple, set, frozenset, dict, deque, bytearray}
OURS = {"residues", "shadow", "unknown", "drawn", "literal", "exposed", "constant"}  # exact arithmetic's, on storages


def on_libraries(kind: type) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Numbers, texts and containers among the attributes of a class and its bases that libraries made, as text."""
    found = []
    for base in kind.__mro__:
        if base is not object and is_known(base.__module__):
            simple = [(name, value) for name, value in list(vars(base).items()) if type(value) in SIMPLE]
            found.append(
                (
                    base.__qualname__,
                    tuple((name, f"{type(value).__name__} {value!r}") for name, value in simple if name[:2] != "__"),
                )
            )
    return tuple(found)


def put_in_place() -> dict[str, Any]:
    """What is called and somebody put in the place of torch's own, by name; and modes, within which all of torch runs."""
    modes = [*_get_current_function_mode_stack(), *_get_current_dispatch_mode_stack()]
    found = {f"mode {type(mode).__name__}": mode for mode in modes if not is_librarys(type(mode))}
    return found | {
        f"{module.__name__}.{name}": value
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, (types.BuiltinFunctionType, type)) and not is_librarys(value)
    }


def on_storage(tensor: torch.Tensor) -> dict[str, Any]:
    """Attributes of the storage of a tensor, but for those of exact arithmetic."""
    with torch._C.DisableTorchFunction():
        held = vars(tensor.untyped_storage())
    return {name: value for name, value in held.items() if name not in OURS}
