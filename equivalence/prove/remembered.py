"""What two streams remember, compared over a field: contents, formats, layout in memory, and which tensors share memory."""

from __future__ import annotations

import pathlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coequal.equivalence.compare.field import FieldSession
from coequal.equivalence.memory.cell import Cell
from coequal.equivalence.memory.walk import Memory

Tensor = torch.Tensor


@dataclass(frozen=True)
class Stamp:
    """What tells whether two moments saw the same storage unwritten: of data, where its residues are and how often they were
    written; of anything else its numbers, since not every write is counted (`x.data.add_(1)` is not).
    """

    written: tuple  # addresses and versions
    alive: tuple  # what has these addresses: as long as it lives nothing else has them
    numbers: Tensor | None  # as bytes; None: residues
    floats: Tensor | None = None  # the same, where they are floats

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stamp) or (self.numbers is None) != (other.numbers is None):
            return False
        if self.numbers is None or other.numbers is None:
            return self.written == other.written
        return self.numbers.shape == other.numbers.shape and _same_bytes(self.numbers, other.numbers)

    __hash__ = None  # type: ignore[assignment]


def _same_bytes(a: Tensor, b: Tensor) -> bool:
    """Of memory; the device meta has none, only sizes."""
    return a.device == b.device and (a.is_meta or torch.equal(a, b))


@dataclass(frozen=True)
class Kept:
    """A tensor as it was: its layout, a copy of all of its storage, and its stamp."""

    layout: tuple
    whole: Tensor
    stamp: Stamp
    integer: int | None = None  # the number, where it is one whole number

    def seen(self) -> Tensor:
        """The tensor, of all of its storage."""
        return self.whole.as_strided(*self.layout[2:5])


@dataclass
class Remembered:
    """A copy of a memory; `groups` says for each tensor which earlier one shares its storage, parameters among them.

    Of a parameter it is kept how it lies, its numbers, and where.
    """

    cells: list[Cell]
    groups: list[int]
    parameters: dict[str, tuple]

    @property
    def paths(self) -> list[str]:
        """Of all places."""
        return [cell.path for cell in self.cells]


def changed(before: dict[str, tuple], later: dict[str, tuple]) -> str | None:
    """The first parameter that is another one later; one that has come may be one that was there by another name."""
    for name, held in later.items():
        if held != before[name] if name in before else held not in before.values():
            return name
    return None


def remember(exact: FieldSession, memory: Memory) -> Remembered:
    """Copied, since what is kept may be overwritten."""
    copied = [
        Cell(c.path, kept(exact, c.content) if isinstance(c.content, Tensor) else c.content, None) for c in memory.places
    ]
    tensors = [c.content for c in memory.cells if isinstance(c.content, Tensor)]
    with exact.numbers.over.suspended():
        lying = {name: (_layout(p), _place(p)) for name, p in memory.parameters.items()}
    parameters = {name: (*lying[name], stamp(exact, p)) for name, p in memory.parameters.items()}
    return Remembered(copied, _groups(exact, [*tensors, *memory.parameters.values()]), parameters)


def kept(exact: FieldSession, tensor: Tensor) -> Kept:
    """A tensor with all of its storage: a view may be moved to where nobody has looked."""
    with exact.numbers.over.suspended():
        whole = tensor.detach().as_strided((tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
        whole_number = not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_meta)
        number = int(tensor) if tensor.numel() == 1 and whole_number else None
    return Kept(_layout(tensor), exact.numbers.over.copied(whole), stamp(exact, tensor), number)


def _layout(tensor: Tensor) -> tuple:
    """All that tells a tensor from others with the same storage; its shape, strides and offset are the third to fifth."""
    place = (tensor.shape, tensor.stride(), tensor.storage_offset())
    flags = (tensor.is_conj(), tensor.is_neg(), tensor.is_inference(), tensor.is_shared(), *_of_view(tensor))
    base = None if (of := tensor._base) is None else (of.shape, of.stride(), of.storage_offset())
    return (tensor.dtype, tuple(tensor.shape), *place, tensor.device, *flags, _copied_on_write(tensor), base, _rest(tensor))


def _of_view(tensor: Tensor) -> tuple[bool, str, bool]:
    """Whether it is a view, under which mode it was made one, and whether its memory may grow."""
    made = str(torch._C._autograd._get_creation_meta(tensor)) if tensor._is_view() else ""  # type: ignore[attr-defined]
    with torch._C.DisableTorchFunction():
        return tensor._is_view(), made, tensor.untyped_storage().resizable()


def _rest(tensor: Tensor) -> tuple[int, ...]:
    """The size of the storage, and bytes at its end that are no whole number of the tensor's format."""
    with torch._C.DisableTorchFunction():
        storage = tensor.untyped_storage()
        odd = storage.nbytes() % tensor.element_size()
        if not odd or tensor.is_meta:
            return (storage.nbytes(),)
        whole = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage)
        return (storage.nbytes(), *whole[-odd:].tolist())


