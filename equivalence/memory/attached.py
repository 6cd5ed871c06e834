"""What a stream may attach to objects that it does not own: classes of libraries, and the storages of tensors."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch

from coequal.equivalence.memory.reads import is_known

SIMPLE = frozenset({int, float, complex, str, bytes, bool, list, tuple, set, frozenset, dict, deque, bytearray})
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


def on_storage(tensor: torch.Tensor) -> dict[str, Any]:
    """Attributes of the storage of a tensor, but for those of exact arithmetic."""
    with torch._C.DisableTorchFunction():
        held = vars(tensor.untyped_storage())
    return {name: value for name, value in held.items() if name not in OURS}
