"""Constants that were met, by their floats: what was computed exactly on one side may have been rounded on the other.

`0.9 ** k` by torch and `0.9 * 0.9 * ...` by Python are floats that differ in their last digits. The first is computed
exactly beside its float; the second, a float without a past, is taken for it when the two agree in all but the last bits.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import torch

from coequal.proofs.field.degree import CONSTANT, Degree
from coequal.proofs.field.numbers.number import number_of

Tensor = torch.Tensor
DOUBLE = 2.0**-48  # relative: what a few operations in double precision leave of a constant
SINGLE = 2.0**-24  # relative: rounding to single precision, of what single precision holds
MOST = 200_000  # numbers that are kept


@dataclass
class Registry:
    """Floats in order, each with its residues, and whether it was computed exactly."""

    floats: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))
    planes: Tensor | None = None
    computed: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))
    degree: Degree = CONSTANT  # the greatest of what was computed

    def add(self, tensor: Tensor, planes: Tensor, degree: Degree = CONSTANT, *, computed: bool) -> None:
        """Constants with the residues that they have; of floats without a past no simple ones: everybody reads those alike.

        What was computed takes the place of a float that was met before.
        """
        self.degree = self.degree.beside(degree)
        flat, residues = _flat(tensor), planes.reshape(planes.shape[0], -1).cpu()
        found, where = self._find(flat)
        if computed and self.planes is not None and bool(found.any()):
            better = found & ~self.computed[where]
            known = min(self.planes.shape[0], residues.shape[0])
            self.planes = self.planes[:known]
            self.planes[:, where[better]] = residues[:known, better]
            self.computed[where[better]] = True
        worth = torch.isfinite(flat) & (flat != 0) & ~found
        if not computed:
            worth[worth.clone()] = ~_simple(flat[worth])
        if bool(worth.any()) and self.floats.numel() <= MOST:
            self._insert(flat[worth], residues[:, worth], computed)

    def _insert(self, floats: Tensor, planes: Tensor, computed: bool) -> None:
        if self.planes is not None:
            known = min(self.planes.shape[0], planes.shape[0])
            planes = torch.cat([self.planes[:known], planes[:known]], 1)
        flags = torch.cat([self.computed, torch.full(floats.shape, computed)])
        floats = torch.cat([self.floats, floats])
        order = floats.argsort(stable=True)
        self.floats, self.planes, self.computed = floats[order], planes[:, order], flags[order]

    def replace(self, tensor: Tensor, planes: Tensor, mask: float) -> bool:
        """Residues of constants that were met before, in place of those that their floats have; whether any changed."""
        flat = _flat(tensor)
        found, where = self._find(flat)
        found &= flat > mask
        found[found.clone()] = ~_simple(flat[found])
        changed = False
        if self.planes is not None and bool(found.any()) and self.planes.shape[0] >= planes.shape[0]:
            target, chosen = planes.view(planes.shape[0], -1), found.to(planes.device)
            known = self.planes[: planes.shape[0], where[found]].to(planes.device)
            changed = not torch.equal(target[:, chosen], known)
            target[:, chosen] = known
        self.add(tensor, planes, computed=False)
        return changed

    def _find(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Which floats are near a known one, and near which."""
        if not self.floats.numel():
            return torch.zeros_like(flat, dtype=torch.bool), torch.zeros_like(flat, dtype=torch.int64)
        place = torch.searchsorted(self.floats, flat)
        sides = [(place - 1).clamp(min=0), place.clamp(max=self.floats.numel() - 1)]
        distances = [(self.floats[side] - flat).abs() for side in sides]
        where = torch.where(distances[0] <= distances[1], sides[0], sides[1])
        within = torch.where(_in_single(flat) | _in_single(self.floats[where]), SINGLE, DOUBLE)
        return torch.minimum(*distances) <= within * flat.abs(), where


def _flat(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).to("cpu", torch.float64)


def _in_single(flat: Tensor) -> Tensor:
    """What may be rounded to single precision: it holds the number, which is no number of a few bits, as 1 is."""
    mantissa = torch.frexp(flat)[0] * 2.0**24
    return (mantissa == mantissa.round()) & (mantissa.remainder(2.0**12) != 0)


@functools.lru_cache(maxsize=200_000)
def simple(value: float) -> bool:
    """What is read as a number of its own: a simple rational, a root of one, or few bits."""
    meant = number_of(value)
    return not meant.exact or (meant.rational.denominator <= 4096 and abs(meant.rational.numerator) < 2**40)


def _simple(flat: Tensor) -> Tensor:
    return torch.tensor([simple(value) for value in flat.tolist()], dtype=torch.bool)
