"""What exponentials and logarithms were taken of, by their residues: one undoes the other.

`log E(x) = x` for every x. `E(log x) = x` wherever x is positive, and only where it is known to be is it kept: of a sum of
exponentials, say. A running log-sum-exp is then the logarithm of one sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from coequal.proofs.field.degree import CONSTANT, Degree
from coequal.proofs.field.numbers import hash as hashing

Tensor = torch.Tensor


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


MOST = 1 << 20  # numbers that are kept


@dataclass
class Inverses:
    """Digests of values of a function, sorted by the first half, with the residues of its arguments."""

    first: Tensor = field(default_factory=_none)
    second: Tensor = field(default_factory=_none)
    planes: Tensor | None = None
    degree: Degree = CONSTANT  # the greatest of the arguments
    waiting: list[tuple[Tensor, Tensor, Degree]] = field(default_factory=list)
    size: int = 0

    def note(self, values: Tensor, arguments: Tensor, degree: Degree) -> None:
        """To be added once somebody asks."""
        self.size += values[0].numel()
        if self.size <= MOST:
            self.waiting.append((values.clone(), arguments.clone(), degree))

    def add(self, values: Tensor, arguments: Tensor, degree: Degree, seed: int) -> None:
        """Values `(r, *shape)` and what they are values of."""
        first, second = (half.reshape(-1).cpu() for half in hashing.digests([values], seed))
        planes = arguments.reshape(arguments.shape[0], -1).cpu()
        if self.planes is not None:
            known = min(self.planes.shape[0], planes.shape[0])
            planes = torch.cat([self.planes[:known], planes[:known]], 1)
            first, second = torch.cat([self.first, first]), torch.cat([self.second, second])
        order = first.argsort()
        self.first, self.second, self.planes = first[order], second[order], planes[:, order]
        self.degree = self.degree.beside(degree)

    def find(self, values: Tensor, seed: int) -> tuple[Tensor, Tensor] | None:
        """Which of these are values that were met, `(*shape)`, and the arguments of those, `(r, count)`; None: none is."""
        for noted in self.waiting:
            self.add(*noted, seed)
        self.waiting = []
        if self.planes is None:
            return None
        first, second = (half.cpu() for half in hashing.digests([values], seed))
        place = torch.searchsorted(self.first, first.reshape(-1)).clamp(max=self.first.numel() - 1).view(first.shape)
        found = (self.first[place] == first) & (self.second[place] == second)
        if not bool(found.any()):
            return None
        return found.to(values.device), self.planes[:, place[found]].to(values.device)
