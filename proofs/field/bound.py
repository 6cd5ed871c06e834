"""The probability that two different functions are called equal: computed for each run from what was executed.

A run applies free functions m times, element by element. Draw inputs, weights and the values of the free functions at
random. If the two programs are different functions of these, then the first place where equal residues hide a difference is
a pair of applications whose arguments are different but agree, or an output. The difference of two arguments is a non-zero
rational function whose numerator has at most degree D, and a random point is a zero of it modulo p with probability at most
D / p (Schwartz 1980; Zippel 1979; DeMillo & Lipton 1978). All r primes must agree at once, so for each pair

    q = prod_i D / p_i,      P(wrong "equal") <= (1 + m (m - 1) / 2) (q + c)

where c covers the hash: of its two 64-bit sums either may collide for different arguments, each with probability at most
2^-62, and then half of the primes are left; or both:  c = 2 * 2^-62 q_half + 2^-124. Independent draws multiply.

The proof, and a program that is wrong exactly as often as this says it may be: `proofs/theorems/error_bound.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

WORD_COLLISION = 2.0**-62


def wrong(applications: int, degree: int, primes: Iterable[int]) -> float:
    """P(wrong "equal") of one draw; at most 1.

    >>> wrong(100_000, 4, [2**20 - 3] * 4) < 2**-30
    True
    """
    moduli = tuple(primes)
    each = [min(1.0, degree / p) for p in moduli]
    half = max(math.prod(each[0::2]), math.prod(each[1::2]))
    pair = math.prod(each) + 2 * WORD_COLLISION * half + WORD_COLLISION**2
    return min(1.0, (1 + applications * (applications - 1) / 2) * pair)
