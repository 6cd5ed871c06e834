"""A linear node of a file by itself, with whole numbers for which every partial sum is exact.

A product of two whole numbers below 2^a and 2^b is below 2^(a + b), a sum of K of them below K 2^(a + b). While that is at
most 2^24, single precision holds every partial sum in every order, and a runtime that computes plain sums of products gives
the very numbers. One factor is given 13 bits, more than TF32 and bfloat16 hold, then the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

Tensor = torch.Tensor
WIDE, ALL = 13, 24  # bits of one factor, and of a sum
FACTORS = ("data", "weights")


@dataclass(frozen=True)
class Part:
    """One node: a model that computes it, inputs, and which output is to be what exactly."""

    node: str
    wide: str  # which of the two factors has many digits
    model: Any
    inputs: tuple[Tensor, ...]
    exact: Tensor
    output: int = 0


def whole(x: Tensor, terms: int, wide: bool, generator: torch.Generator) -> Tensor:
    """Whole numbers in single precision, as large as sums of so many products allow; `wide`: with many digits."""
    most = min(2**WIDE, 2 ** (ALL - 1) // terms) if wide else max(1, int(2 ** (ALL - 1 - WIDE) / terms))
    return torch.randint(-most, most + 1, x.shape, generator=generator).float()
