"""Theorem 4: timings compose (`reference/timing.py`), and what a timing says is what exact arithmetic sees.

Setting
-------
A layer maps frames to frames. Its timing `(R, S, P, Q)` (receptive field, stride, padding at start and end) says: output
frame j depends on no input frame outside of `lower(j) ... upper(j)`, where `lower(j) = S j - P` and `upper(j) = S j + D`
with the delay `D = R - 1 - P`; frames below 0 or beyond the clip are padding; and T frames become
`L(T) = floor((T - 1 - D + Q) / S) + 1`.

Theorem 4
---------
(a) The timing of `second` after `first` is `R = R1 + (R2 - 1) S1`, `S = S1 S2`, `P = P1 + P2 S1`, `Q = Q1 + Q2 S1`, and
`D = D1 + D2 S1`. `then` is associative, and `Timing(1)` is its unit.

(b) The timing of two layers of the same stride side by side is that of the smallest interval around both. `beside` is
commutative, associative and idempotent, and `then` distributes over it from either side.

Proof. (a) Output j of the second depends on middle frames `lower2(j) ... upper2(j)`; since `lower1` and `upper1` do not
decrease, those depend on `lower1(lower2(j)) ... upper1(upper2(j))` alone. Both are affine functions of j:
`S1 (S2 j - P2) - P1 = S1 S2 j - (P1 + P2 S1)` and `S1 (S2 j + D2) + D1`. So P and D are as stated, and
`R = D + 1 + P = R1 + (D2 + P2) S1`. A timing is a pair of affine functions of the same slope, `then` composes both, and
composition is associative, with the identity as its unit. For lengths,
`floor((floor(u / S1) + v) / S2) = floor((u + v S1) / (S1 S2))` for whole v (Graham, Knuth & Patashnik, Concrete
mathematics, 3.11), with `u = T - 1 - D1 + Q1` and `v = Q2 - D2`: the length after both is
`floor((T - 1 - D1 - D2 S1 + Q1 + Q2 S1) / (S1 S2)) + 1`, as long as no length in between is cut off at zero.

(b) The smallest interval around both has `P = max(P_a, P_b)` and `D = max(D_a, D_b)`. A maximum is commutative, associative
and idempotent, and `max(u, v) + w = max(u + w, v + w)`; multiplied by S1 > 0 it stays one. Lengths depend on `D - Q`, of
which the larger is kept, again a maximum: the output is as long as the shorter one, and where both differ there is none.  []

A timing bounds what is seen: zero weights, dilations and strides skip frames inside of the interval. Its ends are seen by
every layer whose first and last taps are used, as long as the interval lies inside the clip, so R, P and D are as small as
they can be; nearer to the ends of the clip, padding of a layer inside may stand for frames of the clip.

Exact arithmetic decides what is seen, frame by frame: another variable in place of one frame, and every output frame either
has the residues it had, or not (`seen`). "Not" is certain, "as before" wrong with the probability of Theorem 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.reference.timing import Timing

Tensor = torch.Tensor


def lower(timing: Timing, j: int) -> float:
    """The oldest frame that output j may depend on; before frame 0: padding."""
    return -math.inf if math.isinf(timing.receptive_field) else timing.stride * j - timing.pad_start


def upper(timing: Timing, j: int) -> int:
    """The newest frame that output j may depend on."""
    return timing.stride * j + timing.delay


def seen(exact: Exact, module: Callable[[Tensor], Tensor], x: Tensor, other: Tensor, time: int = 2) -> list[set[int]]:
    """For every output frame, the input frames that it depends on; `x` and `other` are clips of different variables."""
    with exact.running():
        before = module(x)
        found: list[set[int]] = [set() for _ in range(before.shape[time])]
        for t in range(x.shape[time]):
            changed = x.clone()
            changed.select(time, t).copy_(other.select(time, t))
            same = exact.same(module(changed), before).movedim(time, 0).flatten(1).all(1)
            for j in range(len(found)):
                if not bool(same[j]):
                    found[j].add(t)
    return found


def may_see(timing: Timing, j: int, length: int) -> set[int]:
    """The frames of a clip of so many frames that output j may depend on."""
    return set(range(max(0, int(max(lower(timing, j), 0))), min(length - 1, upper(timing, j)) + 1))


def inside(timing: Timing, j: int, length: int) -> bool:
    """Whether all that output j may depend on lies inside the clip."""
    return lower(timing, j) >= 0 and upper(timing, j) < length
