"""The probability that two different functions are called equal: computed for each run from what was executed.

A run applies free functions m times, element by element. Draw inputs, weights and the values of the free functions at
random. If the two programs are different functions of these, then the first place where equal residues hide a difference is
a pair of applications whose arguments are different but agree, or an output. The difference of two arguments is a non-zero
rational function whose numerator has at most degree D, and a random point is a zero of it modulo p with probability at most
D / p (Schwartz 1980; Zippel 1979; DeMillo & Lipton 1978). All r primes must agree at once:

    M = 1 + m (m + 1) / 2 pairs      P(wrong "equal") <= M prod_i D / p_i

(m (m - 1) / 2 pairs of applications, m comparisons of an argument with zero, where some functions have a known value, and
the output). The hash adds to that: among M pairs of arguments, two 64-bit words that one prime takes its residue from
collide with probability at most M 2^-62, which loses that prime; with k primes lost the others are left. The two sums
below all words collide at once with probability at most M (2^-43 + 2^-22 half)^2, half the D^2 / p p' of two primes.
Independent draws multiply.

The proof, and a program that is wrong exactly as often as this says it may be: `proofs/theorems/error_bound.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

WORD = 2.0**-62  # collision of the word of one prime


def wrong(applications: int, degree: int, primes: Iterable[int]) -> float:
    """P(wrong "equal") of one draw; at most 1.

    >>> wrong(100_000, 4, [2**20 - 3] * 4) < 2**-35
    True
    """
    each = sorted((degree / p if degree < p else 1.0 for p in primes), reverse=True)
    pairs = 1 + applications * (applications + 1) / 2
    total = pairs * (2.0**-43 + 2.0**-22 * math.prod(each[:2])) ** 2
    for lost in range(len(each) + 1):
        kept = math.prod(each[: len(each) - lost])
        unseen = min(1.0, pairs * kept) if lost < len(each) else 1.0
        total += math.comb(len(each), lost) * (pairs * WORD) ** lost * unseen
    return min(1.0, total)
