"""Primes for exact arithmetic: few enough bits that float64 matrix products of residues stay exact.

Residues are centred, `|a| <= (p - 1) / 2`. A dot product of length K is then at most `K (p - 1)^2 / 4` in magnitude; it must
stay below 2^52, half of what float64 holds exactly, so that the reduction modulo p (`arithmetic.py`) is exact too.

All primes are 3 modulo 4, so that every square has one root that is a square itself, as positive numbers have a positive
root.

A *chain* `p_0 > p_1 > ...` has `p_{i+1} | p_i - 1`: then `g^x mod p_0`, with g of order p_1, depends on `x mod p_1` alone,
and `x -> g^x` turns sums into products. That is the homomorphic exponential. With `p_{i+1} | p_i + 1` the same is done on
the unit circle, whose elements `c + i s` with `c^2 + s^2 = 1` multiply as angles add: that gives cosine and sine.

Where `order | p + 1`, the unit circle modulo p has a point of that order: a root of unity, as Fourier transforms need it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

EXACT = 2**52  # largest magnitude that `reduce` maps exactly, see arithmetic.py
WIDEST = 20  # bits of the primes when nothing demands fewer
STEPS = (3, 4, 5, 6)  # bits by which the primes of a chain shrink: the fewest that square roots allow
TRIES = 60
NARROWEST = 8


def is_prime(n: int) -> bool:
    """Deterministic Miller-Rabin, exact for n < 3.3e24 (Sorenson & Webster, Math. Comp. 86, 2017)."""
    witnesses = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if n < 2 or any(n % q == 0 for q in witnesses):
        return n in witnesses
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(n, witness, odd, twos) for witness in witnesses)


def _passes(n: int, witness: int, odd: int, twos: int) -> bool:
    power = pow(witness, odd, n)
    if power in (1, n - 1):
        return True
    return any((power := power * power % n) == n - 1 for _ in range(twos - 1))


def bits_for(longest: int) -> int:
    """Bits of a prime p with `longest * (p - 1)^2 / 4 < 2^52`, at most 20.

    >>> bits_for(1000), bits_for(1 << 20)
    (20, 16)
    """
    bits = WIDEST
    while longest * 4 ** (bits - 1) >= EXACT:
        bits -= 1
    if bits < NARROWEST:
        raise ValueError(f"a dot product of {longest} terms leaves primes of {bits} bits: too few for a useful bound")
    return bits


@dataclass(frozen=True)
class Demands:
    """What is asked of each prime: square roots of these integers, and a root of unity of this order on its unit circle."""

    roots: tuple[int, ...] = ()
    circle: int = 1

    @property
    def step(self) -> int:
        """Primes are -1 modulo this: 3 modulo 4, and the order of the circle is a multiple of `circle`."""
        return math.lcm(4, self.circle)

    def meets(self, p: int) -> bool:
        """Whether a number is such a prime."""
        return (p + 1) % self.step == 0 and is_prime(p) and all(is_square(root, p) for root in self.roots)

    def __str__(self) -> str:
        asked = [f"square roots of {', '.join(map(str, self.roots))}"] if self.roots else []
        asked += [f"a root of unity of order {self.circle}"] if self.circle > 1 else []
        return f" with {' and '.join(asked)}" if asked else ""


def draw(
    count: int,
    seed: int,
    *,
    longest: int = 1,
    roots: tuple[int, ...] = (),
    circle: int = 1,
    levels: int = 1,
    turns: bool = False,
) -> tuple[int, ...]:
    """`count` random chains of `levels` distinct primes, the first of each just below 2^bits; all first primes come first.

    `turns`: chains of the unit circle, whose group has `p + 1` elements, in place of those of the units.

    Every integer of `roots` is a square modulo each prime: half the odd primes suit each independent root, so random
    candidates are tried until enough do. `circle`: an order that some point of each unit circle has.
    """
    bits, rng, demands = bits_for(longest), random.Random(seed), Demands(roots, circle)
    chains: list[list[int]] = []
    taken: set[int] = set()
    for _ in range(count):
        chain = _chain(bits, levels, demands, rng, taken, 1 if turns else -1)
        taken.update(chain)
        chains.append(chain)
    return tuple(chain[level] for level in range(levels) for chain in chains)


def _chain(bits: int, levels: int, demands: Demands, rng: random.Random, taken: set[int], sign: int) -> list[int]:
    """From the smallest prime up: each next one is `2 k q + 1` (`sign` -1) or `2 k q - 1` for the one below it."""
    for step in STEPS:
        lowest = bits - step * (levels - 1)
        if lowest < NARROWEST:
            raise ValueError(f"a chain of {levels} primes below 2^{bits} leaves {lowest} bits for the last: too few")
        for _ in range(TRIES):
            chain = [_random_prime(lowest, demands, rng)]
            while len(chain) < levels and (above := _above(chain[0], lowest + step * len(chain), demands, rng, sign)):
                chain.insert(0, above)
            if len(chain) == levels and not taken & set(chain):
                return chain
    kind = "primes" if levels == 1 else f"chains of {levels} primes"
    raise ValueError(f"there are too few {kind} below 2^{bits}{demands}")


def _random_prime(bits: int, demands: Demands, rng: random.Random) -> int:
    first, last = (2 ** (bits - 1) + 2 ** (bits - 2)) // demands.step, 2**bits // demands.step
    for _ in range(1_000_000 if first < last else 0):
        candidate = rng.randrange(first, last) * demands.step + demands.step - 1
        if candidate < 2**bits and demands.meets(candidate):
            return candidate
    raise ValueError(f"there is no prime of {bits} bits{demands}")


def _above(q: int, bits: int, demands: Demands, rng: random.Random, sign: int) -> int | None:
    """A prime `2 k q + 1`, k odd, or `2 k q - 1`, k even, of so many bits; None where there is none."""
    first = 2 ** (bits - 2) // q
    factors = list(range(first | 1 if sign < 0 else first + first % 2, (2**bits - 2) // (2 * q) + 1, 2))
    rng.shuffle(factors)
    for k in factors:
        candidate = 2 * k * q - sign
        if demands.meets(candidate):
            return candidate
    return None


def of_order(q: int, p: int) -> int:
    """An element of order q modulo p, for primes with `q | p - 1`."""
    return next(g for x in range(2, p) if (g := pow(x, (p - 1) // q, p)) != 1)


def on_circle(q: int, p: int) -> tuple[int, int]:
    """`(c, s)` with `c^2 + s^2 = 1` and `(c + i s)^q = 1`, of order q, for primes `p = 3 mod 4` with `q | p + 1`.

    `(a + i b)^(p - 1)` has norm one, since the norm is `(a + i b)^(p + 1)`, and the field's other element is the conjugate.
    """
    for a in range(2, p):
        point = turned(turned((a, 1), p - 1, p), (p + 1) // q, p)
        if point != (1, 0):
            return point
    raise ValueError(f"the unit circle modulo {p} has no element of order {q}")


def root_of_unity(order: int, p: int) -> tuple[int, int]:
    """`(c, s)` on the unit circle modulo p, of this very order, a multiple of 4 that divides `p + 1`.

    Of all such points one of those that are `exp(2 pi i / order)` as far as square roots tell: its power of order four is i,
    that of order eight has the cosine `sqrt(2) / 2`, and of those of odd prime order q the Gauss sum is `sqrt(q)`, or
    `i sqrt(q)` (Ireland & Rosen, A classical introduction to modern number theory, 1990, chapter 6). So spectra agree with
    constants that are roots.
    """
    factors = _prime_factors(order)
    for a in range(1, p):
        point = turned(turned((a, 1), p - 1, p), (p + 1) // order, p)
        if all(turned(point, order // q, p) != (1, 0) for q in factors):
            return turned(point, _orientation(point, order, p), p)
    raise ValueError(f"the unit circle modulo {p} has no element of order {order}")


def _orientation(point: tuple[int, int], order: int, p: int) -> int:
    """The exponent that makes a point of this order the one that is meant."""
    exponent = next(k for k in (1, 3, 5, 7) if _principal(turned(point, k, p), order, p))
    modulus = order & -order  # its power of two
    exponent %= modulus
    for q in sorted(_prime_factors(order) - {2}):
        root = turned(point, order // q, p)
        sums = [turned(root, a, p) for a in range(1, q)]
        signs = [1 if is_square(a, q) else -1 for a in range(1, q)]
        gauss = tuple(sum(sign * power[axis] for sign, power in zip(signs, sums, strict=True)) % p for axis in range(2))
        size = sqrt_mod(q, p)
        meant = gauss == ((size, 0) if q % 4 == 1 else (0, size))
        wanted = 1 if meant else next(a for a in range(2, q) if not is_square(a, q))
        while exponent % q != wanted:
            exponent += modulus
        modulus *= q
    return exponent


def _principal(point: tuple[int, int], order: int, p: int) -> bool:
    """Whether its power of order four is i, and that of order eight has a positive cosine."""
    if turned(point, order // 4, p) != (0, 1):
        return False
    return order % 8 != 0 or 2 * turned(point, order // 8, p)[0] % p == sqrt_mod(2, p)


def _prime_factors(n: int) -> set[int]:
    found, q = set[int](), 2
    while n > 1:
        q = q if q * q <= n else n
        if n % q == 0:
            found.add(q)
            n //= q
        else:
            q += 1
    return found


def turned(point: tuple[int, int], exponent: int, p: int) -> tuple[int, int]:
    """`(a + i b)^exponent` modulo p."""
    result = (1, 0)
    while exponent:
        (a, b), (c, s) = point, result
        if exponent & 1:
            result = ((a * c - b * s) % p, (a * s + b * c) % p)
        point, exponent = ((a * a - b * b) % p, 2 * a * b % p), exponent >> 1
    return result


def units(p: int) -> int:
    """How many numbers have an inverse modulo a prime, or the square of one."""
    root = math.isqrt(p)
    return root * (root - 1) if root * root == p else p - 1


def is_square(a: int, p: int) -> bool:
    """Euler's criterion, modulo a prime or, of what is prime to it, its square; zero is a square."""
    return a % p == 0 or pow(a, units(p) // 2, p) == 1


def sqrt_mod(a: int, p: int) -> int:
    """The principal square root of `a` modulo a prime that is 3 modulo 4, or the square of one: the root that is a square
    itself; ValueError: none is.

    Principal roots behave as positive ones do: they have principal roots in turn, and their products are principal.
    """
    if not is_square(a, p):
        raise ValueError(f"{a} is not a square modulo {p}")
    return pow(a, (units(p) // 2 + 1) // 2, p)
