"""Derivatives over a field: how a program's numbers move with its inputs, exactly and in many directions at once.

Modulo `m = p^2` a number `a + p t` moves by t: sums and products of such numbers move as derivatives say, since `p^2 = 0`.

    (a + p t) (b + p s) = a b + p (a s + t b)        1 / (a + p t) = 1 / a - p t / a^2

So there is one plane for the numbers themselves, and one for each direction in which they are moved, all modulo m: the
ring of dual numbers over Z/p, written into one residue. A free function F has a value and, a free function too, a
derivative: `F(a + p t) = F(a) + p t F'(a)`.

That is what the program computes where symbols are any numbers and free functions any polynomials (there is one with
these values and these derivatives), reduced modulo p: whatever minor of derivatives is not zero here is no zero polynomial.
So the rank of a matrix of derivatives is never more here than it is for almost all inputs, weights and functions. Nothing
else is known of functions here than that they are some; whoever relies on what undoes what (`sqrt(x)^2 = x`) may not.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import torch

from coequal.proofs.field.arithmetic import (
    EVEN,
    ODD,
    REFLECTED,
    Field,
    Value,
    aligned,
    known_of,
    powers,
    sign_of_all,
    to_the,
)
from coequal.proofs.field.degree import CONSTANT, VARIABLE, Degree
from coequal.proofs.field.errors import NotDecided, ZeroDivisor
from coequal.proofs.field.numbers import hash as hashing
from coequal.proofs.field.numbers.inverses import Inverses
from coequal.proofs.field.numbers.known import Registry
from coequal.proofs.field.numbers.primes import bits_for, is_prime, is_square, of_order, units
from coequal.proofs.field.numbers.symbols import Symbols

Tensor = torch.Tensor
LEAST = 80  # no prime of a chain is smaller


@functools.lru_cache(maxsize=64)
def chains_for(longest: int, roots: tuple[int, ...] = (), levels: int = 1) -> list[tuple[int, ...]]:
    """Primes whose squares suit dot products of so many terms, and modulo which these roots exist; greatest first.

    Of more than one level: each with a prime that divides the one before it less one, and so on.
    """
    most = 1 << (bits_for(longest) // 2)
    found = [chain for p in range(most - 1, most // 2, -4) if (chain := _chain(p, roots, levels))]  # 3 modulo 4
    return sorted(found, key=lambda chain: -chain[-1])


def _chain(p: int, roots: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """The one with the greatest primes; empty where there is none."""
    if p % 4 != 3 or not is_prime(p) or not all(r % p and is_square(r, p) for r in roots):
        return ()
    if levels == 1:
        return (p,)
    below = (_chain((p - 1) // k, roots, levels - 1) for k in range(2, (p - 1) // LEAST + 1) if (p - 1) % k == 0)
    chain = next(filter(None, below), ())
    return (p, *chain) if chain else ()


class _Forgotten(Inverses):
    """Nothing is undone."""

    def note(self, values: Tensor, arguments: Tensor, degree: Degree) -> None:
        """Not kept."""

    def find(self, values: Tensor, seed: int) -> None:
        """None is."""


@dataclass
class _Once(Registry):
    """Constants that were met, without directions."""

    count: int = 1
    base: Registry = field(default_factory=Registry)

    def add(self, tensor: Tensor, planes: Tensor, degree: Degree = CONSTANT, *, computed: bool) -> None:
        """Planes of a constant that does not move."""
        self.base.add(tensor, torch.cat([planes[:1], planes[self.count :]]), degree, computed=computed)


@dataclass
class Tangents(Field):
    """Of a prime p and some directions: planes are the numbers modulo p^2, and those that have moved.

    With a chain of primes (of `chains_for`) the exponential turns sums into products, as in `Field`, and its derivative is
    itself. The last planes are then the numbers modulo the other primes of the chain, which do not move.
    """

    chain: tuple[int, ...] = ()
    base: Field = field(init=False)

    @classmethod
    def along(cls, chain: tuple[int, ...], directions: int, seed: int, **options: object) -> Tangents:
        """With so many directions, modulo the square of the first prime of a chain."""
        return cls((chain[0] ** 2,) * (1 + directions) + chain[1:], seed, chain=chain, levels=len(chain), **options)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        known = {"literal": self.literal, "near": self.near, "shadow": self.shadow, "low_masks": self.low_masks}
        moduli = (self.modulus, *self.chain[1:])
        self.base = Field(moduli, self.seed, account=self.account, met=self.met, **known)  # type: ignore[arg-type]
        self.same = _Once(count=self.count, base=self.base.same)
        self.logarithms, self.exponentials, self.radicands = _Forgotten(), _Forgotten(), _Forgotten()

    @property
    def prime(self) -> int:
        """Modulo which numbers move."""
        return self.chain[0]

    @property
    def modulus(self) -> int:
        """The square of the prime."""
        return self.chain[0] ** 2

    @property
    def count(self) -> int:
        """Planes of the first level: the numbers, and one for each direction."""
        return len(self.primes) - len(self.chain) + 1

    def moved(self, planes: Tensor) -> Tensor:
        """How numbers move, modulo p: `(directions, *shape)`; NotDecided where more than derivatives is in them."""
        apart = (planes[1 : self.count] - planes[:1]).to(torch.int64)
        if not bool(planes.isfinite().all()) or bool((apart % self.prime).any()):
            raise NotDecided("no derivative is known of it")
        return (apart // self.prime) % self.prime

    def reaches(self, a: Value) -> bool:
        """Whether it is known modulo the next prime of the chain."""
        return a.planes.shape[0] > self.count

    # -- constants do not move ---------------------------------------------------------------------------------------------

    def _still(self, planes: Tensor) -> Tensor:
        first = planes[:1].repeat(self.count, *[1] * (planes.dim() - 1))
        return torch.cat([first, planes[1:]])

    def number(self, value: float, device: torch.device | str = "cpu") -> Tensor:
        """Residues of a constant, the same in all directions."""
        return self._still(self.base.number(value, device))

    def constants(self, tensor: Tensor, *, literal: bool = False) -> Value:
        """A tensor of constants."""
        found = self.base.constants(tensor, literal=literal)
        return replace(found, planes=self._still(found.planes))

    def whole(self, n: int, device: torch.device | str = "cpu", *, inverse: bool = False) -> Value:
        """A whole number, or its inverse."""
        if inverse and n % self.prime == 0:
            raise ZeroDivisor(f"{n} is zero modulo a prime")
        found = self.base.whole(n, device, inverse=inverse)
        return replace(found, planes=self._still(found.planes))

    def circle_of(self, order: int) -> tuple[Value, Value]:
        """None."""
        raise NotDecided("a Fourier transform has no derivative here")

    # -- the ring ----------------------------------------------------------------------------------------------------------

    def reduce(self, x: Tensor) -> Tensor:
        """As in `Field`."""
        if x.shape[0] <= self.count:
            return _reduced(x, self.modulus)
        _reduced(x[: self.count], self.modulus)
        for plane, p in zip(x[self.count :], self.chain[1:], strict=False):
            _reduced(plane, p)
        return x

    def inverse(self, a: Value) -> Value:
        """As in `Field`, of what is not zero modulo p."""
        if bool((a.planes[0].remainder(self.prime) == 0).any()) or bool((a.planes[self.count :] == 0).any()):
            raise ZeroDivisor("division by an element that is zero modulo a prime")
        return super().inverse(a)

    def _inverted(self, planes: Tensor) -> Tensor:
        """One step of Newton's method from the inverse of the numbers themselves is exact."""
        first = to_the(planes[:1], units(self.modulus) - 1, self.modulus)
        left = _reduced(2 - _reduced(planes[: self.count] * first, self.modulus), self.modulus)
        others = [to_the(plane[None], p - 2, p) for plane, p in zip(planes[self.count :], self.chain[1:], strict=False)]
        return torch.cat([_reduced(left.mul_(first), self.modulus), *others])

    def _to_the(self, planes: Tensor, exponent: int) -> Tensor:
        others = zip(planes[self.count :], self.chain[1:], strict=False)
        found = [to_the(plane[None], exponent, p) for plane, p in others]
        return torch.cat([to_the(planes[: self.count], exponent, self.modulus), *found])

    # -- functions ---------------------------------------------------------------------------------------------------------

    def free(self, name: object, *arguments: Value, at_zero: float | None = None) -> Value:
        """A free function, and its derivative: another one, with respect to each argument."""
        if name in self.definitions and self.reaches(arguments[0]):
            return self.definitions[name](self, *arguments)
        planes = list(torch.broadcast_tensors(*aligned(*(a.planes[: self.count] for a in arguments))))
        self.account.use(name)
        sign = sign_of_all(planes[0][:1]) if name in EVEN or name in ODD or name in REFLECTED else None
        if sign is not None:
            planes = [planes[0] * sign]
        first = [p[:1] for p in planes]
        result = self._still(hashing.free(name, first, self.base.primes, self.seed))
        for i, p in enumerate(planes):
            slope = hashing.free(("derivative", i, name), first, (self.modulus,), self.seed)
            result[: self.count] += _reduced((p - p[:1]) * slope, self.modulus)
        result = self.reduce(result)
        if sign is not None and name not in EVEN:
            result = result.mul_(sign)
            if name in REFLECTED:
                result = self.reduce(result.add_(sign < 0))
        if at_zero is not None and bool((zero := (planes[0] == 0).all(0)).any()):
            there = self.number(at_zero, result.device)
            result.masked_fill_(zero, 0.0).add_(zero * there.view(-1, *[1] * (result.dim() - 1)))
        return Value(result, known_of(name, *(a.degree for a in arguments)), monomial=name not in REFLECTED)

    def _power_of_generator(self, a: Value) -> Value:
        """`g^x`, which moves by `g^x` times what x moves by."""
        known = a.planes.shape[0] - self.count
        images = []
        for i in range(known):
            p, q = self.chain[i], self.chain[i + 1]
            g, modulus = (of_order(q, p), p) if i else (pow(of_order(q, p), p, p * p), p * p)
            table = powers(g, q, modulus).to(a.planes.device)
            images.append(table[a.planes[self.count + i].to(torch.int64).remainder(q)])
        by = _reduced(1 + a.planes[: self.count] - a.planes[:1], self.modulus)
        return Value(torch.stack([*_reduced(by * images[0], self.modulus), *images[1:]]), VARIABLE)


