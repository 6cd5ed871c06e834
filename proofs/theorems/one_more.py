"""Theorem 7: all lengths at once, of a stream that remembers everything in numbers that frames move freely.

Setting
-------
As in Theorem 5, but nobody says how the clip function goes on: a stream is a memory `m`, counters `c`, `step(m, c, x) ->
(m', c', y)`, one frame out for each frame in, and a flush that gives nothing, if any. A clip function maps T frames to T
frames, and frame t of it depends on frames 1 to t alone, for every T in the same way. A *past* is some first frames
`u = x_1 ... x_t`; `z(u)` is what the stream remembers of it, as far as that depends on frames, and `u v` a past and what
comes after it.

Premises, for numbers n (start) and N (frames)
----------------------------------------------
(C) Counters, and what depends on no frame. From frame n on the step is one function of z and of its frame: what else it
    remembers stays as it is, from whatever z, or counts, and is compared with what it has passed.
(L) Plane. After n frames, and after n + 1, z lies in one affine space L of r dimensions.
(P) Pasts. There is a past of n frames near which z moves in r directions, and one of n + 1 frames that leaves the same z.
(E) The stream is right at each length 1, 2, ..., n + 1, and in a clip of N > n + 1 frames.
(F) Both programs are analytic in frames and weights: no greatest of several numbers, no magnitude, no division by what may
    be zero.
(A) The clip function tells early. A past of n + 1 frames and one of n after which its next N - n - 1 frames are the same,
    whatever these are, are followed by the same for ever.
(W) Closed world, as in Theorem 2.

Theorem 7. Then the stream is right at every length.

Proof. For a past u and j frames v after it let `f(u, v)` be the last frame of the clip `u v`, and `g(z, v)` the last
one that the stream emits from z; by (C) and (W) it is the same function g after every past of n frames or more.
Claim, for every J >= N - n: (*) f(u, v) = g(z(u), v) for all pasts u of n frames and all v of up to J frames. For J =
N - n it is (E), since frames of a clip do not depend on later ones. Let it hold for J. Then for pasts w of n + 1
frames f(w, v) = g(z(w), v) where v has up to J - 1 frames: w is a past of n frames and the first frame of what comes
after it. Now let v have J frames. By (L) and (P) pasts w near the one of n + 1 frames, with weights near those of
(P), have their z(w) in L near a point around which z, of n frames, takes all values in L: so there is a past u of n
frames with z(u) = z(w). After u and w the clip function gives the same in the next J - 1 >= N - n - 1 frames,
whatever they are: that of g. By (A) it then gives the same for ever, so f(w, v) = f(u, v) = g(z(u), v) = g(z(w), v).
Both ends are analytic in w, v and the weights by (F), and agree on an open set: they agree everywhere, which is (*)
for J + 1. Lengths up to n + 1 are (E).  []

How many frames tell all? As few as (P) takes, about r over the numbers in a frame, and one more. What must come after them
is what (A) asks: two pasts that a right stream of r numbers tells apart at all it mostly tells apart within r frames.

What is checked, and what is assumed
------------------------------------
(E) and (L) are computed over a field, wrong with the probability of Theorem 1; in (C) a fresh variable takes the
    place of each number of z, and counters are watched as for Theorem 2. (P) is found on floats, by Newton's method:
    gradients, which are compared with differences, tell r singular values from zero with a margin of 1e-8, where what
    is rounded is 1e-15. (F) is read off the operations that were executed. (A) is assumed, and (F) of longer clips
    with it, N and n are said; it holds for the clip function of every stream of this memory that is right and whose z
    is told by what it emits.

A stream that counts in what it remembers of its frames, the first frame times 2^t beside the first frame, has numbers that
move together: it meets (P), or (L). A counter of its own violates (C). A line of 700 frames is r, and n, and too long. A
clip function that looks at the frame 300 frames ago, and at no other, violates (A).
"""

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
