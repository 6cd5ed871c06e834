"""What exponentials, logarithms and square roots were taken of, by their residues: one undoes the other.

`log E(x) = x` for every x. `E(log x) = x` wherever x is positive, and only where it is known to be is it kept: of a sum of
exponentials, say. A running log-sum-exp is then the logarithm of one sum. Nor is `sqrt(x)^2 = x` kept but where x is known
not to be negative: the magnitude of a complex number, squared, is the sum of two squares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from coequal.proofs.field.degree import CONSTANT, Degree
from coequal.proofs.field.numbers import hash as hashing

Tensor = torch.Tensor


MOST = 1 << 20  # numbers that are kept


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


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

    def _add_waiting(self, seed: int) -> None:
        """All at once: they are sorted together."""
        halves = [hashing.digests([values], seed) for values, _, _ in self.waiting]
        flat = [arguments.reshape(arguments.shape[0], -1).cpu() for _, arguments, _ in self.waiting]
        flat += [] if self.planes is None else [self.planes]
        known = min(planes.shape[0] for planes in flat)
        planes = torch.cat([planes[:known] for planes in flat], 1)
        first, second = (
            torch.cat([*(pair[h].reshape(-1).cpu() for pair in halves), before])
            for h, before in enumerate((self.first, self.second))
        )
        order = first.argsort()
        self.first, self.second, self.planes = first[order], second[order], planes[:, order]
        for _, _, degree in self.waiting:
            self.degree = self.degree.beside(degree)
        self.waiting = []

    def find(self, values: Tensor, seed: int) -> tuple[Tensor, Tensor] | None:
        """Which of these are values that were met, `(*shape)`, and the arguments of those, `(r, count)`; None: none is."""
        if self.waiting:
            self._add_waiting(seed)
        if self.planes is None:
            return None
        first, second = (half.cpu() for half in hashing.digests([values], seed))
        place = torch.searchsorted(self.first, first.reshape(-1)).clamp(max=self.first.numel() - 1).view(first.shape)
        found = (self.first[place] == first) & (self.second[place] == second)
        if not bool(found.any()):
            return None
        return found.to(values.device), self.planes[:, place[found]].to(values.device)
