"""Theorem 7: all lengths at once, of a stream that remembers everything in numbers that frames move freely.

Setting
-------
As in Theorem 5, but nobody says how the clip function goes on: a stream is a memory `m`, counters `c`, `step(m, c, x)
-> (m', c', y)`, one frame out for each frame in, and a flush that gives nothing, if any. A clip function maps T frames
to T frames, and frame t of it depends on frames 1 to t alone, for every T in the same way. A *past* is some first
frames `u = x_1 ... x_t`; `z(u)` is what the stream remembers of it, as far as that depends on frames, k numbers; `u v`
is a past and what comes after it, `f(u, v)` the last frame of the clip `u v`.

Functions (exp, tanh, ...) are read as Theorem 1 reads them: any that have the signs, parities and values at zero which
the arithmetic knows; in a reading where exponents add up the exponential is `exp(c x)`, c any number. *Analytic* is
real analytic, and all functions are. What is equal for almost all such functions is equal for those that torch has, by
continuity.

Premises, for numbers n (start) and N (frames)
----------------------------------------------
(C) Counters, and what depends on no frame. From frame n on the step is one function of z and of its frame: what else it
    remembers, and the form in which it holds z (formats, shapes, strides, kinds of containers), is as it was, from
    whatever z, or counts, and is compared with what it has passed.
(D) Directions. There are inputs and weights for which the derivative of z by n frames has the rank r.
(L) Plane. After n frames, and after n + 1, z lies in one affine space L of r dimensions, which weights may move.
(E) The stream is right at each length 1, 2, ..., n + 1, and in a clip of N > n + 1 frames.
(F) Both programs are analytic in frames and weights, and the step in z: no greatest of several numbers, no magnitude,
    no division by what may be zero.
(A) The clip function tells early. Let K = N - n - 1, and for a past u let `F_j(u)` be the function `v -> f(u, v)` of up
    to j frames v. There is one law for pasts of n and of n + 1 frames, `F_{j+1}(u) = P_j(F_j(u))` for each j >= K, and
    it is analytic: of functions `H_s` that depend analytically on the points s of a space, and are `F_j` of pasts for s
    in an open part of it, it makes functions that depend analytically on s.
(W) Closed world, as in Theorem 2.

Theorem 7. Then the stream is right at every length.

Proof. Let `g(z, v)` be the last frame that the stream emits from z where v comes, and `G_j(z)` the function `v -> g(z,
v)` of up to j frames. By (C) and (W) g is the same after every past of n frames or more, by (F) it is analytic. By (D)
and (F) the derivative of z has rank r for almost all frames and weights, so that the values of z after n frames contain
an open part of L, by (L): (i) whatever is analytic on L, and zero for all z(u) of n frames, is zero on L. Claim, for
every j >= K: `F_{j+1}(u) = G_{j+1}(z(u))` for all pasts u of n frames. For j = K it is (E), since N = n + K + 1 and
frames of a clip do not depend on later ones. Let it hold for j. Then it holds for pasts w of n + 1 frames with j in the
place of j + 1: `F_j(w) = G_j(z(w))`, since w is a past of n frames and the first frame of what comes after it. Now
`G_{j+1}(z(u)) = F_{j+1}(u) = P_j(F_j(u)) = P_j(G_j(z(u)))` for all u of n frames, by (A). Both ends are analytic
functions of a point of L, since `G_j(z)` is one, so by (i) `G_{j+1}(z) = P_j(G_j(z))` for every z in L, and z(w) is one
by (L). Hence `F_{j+1}(w) = P_j(F_j(w)) = P_j(G_j(z(w))) = G_{j+1}(z(w))`, which is the claim for j + 1, of pasts of n
frames. Lengths up to n + 1 are (E).  []

Nothing is asked of the rank after n + 1 frames: it is enough that these leave the memory in L. Where the clip function
of a stream that is right tells z from `G_K(z)`, analytically, the law of (A) is `G_{j+1}` after the inverse of `G_K`.
How many frames tell all? As few as (D) takes, about r over the numbers in a frame. What must come after them is what
(A) asks: two pasts that a right stream of r numbers tells apart at all it mostly tells apart within r frames.

What is checked, and what is assumed
------------------------------------
(E) and (L) are computed over a field, wrong with the probability of Theorem 1: for (L) enough points after n frames,
    and some after n + 1, must lie in r dimensions modulo each prime, and those of n frames alone in no fewer. The bound
    takes the degree of a determinant of r + 1 points. Where all k numbers move freely, r = k, there is nothing to
    lie in.
(D) is computed modulo the square of a small prime p (`proofs/field/tangents.py`) in the reading in which all else is: a
    number of each free function, and of its derivative, for each of its arguments. It errs on one side alone: a minor
    that is not zero modulo p is not zero as a polynomial in inputs, weights, and values and derivatives of functions;
    these are independent of one another for arguments that differ, since for finitely many places there is an analytic
    function with any values (of its sign) and derivatives. Exponentials that add up are independent but for that, if
    their arguments are over the whole numbers, up to constants (Ax, On Schanuel's conjectures, Annals of Mathematics
    93, 1971). No float is looked at, and no gradient that torch records: what a program detaches, or gives a gradient
    of its own, moves as it does. Where the arithmetic knows more of functions than that (what undoes what: `sqrt(x)^2 =
    x`), or takes constants for others that they are near, nothing is said.
(C) is compared over the field after n frames and after n + 1, and after a step from a memory in which a fresh variable
    takes the place of each number of z; counters are watched as for Theorem 2.
(F) is read off the operations that were executed. (A) is assumed, and (F) of longer clips with it, N and n are said; so
    is that numbers stay finite.

A stream that counts in what it remembers of its frames, the first frame times 2^t beside the first frame, has numbers
that move together: it violates (L), however small what it counts by, and so does a count beside the frames in one
tensor. A counter of its own violates (C), and so does one in the shapes, strides or formats of what it remembers. A
line of 700 frames is r, and n, and too long. A clip function that looks at the frame 300 frames ago, and at no other,
violates (A)."""

from __future__ import annotations

import torch

Tensor = torch.Tensor
EXACT = 2**52  # whole numbers up to which float64 holds all


def rank(rows: Tensor, prime: int) -> int:
    """In how many directions numbers move: the rank of a matrix of whole numbers, modulo a prime.

    Entries are reduced where they are pivots alone: until then each step adds less than `prime^2` to them.
    """
    rows = rows.to(torch.float64).remainder(prime)
    if (min(rows.shape) + 1) * prime**2 >= EXACT:
        raise ValueError(f"{tuple(rows.shape)} numbers are too many modulo {prime}")
    found = 0
    for column in range(rows.shape[1]):
        if found == len(rows):
            break
        left = rows[found:, column].remainder_(prime).nonzero()
        if not len(left):
            continue
        at = found + int(left[0])
        rows[[found, at]] = rows[[at, found]]
        row = rows[found].remainder_(prime)
        row = (row * pow(int(row[column]), -1, prime)).remainder_(prime)
        rows[found + 1 :].addr_(rows[found + 1 :, column].clone(), row, alpha=-1)
        found += 1
    return found


def dimension(points: Tensor, prime: int) -> int:
    """Of the affine space through some points, modulo a prime; (points, numbers), whole."""
    return rank(points[1:] - points[:1], prime)
