"""NumPy's indices in torch: the same, but for slices that run backwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from coequal.proofs.field.numpy_frontend.table import refusal

Tensor = torch.Tensor


def runs_backwards(index: Any) -> bool:
    """Whether some slice has a negative step."""
    return any(_backward(item) for item in _items(index))


def _items(index: Any) -> tuple:
    return index if isinstance(index, tuple) else (index,)


def _backward(item: Any) -> bool:
    return isinstance(item, slice) and item.step is not None and item.step < 0


def _axes_taken(item: Any) -> int:
    if item is None:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def reversed_(x: Tensor, index: Any) -> Tensor:
    """The tensor with the elements that backward slices pick, in their order."""
    items = _items(index)
    axis, taken = 0, sum(_axes_taken(item) for item in items if item is not Ellipsis)
    for item in items:
        if _backward(item):
            x = torch.index_select(x, axis, torch.as_tensor(range(*item.indices(x.shape[axis])), dtype=torch.int64))
        axis += x.dim() - taken if item is Ellipsis else _axes_taken(item)
    return x


def forward(index: Any) -> tuple:
    """The index as torch takes it; what runs backwards has been picked."""
    return tuple(slice(None) if _backward(item) else _index(item) for item in _items(index))


def _index(item: Any) -> Any:
    if not isinstance(item, np.ndarray) and hasattr(item, "__array_ufunc__") and not isinstance(item, np.generic):
        raise refusal("getitem", "its indices depend on data")
    if isinstance(item, (list, np.ndarray)):
        return torch.as_tensor(np.asarray(item))
    return int(item) if isinstance(item, np.integer) else item
