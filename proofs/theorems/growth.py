"""Theorem 6: all lengths at once, of a stream whose caches grow.

Setting
-------
As in Theorem 2: a stream is a memory `m`, counters `c`, `step(m, c, x) -> (m', c', y)`, and it has no flush. Its memory has
*lists*, tensors with an axis that is longer by the same number after each step; *windows*, tensors of one size whose
content moves on; and what stays as it is. A clip function maps T frames to T frames, and frame t of it does not depend on
later ones.

A *fold* over a list is made of: functions of each term and of what is no list; sums over terms, products of matrices that
add up over them, softmax, greatest and least over them; and arithmetic of what comes out. It takes the length of the list
and the number t of the frame only as *positions*: whole numbers that are shifted, scaled by constants, put in order
(0, 1, 2, ...), and then turned (cosine, sine, exponential), multiplied into data or added to it, or compared with one
another.

Premises, for numbers n (start) and N (frames)
----------------------------------------------
(L) Lists. A step leaves what a list held as it was, and adds to it.
(U) Uniform. From frame n on the step is one program, or one of P programs in turn: the same operations with the same
    arguments, but for sizes and positions, which grow evenly; and it is a fold. Remainders of positions are the same P
    steps later. Of a table of weights each step reads the rows behind those that the step before it read, and nobody
    reads it otherwise. Places in a list are counted from its beginning or its end, and are within it. Comparisons of
    positions are *settled*: a longer list has the same outcomes, counted from the beginning or the end, and more of those
    that the oldest term (or the newest) has. Python sees a size or a count only in comparisons with what it has passed.
(O) Order. Lists and windows can be ordered so that what a step adds to one depends on frames and on those before it
    alone; a window forgets what it held.
(A) The clip function treats all lengths alike: its last frame is a fold over its frames, in the same order.
(E) Every length. The stream is right at each length 1, 2, ..., N.
(D) N >= n + depth + P (sums + 2 degree), and P more where P > 1. `depth` counts the steps after which all windows have
    forgotten what they held, one after the other, `sums` the numbers that a step adds up over terms, and `degree` the
    factors that a number may have of positions, and of sums whose terms are not weighed by a softmax.
(W) Closed world, as in Theorem 2.

Theorem 6. Then the stream is right at every length.

Proof. Write both programs at length t as functions of the terms l_1 ... l_t and of t. (i) One fold. What it computes
is a function e(S_t, r^t) of the sums `S_t = a(l_1) + ... + a(l_t)` and of turned positions, with e and a the same for
every t >= n by (U). Let Z_t be the Zariski closure of all values of S_t, irreducible as an image of a product. Since
`Z_t + a(l)` lies in Z_{t+1}, dimensions do not fall; where two follow that are the same, `Z_{t+1} = Z_t + a(l)` for
every term l, and so for ever. The dimension is at most `sums`, so it stands still from some t_0 <= n + sums on, and
from there on Z_t is Z_{t_0} moved by (t - t_0) a(l). Where terms are weighed by exponentials, which are free, Z_t
contains Z_{t-1}, and does not move; elsewhere a sum may hold a number of terms, as `sum x + sum (1 - x)` does. (ii)
The difference of stream and clip is, on Z_t, a rational function whose coefficients are polynomials of positions, of
numbers of terms and of what was turned, r^t: a sequence in t with a linear recurrence of order at most 2 degree. By
(E) it vanishes for t_0 <= t <= N, more numbers than its order by (D); so it vanishes for all t. (iii) Free functions
of such values: two programs agree only where their arguments do, and for those (i) and (ii) hold as they do for the
outputs. (iv) Several lists. In the order of (O), terms of the first are functions of a frame and its position; they
are arbitrary. Those of a later one are functions of a frame, and of sums over earlier lists; by (i) all but the first
t_0 of them are arbitrary points of one set, the first ones are fixed and add one vector to the sums. So (i) holds for
the next list with t_0 larger by its own number of sums, and `sums` counts all of them. Windows are functions of the
last terms, by (O), once they are full: those that read others are full after all of these. A stream may have windows
alone. (v) Rows of a table that is drawn are variables of their own, one for each frame: they are part of the frames, and
for streams that end before the table all of the above holds. (vi) P programs in turn are P sequences, t = n + i, n + i + P,
..., for each of which it holds: numbers in a ring have another place in each, and the same one in all steps of one.  []

What is checked, and what is assumed
------------------------------------
(E) is compared over a field, wrong with the probability of Theorem 1, and so is one longer stream. (L), (O) and (U)
are looked at on floats, bit by bit: three steps in a row are recorded as torch's dispatcher sees them and laid side
by side, with three sets of frames; an operation that is not known to be a fold ends the induction. In (U) sizes that
Python asks for are watched numbers. (O) is looked at by writing other numbers to one place of the memory at a time.
(W) is walked, or declared; besides, every tensor that a step reads must be a frame, a place of the memory, or the
same tensor, unwritten, in all three steps. (A) is assumed.

A stream that keeps its last 700 terms of a list violates (U): it asks for the size, or cuts at a place not reached yet.
One that forgets its oldest terms violates (L), one whose weight is a function of t of its own (U), and one that only
goes wrong where more terms than features are summed up is met by (D).
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def settled(differences: list[Tensor], axis: int | None) -> bool:
    """Whether comparisons have the same outcomes for ever.

    Args:
        differences: Of both sides, whole numbers, at three lengths that follow one another.
        axis: Along which they are longer each time; None: they have the same shape.
    """
    first, second, third = differences
    if axis is None:
        growth = second - first
        return bool(torch.equal(growth, third - second)) and bool(_away(first, growth).all())
    rows = [d.movedim(axis, -1) for d in differences]
    if any(row.shape[-1] < 2 or not row.numel() for row in rows):
        return False
    between = [row.diff(dim=-1) for row in rows]
    step = between[0][..., :1]
    if not all(bool((gap == step).all()) for gap in between):
        return False
    ends = [(row[..., 0], row[..., -1]) for row in rows]
    oldest, newest = (b - a for a, b in zip(ends[0], ends[1], strict=True))
    if not all(torch.equal(c - b, g) for b, c, g in zip(ends[1], ends[2], (oldest, newest), strict=True)):
        return False
    fixed = _away(ends[0][0], oldest) & _away(ends[0][1], newest)
    both = (oldest != 0) & (newest != 0)
    return bool((fixed & (~both | (oldest.sign() == newest.sign()))).all())


def _away(value: Tensor, growth: Tensor) -> Tensor:
    """Whether it stays, or goes further away from zero on the side where it is."""
    return (growth == 0) | ((value != 0) & (value.sign() == growth.sign()))
