"""Theorem 2: all lengths at once.

Setting
-------
A stream is a memory `m`, counters `c` (whole numbers that know of no data), `step(m, c, x) -> (m', c', emissions)` and
`flush(m, c) -> emissions`. How many frames a step emits depends on no data (over a field, a program that branches on data
is refused). `m_t, c_t` are memory and counters after t frames. A clip function maps T frames to `L(T)` frames, `f_T(x)_0
...`.

The stream is *right at length T* if its emissions in T steps and a flush are `f_T(x)`, all of them, in order, for every x.

Premises, for numbers R (frames that are remembered), P (period), n >= R, S (stride in time, S divides P)
----------------------------------------------------------------------------------------------------------
(M) Memory. After n frames it is a function of the last R frames alone, `m_n = g(x_{n-R+1} ... x_n)`.
(P) Period. After n + P frames it is the *same* function of its last R frames. Counters are as they were, or larger.
(C) Counters. From frame n on, step and flush use them only in remainders `c mod d`, where d divides what this counter
    grows by in P frames, and in comparisons with *constants* that it has passed, whose outcome cannot change any more (or
    with counters that grow as fast, from which it keeps its distance).
(E) Every length. The stream is right at each length 1, 2, ..., n + P.
(N) No head. Every frame that is emitted or flushed after step n stands for frames of the clip that begin at its first
    frame or later: its receptive field does not meet the start padding.
(A) The clip function treats all lengths alike, for T >= n. More frames u in front: `L(T + P) = L(T) + P / S`, and
    `f_{T+P}(u x)_{j + P/S} = f_T(x)_j` for all j that do not meet the start padding. More frames u at the end: `f_{T+q}(x
    u)_j = f_T(x)_j` for all j that the stream emits within T steps.
(W) Closed world. What the stream remembers is what was compared: nothing else that a step reads changes from frame to frame.
    *Memory* is everything that a step reads and that may change: contents, formats and layout of tensors and what shares
    their storage, numbers, and whatever functions, classes and globals hold that its code reads.

Theorem 2 (stream-equal). Then the stream is right at every length.

Proof. Write `a` for R frames and `b` for q of the P frames after them, 0 <= q <= P.

(i) For every k, `m_{n+kP} = g(last R frames)`. For k = 0 and 1 these are (M) and (P). A period of steps is a function G
of memory and P frames, and by (C) and (W) it is the same function from frame n + kP on as from frame n on. At n, `G(g(a),
b)` is the memory after n + P frames of which `a b` are the last, so it equals `g(last R of a b)` for *all* a and b: an
identity of functions. Put the last R frames before frame n + kP for a: the step from k to k + 1.

(ii) So what the stream does from frame n + kP on depends on `a` and what follows alone, and is for every k the same as
for k = 0: q steps emit `E_q(a, b)` and a flush after them `Z_q(a, b)`.

(iii) Numbers of frames. Let J be the number of frames emitted in the first n steps, and c in each period after (the same
by ii). A flush after n and after n + P frames emits the same number `|Z_0|`, so `L(n + P) - L(n) = c`, and by (A) `c = P
/ S`.

(iv) Let T = n + kP + q > n + P, x any T frames, y the last n + q of them. The stream fed y is right, by (E). What it
emits after its step n is `E_q(a, b)` and `Z_q(a, b)`, and it is, by (E), the frames `f_{n+q}(y)_j` for j >= J. By (ii)
the stream fed x emits the same frames after its step n + kP, by (iii) as numbers `j + k P / S`; and by (A), applied k
times, which (N) allows, they are `f_T(x)_{j + k P/S}`. There remain the frames that were emitted within the first n + kP
steps. By induction on T the stream is right at length n + kP < T (for k = 0 by E), so they are frames of `f_{n+kP}` of
the first n + kP frames, with the same numbers; by (A), second part, those of `f_T(x)`. For q = 0 take q = P and one k
less.  []

Theorem 3 (window-equal(N)). Let R = N, let (M), (P), (C), (W) hold, and let the emissions in steps N, ..., n + P be the
clip function of the last N frames. Then so are those of every later step.

Proof. By (i) and (ii) the emission in step n + kP + q is a function of `a` and `b` which at k = 0 is the clip function of
the last N frames of `a b`.  []

Neither (A) nor flush is needed: the clip function of a window is met at one length only.

First frames (attention sinks, a background). Where memory and clip depend on the first F frames s as well, for ever, let
the stream begin with what it remembers after s, and the clip function be `x -> f_{F+T}(s x)` without the frames that were
emitted within s. For each s these are a stream and a clip function as above, and (M), (P), (C), (E), (N), (A) are asked of
them, the frames of s being variables like all others: then they hold for all s, and so does Theorem 2.

All of this holds off the zeros of divisors, and of what must not be negative below a root: a null set, where those are no
piecewise functions (which are not cancelled, see `proofs/field/degree.py`).

What is checked, and what is assumed
------------------------------------
(M), (P) and (E) are comparisons over a field, wrong with the probability of Theorem 1. Two beginnings of fresh variables,
the same last R frames, equal memories: then the memory does not depend on the beginning. (C) is checked by tracing: a
watched number takes the place of every counter, through the P steps, and through a flush after each of them. (N) follows
where frames are emitted as soon as they can be and n >= R; for later streams n must be greater by what they are late. (A)
is assumed, and sampled at one shift. (W) is checked by walking all that the stream and its code can reach; what is not
understood there ends the induction, and a declared memory is assumed. A stream that violates (W) is `HiddenMemory` in the
tests, a clip that violates (A) `moody`.

R, n and P are found by a search that accepts the first candidate that fits. Each candidate could have been accepted wrongly,
with the probability of Theorem 1: the first draw counts as often as candidates were tried (union bound), later draws, which
check one candidate and every length again, once. What was compared in the first draw alone does not multiply.

Streams that remember everything (recurrence, growing caches) have no R: see Theorem 5 (`recurrence.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from coequal.proofs.field.torch_frontend.dispatch import Exact

Tensor = torch.Tensor
Clip = Callable[[Tensor], Tensor]  # (frames, features) to (frames, features)


class Machine(Protocol):
    """A stream whose memory and counter can be seen."""

    memory: list[Tensor]
    count: Any

    def step(self, frame: Tensor) -> list[Tensor]:
        """What it emits."""
        ...

    def flush(self) -> list[Tensor]:
        """What it still owes."""
        ...


@dataclass
class Tick:
    """A watched counter: remembers moduli, and numbers that it was compared with before it had passed them."""

    value: int
    moduli: set[int] = field(default_factory=set)
    ahead: set[int] = field(default_factory=set)

    def __add__(self, more: int) -> Tick:
        return Tick(self.value + more, self.moduli, self.ahead)

    def __mod__(self, modulus: int) -> int:
        self.moduli.add(modulus)
        return self.value % modulus

    def __ge__(self, other: int) -> bool:
        if self.value < other:
            self.ahead.add(other)
        return self.value >= other


@dataclass(frozen=True)
class Claim:
    """R, n, P: what the premises are checked for."""

    remembers: int
    start: int
    period: int


def violated(
    exact: Exact, make: Callable[[], Machine], clip: Clip, frames: Callable[[int], Tensor], claim: Claim
) -> set[str]:
    """Which of the premises M, P, C and E do not hold; call it inside `exact.running()`. `frames(n)` are fresh variables."""
    found = {name for name, holds in (("M", _memory), ("P", _period)) if not holds(exact, make, frames, claim)}
    found |= set() if _counters(make, frames, claim) else {"C"}
    lengths = range(1, claim.start + claim.period + 1)
    return found | (set() if all(right(exact, make, clip, frames(n)) for n in lengths) else {"E"})


def _fed(make: Callable[[], Machine], x: Tensor) -> Machine:
    machine = make()
    for frame in x:
        machine.step(frame)
    return machine


def _alike(exact: Exact, one: Machine, other: Machine) -> bool:
    return len(one.memory) == len(other.memory) and all(
        a.shape == b.shape and bool(exact.same(a, b).all()) for a, b in zip(one.memory, other.memory, strict=True)
    )


def _memory(exact: Exact, make: Callable[[], Machine], frames: Callable[[int], Tensor], claim: Claim) -> bool:
    last, before = frames(claim.remembers), claim.start - claim.remembers
    return _alike(exact, *(_fed(make, torch.cat([frames(before), last])) for _ in range(2)))


def _period(exact: Exact, make: Callable[[], Machine], frames: Callable[[int], Tensor], claim: Claim) -> bool:
    last, before = frames(claim.remembers), claim.start - claim.remembers
    return _alike(exact, *(_fed(make, torch.cat([frames(n), last])) for n in (before, before + claim.period)))


def _counters(make: Callable[[], Machine], frames: Callable[[int], Tensor], claim: Claim) -> bool:
    machine = _fed(make, frames(claim.start))
    machine.count = first = Tick(machine.count)
    _flushed(machine)
    for frame in frames(claim.period):
        machine.step(frame)
        _flushed(machine)
    grown = machine.count.value - first.value
    return not first.ahead and all(grown % modulus == 0 for modulus in first.moduli)


def _flushed(machine: Machine) -> None:
    """A flush, and on with the stream as if there had been none; what the counter saw is kept."""
    count, memory = machine.count, [m.clone() for m in machine.memory]
    machine.flush()
    machine.count, machine.memory = count, memory


def right(exact: Exact, make: Callable[[], Machine], clip: Clip, x: Tensor) -> bool:
    """Whether the stream is right at this length, flush included."""
    machine = make()
    emitted = [y for frame in x for y in machine.step(frame)] + machine.flush()
    expected = clip(x)
    if len(emitted) != len(expected):
        return False
    return all(bool(exact.same(y, z).all()) for y, z in zip(emitted, expected, strict=True))
