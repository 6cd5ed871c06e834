"""Theorem 5: all lengths at once, of a stream that remembers everything.

Setting
-------
As in Theorem 2: a stream is a memory `m`, counters `c`, `step(m, c, x) -> (m', c', emissions)`; it has no flush, or
one that gives nothing. A clip function maps T frames to T frames, `f_T(x)`. A *continuation* of it is a function
`C(x, s) -> (y, s')` of some frames and a state, of which `C(x, nothing)` is the beginning of a clip: an nn.GRU with
its hidden state, a scan with its last sum, an attention with decay with the matrix that it is recurrent in.

Premises, for numbers P (period) and n (frames)
-----------------------------------------------
(F) `f_T(x) = y` where `(y, s) = C(x, nothing)`, for every T.
(S) Splitting. `C(u v, s) = (y z, s'')` where `(y, s') = C(u, s)` and `(z, s'') = C(v, s')`, for every state s and all
    lengths.
(B) Beginning. The stream is right at each length 1, 2, ..., n + P. After n frames its memory is `m_n = p(s_n)`, where
    s_n is the state after the same frames, and p copies numbers of the state to places of the memory, or leaves in a
    place what depends on no frame.
(R) Step. For every state s, every frame x and each of the P phases of the counters: from memory `p(s)` the step emits
    `y` and leaves `p(s')`, where `(y, s') = C(x, s)`. What depends on no frame is the same after P steps as it was.
(C) Counters. From frame n on, step and flush use them only in remainders `c mod d`, where d divides what this counter
    grows by in P frames, and in comparisons with constants that it has passed.
(W) Closed world, as in Theorem 2.

Theorem 5. Then the stream is right at every length.

Proof. Let `s_t` be the state after t frames, `(y, s_t) = C(x_1 ... x_t, nothing)`. Claim: `m_t = p(s_t)` for t >= n.
For t = n it is (B). By (C) and (W) the step from frame t on is that of the phase `(t - n) mod P`, so by (R), for s =
s_t, it leaves `p(s')` with `(y, s') = C(x_{t+1}, s_t)`, and by (S) `s' = s_{t+1}`. Its emission is y, which by (S)
and (F) is frame t + 1 of the clip of every T > t. The first n frames were emitted as a stream of n frames would emit
them, so by (B) and (F), (S) they are those of every longer clip.  []

What is checked, and what is assumed
------------------------------------
(B) and (R) are comparisons over a field, wrong with the probability of Theorem 1; in (R) every number of the state is
    a fresh variable, and so is the frame: that stands for every memory, those that no stream can reach among them.
    (C) and (W) are checked as for Theorem 2. (F) and (S) are compared over the field at several lengths and places,
    (S) from a state of fresh variables, too, and assumed for all others. A continuation whose state holds anything
    but floats and None is not followed: what it does with whole numbers need not be the same for ever. Nor is a
    memory of which a tensor is only a part of a larger storage.

A stream that resets itself after 700 frames violates (C), one that holds a number more than the state (B), one that
forgets otherwise from another memory (R), a clip with a window that is longer than what was looked at (F): that is
why (F) is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

Tensor = torch.Tensor
Continuation = Callable[[Tensor, Any], tuple[Tensor, Any]]


def copied(state: Any, change: Callable[[Tensor], Tensor] = torch.clone) -> Any:
    """A state whose tensors are others: a continuation may write to those that it is given."""
    if isinstance(state, Tensor):
        return change(state)
    if isinstance(state, dict):
        return {key: copied(part, change) for key, part in state.items()}
    if isinstance(state, (list, tuple)):
        parts = [copied(part, change) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return state


def leaves(state: Any, path: str = "state") -> Iterator[tuple[str, Any]]:
    """The parts of a state that have none, each with its path."""
    if isinstance(state, dict):
        for key, part in state.items():
            yield from leaves(part, f"{path}[{key!r}]")
    elif isinstance(state, (list, tuple)):
        for i, part in enumerate(state):
            yield from leaves(part, f"{path}[{i}]")
    else:
        yield path, state


def in_parts(continuation: Continuation, head: Any, tail: Any, time: int, state: Any = None) -> tuple[Tensor, Any]:
    """What a continuation gives for frames that are fed in two parts; `time` is the time axis of its output."""
    first, between = continuation(head, copied(state))
    second, after = continuation(tail, between)
    return torch.cat([first, second], time), after
