"""Tensors of constants as residues: each float by itself, whatever tensor it stands in, so that a table and one of its rows
agree.

Few distinct floats are looked up one by one (`number.number_of`). Of many, those near a simple number are picked out by
continued fractions, all at once, and the rest are taken as the dyadic numbers that they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from coequal.proofs.field.numbers.number import DOUBLE, SINGLE, Simple

Tensor = torch.Tensor
FEW = 512
MANY = 50_000  # that are looked at one by one where each must be
MASK = -1e30  # at most this: minus infinity, written as a finite number


def residues(
    tensor: Tensor,
    primes: tuple[int, ...],
    one: Callable[[float], Tensor],
    *,
    literal: bool,
    singly: bool = False,
    mask: float = MASK,
) -> Tensor:
    """`(len(primes), *shape)` of finite floats; `one` gives the residues `(len(primes),)` of a single float."""
    distinct, where = torch.unique(tensor.detach().to("cpu", torch.float64), return_inverse=True)
    if distinct.numel() == 0:
        return torch.zeros((len(primes), *tensor.shape), dtype=torch.float64, device=tensor.device)
    if distinct.numel() <= (MANY if singly else FEW):
        table = torch.stack([one(value) for value in distinct.tolist()], 1)
    else:
        table = dyadic(distinct, primes)
        apart = distinct <= mask if literal else near_simple(distinct) | (distinct <= mask)
        for index in apart.nonzero().flatten().tolist():
            table[:, index] = one(float(distinct[index]))
    return table[:, where].to(tensor.device)


def dyadic(x: Tensor, primes: tuple[int, ...]) -> Tensor:
    """`m 2^e mod p`, centred, for finite doubles `(n,)`: `(len(primes), n)`."""
    fraction, exponent = torch.frexp(x)
    mantissa = (fraction * 2.0**53).to(torch.int64)
    low, high = int(exponent.min()) - 53, int(exponent.max()) - 53
    planes = torch.empty((len(primes), *x.shape), dtype=torch.float64)
    for plane, p in zip(planes, primes, strict=True):
        powers = torch.tensor([pow(2, e, p) for e in range(low, high + 1)])
        residue = mantissa.remainder(p).mul_(powers[exponent.to(torch.int64) - 53 - low]).remainder_(p)
        plane.copy_(torch.where(residue > p // 2, residue - p, residue))
    return planes


def near_simple(x: Tensor) -> Tensor:
    """Floats that `number_of` may take for another number: within two units of a simple rational, or of a root of one."""
    magnitude = x.abs()
    single = (x.to(torch.float32).to(torch.float64) == x) & (magnitude < 2.0**100) & (magnitude >= 2.0**-126)
    unit = torch.exp2(torch.frexp(magnitude)[1].double() - torch.where(single, 24.0, 53.0))
    near = torch.zeros_like(x, dtype=torch.bool)
    for simple, where in ((SINGLE, single), (DOUBLE, ~single)):
        powers = [(magnitude**k, 2 * k * unit * magnitude ** (k - 1)) for k in (1, 2, 4)]
        ratio = torch.stack([_rational(power, within, simple) for power, within in powers]).any(0)
        near |= where & (ratio | _decimal(magnitude, 2 * unit, simple))
    return near & (x != 0)


def _rational(x: Tensor, within: Tensor, simple: Simple) -> Tensor:
    """Whether a convergent with a small enough denominator is near (Khinchin, "Continued fractions", section 2)."""
    before, now = (torch.zeros_like(x), torch.ones_like(x)), (torch.ones_like(x), torch.floor(x))
    rest, near = x - now[1], torch.zeros_like(x, dtype=torch.bool)
    greatest = max(simple.size, simple.root) / x.sqrt()  # as in `number._near`
    for _ in range(20):
        near |= (now[0] <= greatest) & ((x - now[1] / now[0]).abs() <= within)
        digit = torch.floor(1 / rest.clamp_min(1e-300))
        rest = 1 / rest.clamp_min(1e-300) - digit
        before, now = now, (digit * now[0] + before[0], digit * now[1] + before[1])
    return near


def _decimal(x: Tensor, within: Tensor, simple: Simple) -> Tensor:
    """Whether rounding to so many digits changes next to nothing."""
    scale = 10.0 ** (simple.digits - 1 - torch.floor(torch.log10(x.clamp_min(1e-300))))
    return (torch.round(x * scale) / scale - x).abs() <= within
