"""What a stream may attach to objects that it does not own: classes of libraries, and the storages of tensors."""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Container, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from coequal.equivalence.memory.known import is_known, is_librarys

MODULES = (torch, torch.nn.functional, torch.linalg, torch.fft, torch.special, torch.nn.init)  # that libraries call
SIMPLE = {int, float, complex, str, bytes, bool, list, tuple, set, frozenset, dict, deque, bytearray}
STRANGE = (range, slice, np.ndarray, np.generic, torch.Tensor, Fraction, Decimal, OrderedDict, defaultdict)
OURS = {"residues", "shadow", "unknown", "drawn", "literal", "exposed", "constant"}  # exact arithmetic's, on storages


def on_libraries(kind: type, names: Container[str] = ()) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Numbers, texts and containers among the attributes of a class and its bases that libraries made, as text; and of
    their functions of these names what hangs on them.
    """
    found = []
    for base in kind.__mro__:
        if base is not object and is_known(base.__module__):
            held = list(vars(base).items())
            simple = [(name, value) for name, value in held if type(value) in SIMPLE and name[:2] != "__"]
            hung = [(name, _hung(value)) for name, value in held if name in names and isinstance(value, types.FunctionType)]
            texts = [(name, f"{type(value).__name__} {value!r}") for name, value in (*simple, *_strange(held), *hung)]
            found.append((base.__qualname__, tuple(texts)))
    return tuple(found)


def _hung(function: types.FunctionType) -> tuple[Any, ...]:
    """What a function says of itself, and numbers and texts that hang on it."""
    simple = {name: value for name, value in vars(function).items() if type(value) in SIMPLE}
    return (function.__name__, function.__doc__, function.__defaults__, function.__kwdefaults__, simple)


def _strange(held: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Attributes that libraries do not put on classes of theirs: numbers of another kind, tensors and arrays."""
    return ((name, _whole(value)) for name, value in held if isinstance(value, STRANGE))


def _whole(value: Any) -> Any:
    """All of it, for a text."""
    if isinstance(value, np.ndarray):
        return (value.dtype.char, value.shape, value.tobytes())
    if isinstance(value, torch.Tensor):
        with torch._C.DisableTorchFunction():
            return (value.dtype, tuple(value.shape), value.stride(), value.detach().cpu().numpy().tobytes())
    return (type(value).__name__, value, getattr(value, "__dict__", None))


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
    """Attributes of the storage of a tensor, but for those of exact arithmetic, which are flags and objects of its own."""
    with torch._C.DisableTorchFunction():
        held = vars(tensor.untyped_storage())
    return {name: value for name, value in held.items() if name not in OURS or not _is_ours(value)}


def _is_ours(value: Any) -> bool:
    return value is True or value is None or type(value).__module__.partition(".")[0] == "coequal"
