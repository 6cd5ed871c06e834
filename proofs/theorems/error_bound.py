"""Theorem 1: how often exact arithmetic may call two different programs equal.

Setting
-------
A program reads variables (inputs and weights), applies `+ - * /` and free functions `F(a_1, ..., a_k)`, in a fixed order
that depends on no data, and returns values. Between applications a value is a fraction of polynomials in the variables
and in the values of applications before it. Two programs run in one *draw*: r different primes `p_1 ... p_r`, a uniform
element of every field `Z / p_i` for every variable, independent of all others, and for every function a hash of all
residues of its arguments *jointly*, drawn afresh and uniform for each prime. The programs are called equal if all
residues of all outputs agree.

*Different* means: some output differs as an expression, where applications of the same function to equal arguments count
as the same variable and all others as independent ones (congruence, Ackermann 1954), and where the difference is no
multiple of one of the primes, see Lemma 3.

Lemma 1 (Schwartz 1980, Zippel 1979, DeMillo & Lipton 1978)
------------------------------------------------------------
A polynomial `f /= 0` over `Z / p` of total degree at most D is zero at a uniform point with probability at most `D / p`.

Proof. By induction on the number of variables. In one variable f has at most D roots. In several, write `f = sum_k x_1^k
f_k(x_2, ...)` and let k be the greatest with `f_k /= 0`: `f_k` has degree at most `D - k`, so it vanishes with
probability at most `(D - k) / p`; where it does not, f is a polynomial of degree k in `x_1`, which has at most k roots.
[]

The bound is attained: `(x - 1)(x - 2) ... (x - D)` vanishes with probability `D / p` exactly: `planted` below.

Lemma 2 (fractions)
-------------------
Let `a = n / d` and `b = m / e` with `deg n, deg m <= N` and `deg d, deg e <= M`. Where the run divides by no zero, `a =
b` if and only if `n e - m d = 0`, whose degree is at most `N + M`. So D is the greatest degree of a numerator *plus* the
greatest degree of a denominator, over all that was compared or hashed (`Degrees.greatest`): not the greatest sum for a
single value, since `x^5` may meet `1 / y^5`.

Inverses. A program that uses a value of a free function and its inverse computes with *Laurent* polynomials. Let `|m|` be
the sum of the magnitudes of the exponents of a monomial, and let a Laurent polynomial `f /= 0` have `|m| <= D` throughout.
At a uniform point without a zero it vanishes with probability at most `2 D / (p - 1)`.

Proof. By induction, as in Lemma 1. Let the exponents of `x_1` in f run from -a to b, and let `b >= a` (else take `1 / x_1`).
`x_1^a f` has degree `a + b <= 2 b` in `x_1`, and the coefficient of `x_1^b` is a Laurent polynomial in the others with
`|m| <= D - b`. So the probability is at most `2 b / (p - 1) + 2 (D - b) / (p - 1)`. []

`x - 1 / x` attains it: two of `p - 1` points. Magnitudes add and grow under sums and products as degrees do, so the counts
are the same, and D is doubled once such an inverse was taken. A sum, or what is not known to be a product of such values,
stays a divisor with a degree of its own.

Lemma 3 (multiples of the primes)
---------------------------------
An integer `c /= 0` of b bits has at most `b / log2(3 2^18)` prime factors in the pool of primes that are drawn from. So a
random prime of the pool divides it with probability at most that number over the size of the pool (`divides`). Programs
whose difference is, say, `p_1 p_2 p_3 p_4 x` cannot be told apart: that the primes were drawn after the programs were
written is what makes it improbable. The bound of a run does not include this, since the coefficients of the difference
are not known; it is an assumption, and Lemma 3 says how weak.

Theorem 1
---------
Let the two runs together apply free functions m times, element by element, members of maxima included, and let `M = 1 + m
(m + 1) / 2` and `q = prod_i D / p_i`. Two programs that are different are called equal with probability at most `M q`.

Proof. Consider the pairs of applications (of either program), the pairs of an application and the constant 0 (where some
functions have a known value), and one output that differs. In a pair whose arguments are different as expressions, some
argument differs. Put all these pairs in the order in which the later of their two members is computed, the output last,
and let A be the first pair that is different but whose residues agree. *Before* A no two different arguments agreed in
all residues, so every application had a tuple of residues of its own, and hence values that are uniform and independent
of all the rest: they are variables as good as the inputs. So for A to be a certain pair, a fixed polynomial of degree at
most D (Lemma 2), not zero, must vanish at a point that is uniform modulo `p_i`, independently for each i (the Chinese
remainder theorem): probability at most q, by Lemma 1. There are at most M pairs. If no A exists then the output differs.
[]

That the arguments are hashed jointly matters. A hash of each residue by itself would make every prime a draw of its own,
and the programs would be called equal as soon as each prime found *some* pair: `prod_i (M D / p_i)`, which is worse by
`M^(r-1)`.

Hashes
------
Values of free functions come from 64-bit words by the finaliser of SplitMix64, which is *modelled* as a random function:
an assumption. Then the word of one prime collides for one pair with probability below `2^-62`. A collision loses this
prime from there on, and what was said above holds for the others: with k primes lost, `C(r, k) (M 2^-62)^k min(1, M
q_k)`, q_k the product over the r - k smallest primes. The two sums below the words collide for words that differ by `2^v
odd` with probability `2^-(63 - v)` each. Two residues make one word, low and high; v > 20 only if the low residues agree,
so one sum collides with probability at most `2^-43 + 2^-22 q'`, q' the product over two primes, and both with its square.
`bound.wrong` adds all this up.

Parity
------
Functions of known parity (abs, cos, cosh; sin, tanh, erf, ...; the sigmoid, `F(-x) = 1 - F(x)`) are drawn for the pair `{a,
-a}`: all residues of an argument are multiplied by the sign of the first that is not zero, which is one sign for a and the
other for -a, and the value by it, as the parity says. Two applications are then the same variable if their arguments are
equal or opposite; for a pair that is neither, one of two polynomials must vanish, `a - b` or `a + b`. Such an application
counts twice in m, so that M counts both.

Redraws
-------
A draw in which something is divided by zero, or a root is missing, is thrown away. If at most k draws are tried, then the
probability that *some* accepted one is wrong is at most k times the bound of one (`after_redraws`); draws that were all
accepted multiply.

Homomorphic exponentials
------------------------
With chains of primes `q | p - 1` and `E(x) = g^x`, values of E are no independent variables any more and Theorem 1 does
not apply as it stands. What can be proved: residues modulo p and modulo q of a variable are independent, so `E(a) = c
E(b)` for different a and b holds with probability at most `D / q` for a fixed c; and for `sum_k c_k E(a_k)` with
coefficients `c_k` that are linearly independent polynomials, fixing everything modulo q leaves a polynomial modulo p that
is not zero: `D / p`. For a sum of t exponentials with *constant* coefficients there is only the bound `O(q^(-1 / (t -
1)))` of Canetti et al. ("On the statistical properties of Diffie-Hellman distributions", Israel J. Math. 120, 2000),
which is useless for long sums. The bound that is printed takes the smallest primes of the chains, and takes exponents of
different terms as independent: an assumption."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.numbers.primes import is_prime

SMALLEST = 3 * 2**18  # no prime of full width is smaller


def planted(degree: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The program `(x - 1)(x - 2) ... (x - degree)`: not zero, but zero modulo p for `degree` of p values of x."""

    def program(x: torch.Tensor) -> torch.Tensor:
        result = x - 1
        for root in range(2, degree + 1):
            result = result * (x - root)
        return result

    return program