def _reduced(x: Tensor, modulus: int) -> Tensor:
    return x.sub_(x.div(modulus).round_().mul_(modulus))


class Moving(Symbols):
    """Symbols of which those that were given last are moved, in as many directions as there are planes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.still: dict[torch.dtype, int] = {}
        self.prime, self.first = 0, 0

    def hold(self, prime: int, first: int = 0) -> None:
        """What was given until now stays where it is; what comes moves in the directions from the first of these on."""
        self.still, self.prime, self.first = dict(self.given), prime, first

    def residues(self, numbers: Tensor, dtype: torch.dtype, primes: tuple[int, ...]) -> Tensor:
        count = primes.count(primes[0]) - 1
        first = super().residues(numbers, dtype, primes[count:])
        moving = (numbers >= self.still.get(dtype, 0)) & bool(self.prime)
        planes = torch.cat([first[:1].repeat(count, *[1] * numbers.dim()), first])
        if bool(moving.any()):
            keys = torch.tensor([hashing.key(self.seed, "direction", str(dtype), self.first + i) for i in range(count)])
            by = hashing.uniform(numbers[moving] + keys.to(numbers.device).unsqueeze(1), (self.prime,) * count)
            planes[1 : count + 1, moving] = _reduced(planes[1 : count + 1, moving] + self.prime * by, primes[0])
        return planes
