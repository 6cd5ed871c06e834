"""Where residues live: beside the storage of an ordinary tensor.

A program's tensors stay ordinary torch tensors, so that nothing in it notices. The residues of a tensor are attached to its
storage, one set for all its views: a view of the tensor is the same view of the residues, whatever made it, and a write
through one view is seen through all. The numbers in such a storage mean nothing and are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value, sign_of
from coequal.proofs.field.degree import CONSTANT, VARIABLE, Degree
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.semantics.sets import names_of, widened

Tensor = torch.Tensor
SMALL = 1 << 16  # storages up to this size are filled with NaN, so that whoever looks at them sees it


@dataclass
class Residues:
    """Of a whole storage: planes `(r, n)`, and for maxima the names of their members `(h, members, n)`."""

    owner: Any  # the run it belongs to
    planes: Tensor
    degree: Degree
    names: Tensor | None = None
    masked: bool = False
    monomial: bool = False
    lower: bool = False  # the names are those of minus the elements
    above: float | None = None  # all elements are greater
    undefined: bool = False  # some numbers were NaN or infinite, as uninitialised memory may be


@dataclass
class Store:
    """All residues of one run."""

    field: Field
    symbols: Symbols

    # -- looking ---------------------------------------------------------------------------------------------------------

    def find(self, tensor: Tensor) -> Residues | None:
        """The residues of a tensor's storage in this run; symbols are lifted when they are first met; None: a constant."""
        storage = tensor.untyped_storage()
        if type(tensor) is not Tensor and isinstance(tensor, torch.nn.Parameter):
            # a weight that is no symbol is the number that it is
            storage.literal = True  # type: ignore[attr-defined]
        found = getattr(storage, "residues", None)
        if found is not None and found.owner is self:
            return found
        if getattr(storage, "constant", None) is self:
            return None
        return self._first_met(tensor, storage)

    def _first_met(self, tensor: Tensor, storage: Any) -> Residues | None:
        whole = _whole(tensor)
        numbers = self.symbols.numbers(whole)
        if numbers is None:
            return None
        return self._attach(storage, self._lifted(whole, numbers, VARIABLE))

    def _lifted(self, whole: Tensor, numbers: Tensor | None, degree: Degree) -> Residues:
        """Symbols where they are, constants elsewhere."""
        if numbers is not None and bool((numbers >= 0).all()):
            return Residues(self, self.symbols.residues(numbers, whole.dtype, self.field.primes), degree)
        flat = whole.detach().to(torch.float64)
        undefined = ~(flat < torch.inf)  # NaN and infinity
        if numbers is not None:
            flat = flat.masked_fill(numbers >= 0, 0.0)
        lifted = self.field.constants(flat.masked_fill(undefined, 0.0))
        planes = lifted.planes.masked_fill(undefined, torch.inf) if bool(undefined.any()) else lifted.planes
        if numbers is not None:
            symbols = self.symbols.residues(numbers, whole.dtype, self.field.primes)
            planes = torch.where(numbers >= 0, symbols, planes)
        return Residues(self, planes, degree, None, lifted.masked, undefined=bool(undefined.any()))

    def mark_constant(self, tensor: Tensor) -> None:
        """The numbers of this tensor are what they are."""
        tensor.untyped_storage().constant = self  # type: ignore[attr-defined]

    @staticmethod
    def _attach(storage: Any, residues: Residues) -> Residues:
        storage.residues = residues
        return residues

    # -- reading and writing -----------------------------------------------------------------------------------------------

    def read(self, tensor: Tensor, *, unwritten: bool = False) -> Value:
        """The value of a floating-point tensor; `unwritten`: memory that nobody wrote to may be part of it."""
        held = self.find(tensor)
        if held is None and getattr(tensor.untyped_storage(), "unwritten", False) and bool(tensor.isnan().any()):
            held = self._lifted(_whole(tensor), None, CONSTANT)
        if held is None:
            return self._constant(tensor)
        planes = _view(held.planes, tensor)
        if held.undefined and not unwritten and bool(planes.isinf().any()):
            raise NotDecided("memory that was never written is read")
        names = None if held.names is None else _view(held.names, tensor)
        masked = held.masked and bool(planes[0].isnan().any())
        return Value(planes, held.degree, names, masked, held.monomial, held.lower, held.above)

    def _constant(self, tensor: Tensor) -> Value:
        """What was computed beside it, or what its floats stand for."""
        shadow = self.shadow(tensor)
        if shadow is not None:
            return Value(_view(shadow.planes, tensor), replace(shadow.degree, sign=sign_of(tensor)))
        return self.field.constants(tensor, literal=getattr(tensor.untyped_storage(), "literal", False))

    def shadow(self, tensor: Tensor) -> Residues | None:
        """The exact residues of a constant that was computed from constants."""
        storage = tensor.untyped_storage()
        found = None if getattr(storage, "exposed", False) else getattr(storage, "shadow", None)
        return found if found is not None and found.owner is self else None

    @staticmethod
    def expose(tensor: Tensor) -> None:
        """Somebody has the memory of a constant in hand: its floats may change unseen, so that it has no shadow any more."""
        tensor.untyped_storage().exposed = True  # type: ignore[attr-defined]

    def cast_shadow(self, tensor: Tensor, value: Value) -> None:
        """These are the exact residues of a constant, that was made just now or is written over."""
        storage, known = tensor.untyped_storage(), value.planes.shape[0]
        before = self.shadow(tensor)
        if before is None:
            whole = _whole(tensor)
            if whole.numel() > tensor.numel():  # what lies beside it is what its floats are
                planes = self.field.constants(whole.nan_to_num(0.0, 0.0, 0.0)).planes
            else:
                planes = torch.zeros((known, whole.numel()), dtype=torch.float64, device=whole.device)
            before = Residues(self, planes, CONSTANT)
        before.planes, before.degree = before.planes[:known], before.degree.beside(value.degree)
        _view(before.planes, tensor).copy_(_spread(value.planes[: before.planes.shape[0]], 1, tensor))
        storage.shadow = before  # type: ignore[attr-defined]
        self.field.same.add(tensor, _view(before.planes, tensor), value.degree, computed=True)

    def lose_shadow(self, tensor: Tensor) -> None:
        """Somebody wrote to a constant: it is its floats again."""
        if self.shadow(tensor) is not None:
            tensor.untyped_storage().shadow = None  # type: ignore[attr-defined]

    def write(self, tensor: Tensor, value: Value) -> None:
        """Into a tensor, in place."""
        held = self.find(tensor) or self._attach(tensor.untyped_storage(), self._written_over(tensor, value))
        known = value.planes.shape[0]
        if known < held.planes.shape[0]:
            held.planes = held.planes[:known]
        _view(held.planes, tensor).copy_(_spread(value.planes[: held.planes.shape[0]], 1, tensor))
        self._write_names(held, tensor, value)
        whole = tensor.numel() == held.planes.shape[-1]  # nothing of what was there is left
        held.degree = value.degree if whole else held.degree.beside(value.degree)
        held.masked = value.masked or (held.masked and not whole)
        held.monomial = value.monomial and (whole or held.monomial)
        held.above = None

    def _written_over(self, tensor: Tensor, value: Value) -> Residues:
        """The residues of a storage of constants that is written to: where all of it is, they do not matter."""
        whole, shadow = _whole(tensor), self.shadow(tensor)
        if tensor.is_contiguous() and tensor.numel() == whole.numel():
            size = value.planes.shape[0], whole.numel()
            return Residues(self, torch.zeros(size, dtype=torch.float64, device=tensor.device), CONSTANT)
        return self._lifted(whole, None, CONSTANT) if shadow is None else replace(shadow)

    def copy(self, target: Tensor, source: Tensor) -> None:
        """One tensor into another, memory that was never written along with the rest."""
        self.write(target, self.read(source, unwritten=True))
        origin, held = self.find(source), self.find(target)
        if origin is not None and held is not None:
            held.undefined = held.undefined or origin.undefined

    def _write_names(self, held: Residues, tensor: Tensor, value: Value) -> None:
        if held.names is None and value.names is None:
            return
        lower = all(v.lower for v in (held, value) if v.names is not None) and not held.masked and not value.masked
        before = Value(held.planes, names=held.names, masked=held.masked, lower=held.lower)
        held.names, held.lower = names_of(self.field, before, lower=lower).clone(), lower
        new = names_of(self.field, value, lower=lower)
        members = max(new.shape[1], held.names.shape[1])
        held.names = widened(held.names, members).contiguous()
        _view(held.names, tensor).copy_(_spread(widened(new, members), 2, tensor))

    def fresh(self, value: Value, dtype: torch.dtype, device: torch.device) -> Tensor:
        """A new tensor that holds a value."""
        shape = value.shape
        tensor = torch.empty(shape, dtype=dtype, device=device)
        if tensor.numel() <= SMALL:
            tensor.fill_(torch.nan)
        planes = value.planes.reshape(value.planes.shape[0], -1)
        if planes.data_ptr() == value.planes.data_ptr():
            planes = planes if planes.is_contiguous() else planes.contiguous()
        names = None if value.names is None else value.names.reshape(*value.names.shape[:2], -1).contiguous()
        known = (value.degree, names, value.masked, value.monomial, value.lower, value.above)
        self._attach(tensor.untyped_storage(), Residues(self, planes, *known))
        return tensor

    def find_unwritten(self, tensor: Tensor) -> None:
        """Of memory that nobody wrote to some may have come into a tensor, along with the rest."""
        if (held := self.find(tensor)) is not None:
            held.undefined = bool(held.planes.isinf().any())

    def copy_storage(self, source: Tensor, target: Tensor) -> None:
        """Residues follow a copy of a storage that was made behind torch's back (deep copies)."""
        held, shadow = self.find(source), self.shadow(source)
        if shadow is not None:
            target.untyped_storage().shadow = replace(shadow, planes=shadow.planes.clone())  # type: ignore[attr-defined]
        if held is not None and getattr(target.untyped_storage(), "residues", None) is None:
            names = None if held.names is None else held.names.clone()
            copy = replace(held, planes=held.planes.clone(), names=names)
            self._attach(target.untyped_storage(), copy)


def real_of(tensor: Tensor) -> Tensor:
    """The real numbers of a tensor: of complex ones both parts, along a last axis of two."""
    if not tensor.is_complex():
        return tensor
    return torch.view_as_real(tensor.conj() if tensor.is_conj() else tensor)


def _whole(tensor: Tensor) -> Tensor:
    """All of a tensor's storage, flat, in its own format: of complex numbers the real ones."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    return real_of(tensor.detach().as_strided((size,), (1,), 0)).flatten()


def _spread(planes: Tensor, lead: int, tensor: Tensor) -> Tensor:
    """`(*lead, *shape)` broadcast to the shape of the tensor, whose last axes it has."""
    missing = tensor.dim() - (planes.dim() - lead)
    return planes.reshape(*planes.shape[:lead], *[1] * missing, *planes.shape[lead:]).expand(
        *planes.shape[:lead], *tensor.shape
    )


def _view(planes: Tensor, tensor: Tensor) -> Tensor:
    """The same view of `(..., n)` as the tensor is of its storage."""
    lead = planes.dim() - 1
    return planes.as_strided(
        (*planes.shape[:lead], *tensor.shape),
        (*planes.stride()[:lead], *tensor.stride()),
        planes.storage_offset() + tensor.storage_offset(),
    )