def _copied_on_write(tensor: Tensor) -> bool:
    return bool(torch._C._is_cow_tensor(tensor))  # type: ignore[attr-defined]


def stamp(exact: FieldSession, tensor: Tensor) -> Stamp:
    """Of all of a tensor's storage."""
    with exact.numbers.over.suspended():
        held = exact.numbers.over.store.find(tensor) if tensor.is_floating_point() or tensor.is_complex() else None
        whole = tensor.detach().as_strided((tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
        if held is None:
            numbers = whole.clone()
            return Stamp((), (), numbers.view(torch.uint8), numbers if numbers.is_floating_point() else None)
        if tensor.is_inference() or held.planes.is_inference():  # writes to these are not counted
            return Stamp((), (), held.planes.clone().reshape(-1).view(torch.uint8))
        written = (whole.data_ptr(), held.planes.data_ptr(), tensor._version, held.planes._version)
        return Stamp(written, (whole, held.planes), None)


def _groups(exact: FieldSession, tensors: list[Tensor]) -> list[int]:
    first: dict[tuple, int] = {}
    with exact.numbers.over.suspended():
        return [first.setdefault(_place(t), i) for i, t in enumerate(tensors)]


def _place(tensor: Tensor) -> tuple[bool, int]:
    """Of a storage in memory; of one that has none (it is empty, or on the device meta), that of the object."""
    storage = tensor.untyped_storage()
    without = tensor.is_meta or not storage.nbytes()
    return without, storage._cdata if without else storage.data_ptr()


def same(exact: FieldSession, a: Any, b: Any) -> bool:
    """Whether two contents are the same for all inputs and weights."""
    if isinstance(a, Kept) and isinstance(b, Kept):
        if a.layout != b.layout or a.whole.shape != b.whole.shape:
            return False
        if a.stamp == b.stamp:
            return True
        if a.stamp.floats is not None and b.stamp.floats is not None:
            return False  # constants, bit by bit: a stream can count in the last one, or in what is as good as infinite
        return bool(exact.numbers.over.same(a.whole, b.whole, unwritten=True).all())
    return type(a) is type(b) and (a is b or bool(_exactly(a) == _exactly(b)))


def same_value(exact: FieldSession, a: Any, b: Any) -> bool:
    """Whether two contents hold the same for all inputs and weights, tensors perhaps in another place of other memory."""
    if not (isinstance(a, Kept) and isinstance(b, Kept)):
        return same(exact, a, b)
    if a.layout[:2] != b.layout[:2] or a.whole.device != b.whole.device:
        return False
    return a.whole.is_meta or bool(exact.numbers.over.same(a.seen(), b.seen(), unwritten=True).all())


def _exactly(content: Any) -> Any:
    """What tells a number from all others: the sign of a zero or of a NaN can be memory, too; so can an empty range."""
    if isinstance(content, float):
        return struct.pack("d", content)
    if isinstance(content, complex):
        return struct.pack("2d", content.real, content.imag)
    if isinstance(content, np.generic):
        return content.tobytes()
    if isinstance(content, np.dtype):
        return (content.str, content.char, content.num)
    return repr(content) if isinstance(content, (range, pathlib.PurePath)) else content