def pairs(count: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The product of `F(x_i) - F(x_j)` over all pairs of `count` arguments on the last axis: zero as soon as two collide."""

    def program(x: torch.Tensor) -> torch.Tensor:
        image = torch.tanh(x)
        result = torch.ones(x.shape[:-1], dtype=x.dtype)
        for i in range(count):
            for j in range(i):
                result = result * (image[..., i] - image[..., j])
        return result

    return program


def called_zero(primes: tuple[int, ...], seed: int, program: Callable, shape: tuple[int, ...]) -> tuple[int, Field]:
    """How many of `shape[0]` independent points a program vanishes at, in all residues; and the field of that run."""
    from coequal.proofs.field.numbers.symbols import Symbols
    from coequal.proofs.field.torch_frontend.dispatch import Exact

    exact = Exact(Field(primes, seed), symbols := Symbols(seed))
    x = symbols.fresh(torch.empty(shape, dtype=torch.float64))
    with exact.running():
        result = program(x)
    value: Value = exact.value(result)
    exact.field.account.compare(value.degree)
    return int((value.planes == 0).all(0).sum()), exact.field


def after_redraws(bound: float, tried: int) -> float:
    """The bound where draws were thrown away: a union over all that were tried."""
    return min(1.0, bound * tried)


@functools.cache
def pool(smallest: int = SMALLEST) -> int:
    """How many primes `3 mod 4` there are from `smallest` to `4 / 3` of it: those that are drawn from."""
    return sum(is_prime(n) for n in range(smallest | 3, 4 * smallest // 3, 4))


def divides(bits: int, smallest: int = SMALLEST) -> float:
    """Lemma 3: the probability that a random prime of the pool divides a fixed integer, not zero, of so many bits."""
    return min(1.0, math.floor(bits / math.log2(smallest)) / pool(smallest))
