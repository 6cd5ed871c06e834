"""Symbols: independent variables that travel through a program's own tensors, each coded as a float of its own.

Inputs and weights are ordinary tensors, since they sit in modules that nobody may change, are copied, split and loaded by
code that knows nothing of fields. So a symbol is a float that nothing else would be, between 2^40 and 2^56, and its residues
are a function of its number alone. Numbers become mantissas by an affine bijection, so that membership is arithmetic:

    mantissa = (A i + B) mod 2^n,   i = (mantissa - B) / A mod 2^n < how many were given out
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch

from coequal.proofs.field.numbers import hash as hashing

Tensor = torch.Tensor


@dataclass(frozen=True)
class Code:
    """How symbols are floats of one format: an integer view, how many bits may vary, the bits that are the same for all."""

    view: torch.dtype
    free: int
    fixed: int


CODES = {
    torch.float64: Code(torch.int64, 52, (1023 + 40) << 52),  # [2^40, 2^41)
    torch.float32: Code(torch.int32, 27, (127 + 40) << 23),  # [2^40, 2^56)
}


@dataclass
class Symbols:
    """All symbols of one draw."""

    seed: int
    given: dict[torch.dtype, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        self.factor, self.start = rng.getrandbits(52) | 1, rng.getrandbits(52)

    def fresh(self, like: Tensor) -> Tensor:
        """New symbols in the shape, format and place of a tensor; ValueError for a format that has no code."""
        code = self._code(like.dtype)
        first = self.given.get(like.dtype, 0)
        self.given[like.dtype] = first + like.numel()
        with torch._C._DisableTorchDispatch():  # made inside a run, they would count as constants that it made
            number = torch.arange(first, first + like.numel(), dtype=torch.int64)
            bits = (number * self.factor + self.start).bitwise_and_((1 << code.free) - 1) + code.fixed
            return bits.to(code.view).view(like.dtype).view(like.shape).to(like.device)

    def _code(self, dtype: torch.dtype) -> Code:
        if dtype not in CODES:
            raise ValueError(f"symbols have no code in {dtype}: expected one of {', '.join(map(str, CODES))}")
        code = CODES[dtype]
        if self.given.get(dtype, 0) >= 1 << (code.free - 1):
            raise ValueError(f"too many numbers for symbols coded in {dtype}")
        return code

    def numbers(self, tensor: Tensor) -> Tensor | None:
        """Which symbol each element is, -1 where it is none; None where no element is."""
        given = self.given.get(tensor.dtype, 0)
        if not given or not tensor.numel():
            return None
        code = CODES[tensor.dtype]
        bits = tensor.detach().contiguous().view(code.view).to(torch.int64) - code.fixed
        inside = (bits >= 0) & (bits < 1 << code.free)
        if not bool(inside.any()):
            return None
        inverse = pow(self.factor, -1, 1 << code.free)
        number = ((bits - self.start) * inverse).bitwise_and_((1 << code.free) - 1)
        known = inside & (number < given)
        return torch.where(known, number, -1) if bool(known.any()) else None

    def residues(self, numbers: Tensor, dtype: torch.dtype, primes: tuple[int, ...]) -> Tensor:
        """`(len(primes), *shape)`, uniform over each field."""
        flat = numbers.reshape(-1)
        planes = torch.empty((len(primes), flat.numel()), dtype=torch.float64, device=numbers.device)
        keys = torch.tensor([hashing.key(self.seed, "symbol", str(dtype), index) for index in range(len(primes))])
        for block in hashing.blocks(flat.numel(), len(primes)):
            planes[:, block] = hashing.uniform(flat[block] + keys.to(flat.device).unsqueeze(1), primes)
        return planes.view(len(primes), *numbers.shape)
