"""Arrays of NumPy among what a stream remembers, and memory that overlaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from coequal.equivalence.memory.cell import Label, Part, Unobservable

Tensor = torch.Tensor


def of_array(array: np.ndarray, path: str) -> Iterator[Part]:
    """What an array holds, compared as a whole: none of its numbers is data. What it is a view of, and where in it."""
    base, kind = array.base, array.dtype
    if kind.kind not in "biufcSU" or kind.metadata:
        raise Unobservable(f"{path} is an array of {kind}: what it remembers cannot be seen")
    names = (kind.str, kind.char, kind.num, array.shape, array.strides, array.flags.num)
    yield "", Label((*names, array.tobytes(), _offset(array, base, path))), None
    yield ".base", base, None


def _offset(array: np.ndarray, base: Any, path: str) -> int | None:
    """Where a view begins in what it is a view of, in bytes."""
    if base is None:
        return None
    if not isinstance(base, (np.ndarray, Tensor, bytes)):
        raise Unobservable(f"{path} is a view of a {type(base).__name__}")
    return address(array) - address(np.frombuffer(base, np.uint8) if isinstance(base, bytes) else base)


def address(thing: Any) -> int:
    """Where a tensor or an array begins."""
    return thing.data_ptr() if isinstance(thing, Tensor) else thing.__array_interface__["data"][0]


def shared(tensors: Iterable[tuple[str, Tensor]], arrays: Iterable[tuple[str, np.ndarray]]) -> Iterator[tuple[str, tuple]]:
    """What lies in the same memory, though it is not seen by what it is: where one begins in the other, by its path.

    Tensors of one storage are told by that.
    """
    places = dict[tuple[int, int], str]()
    with torch._C.DisableTorchFunction():
        for path, tensor in tensors:
            storage = tensor.untyped_storage()
            if storage.nbytes() and not tensor.is_meta:
                places.setdefault((storage.data_ptr(), storage.data_ptr() + storage.nbytes()), path)
    owned = [(address(a), address(a) + a.nbytes, path) for path, a in arrays if a.base is None and a.nbytes]
    both = [*((*place, path) for place, path in places.items()), *owned]
    first, end, before = 0, 0, ""
    for begin, until, path in sorted(both, key=lambda place: (place[0], -place[1])):
        if begin < end:
            yield f"{path}.__memory__", (before, begin - first, until - begin)
        if until > end:
            first, end, before = begin, until, path
