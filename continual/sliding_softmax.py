"""Softmax attention of the last `N` queries to the last `N` keys, one token at a time, without ever subtracting.

A step brings one query and one key, and takes the oldest of both away. Undoing the oldest key by subtraction leaves rounding
errors behind, and an overflow for ever; here every sum is only ever built up. The aggregate of a query over a set of keys is

    top = max_j x_j        mixed = sum_j exp(x_j - top) [v_j, 1]        x_j = q . k_j / sqrt(D)

(the `1` appended to the values makes the last feature the denominator), and two sets merge associatively:

    merge((m, a), (n, b)) = (h, a exp(m - h) + b exp(n - h)),   h = max(m, n)

Slots. Token `t` lives in slot `t mod N` of a ring, which is cut into chunks of `CHUNK` slots. The *active* chunk holds the
slot written now; its keys are few and always attended to directly. For the others every query `i` has

    suffix[c][i]   keys of the chunks after `c`, up to and including its own: built once, when its chunk is complete
    renewed[i]     keys of the chunks completed since: only ever grows
    rest[i]        merge(suffix[active][i], renewed[i]): all keys outside the active chunk, merged once a chunk

so that a step merges `rest` with the active chunk. Multiply-adds a step, all heads together, queries and keys of E features:
new key 1 N E, new query 2 N E, active chunk CHUNK N E, and amortised over a chunk its renewal 2 N E and the suffixes 2 N E,
together (7 + CHUNK) N E, where N is rounded up to whole chunks. Memory: N / CHUNK + 7 times N E numbers. The step that
completes a chunk does 4 CHUNK N E more than the others, and the first whole window 2 N^2 E once; no other step is slower.

Layout. The ring is the last axis, `(G, features, N)` with `G` = batch times heads: whatever is done to all queries runs
along contiguous memory, and the result is `(B, E, N)` without moving anything.

Sources: online softmax: Milakov & Gimelshein, 2018; windows without inverses: Tangwongsan, Hirzel & Schneider, "Low-latency
sliding-window aggregation in worst-case constant time", DEBS 2017; what is computed: Hedegaard, Bakhtiarnia & Iosifidis,
"Continual Transformers", ICLR 2023, section 3.2 (which subtracts).
"""

from __future__ import annotations

from typing import Any

import torch

Tensor = torch.Tensor
Aggregate = tuple[Tensor, Tensor]  # top (G, 1, L), mixed (G, D + 1, L)
State = dict[str, Any]

CHUNK = 8  # slots: fewer cost more memory (N / CHUNK suffixes), more cost more multiply-adds (CHUNK N E)


def put(buffer: Tensor, where: tuple[Any, ...], value: Tensor) -> Tensor:
    """`buffer[where] = value`: in place unless autograd needs the old contents, or the buffer may not be written to."""
    frozen = buffer.is_inference() and not torch.is_inference_mode_enabled()
    if frozen or (torch.is_grad_enabled() and (buffer.requires_grad or value.requires_grad)):
        buffer = buffer.clone()
    buffer[where].copy_(value)
    return buffer


def aggregate(scores: Tensor, values: Tensor) -> Aggregate:
    """Queries over keys: scores `(G, K, L)`, augmented values `(G, D + 1, K)`."""
    top = highest(scores)
    return top, torch.bmm(values, torch.exp(scores - top))


def highest(scores: Tensor) -> Tensor:
    """The largest score of each query, `(..., K, L) -> (..., 1, L)`; without gradient, since any `top` gives the same."""
    top = scores.amax(-2, keepdim=True)
    return top.detach() if top.requires_grad else top


def merge(one: Aggregate, other: Aggregate) -> Aggregate:
    """The aggregate over the union of two disjoint sets of keys."""
    top = torch.maximum(one[0], other[0])
    return top, torch.addcmul(one[1] * torch.exp(one[0] - top), other[1], torch.exp(other[0] - top))


def begin(like: Tensor, window: int) -> State:
    """State of a stream that has seen nothing; `like (G, D)` is a query.

    Keys and values are kept twice, one after the other: any run of slots in cyclic order is then a plain slice. Slots that
    round the window up to whole chunks are dead: `bias` takes their scores to the smallest number there is.
    """
    groups, features = like.shape
    chunk = min(CHUNK, window)
    slots = -(-window // chunk) * chunk
    bias = like.new_zeros((1, 1, 2 * slots))
    bias.view(2, slots)[:, window:] = torch.finfo(like.dtype).min
    return {
        "seen": 0,
        "chunk": chunk,
        "bias": bias,
        "queries": like.new_zeros((groups, features, window)),
        "keys": like.new_zeros((groups, features, 2 * slots)),
        "values": like.new_ones((groups, features + 1, 2 * slots)),
    }


def step(query: Tensor, key: Tensor, value: Tensor, state: State) -> tuple[Tensor | None, State]:
    """One token `(G, D)`, the query already scaled; out `(G, D, N)` in the order of the slots, None before `N` tokens."""
    query, key, value = query.unsqueeze(-1), key.unsqueeze(-1), value.unsqueeze(-1)
    window, chunk, seen = state["queries"].shape[2], state["chunk"], state["seen"] + 1
    slot = (seen - 1) % window
    state["seen"] = seen
    state["queries"] = put(state["queries"], (..., slice(slot, slot + 1)), query)
    twice = slice(slot, None, state["keys"].shape[2] // 2)
    state["keys"] = put(state["keys"], (..., twice), key)
    state["values"] = put(state["values"], (slice(None), slice(value.shape[1]), twice), value)
    if seen < window:
        return None, state
    if seen == window:
        _prime(state)
    else:
        _enter(query, key, slot, state)
        if slot % chunk == chunk - 1 or slot == window - 1:
            _renew(slot - slot % chunk, slot + 1, state)
    return _emit(state), state


def _emit(state: State) -> Tensor:
    """Every query over the active chunk and the rest. `scores (G, 1 + chunk, N)` holds the top of the rest in front."""
    scores, first = state["scores"], state["active"]
    weights = torch.exp(scores - highest(scores))
    active = state["values"][..., first : first + state["chunk"]]
    mixed = torch.addcmul(torch.bmm(active, weights[:, 1:]), state["rest"], weights[:, :1])
    return mixed[:, :-1] / mixed[:, -1:]


def _prime(state: State) -> None:
    """The first whole window: every query is new, chunk 0 becomes active."""
    (groups, _, window), values = state["queries"].shape, state["values"]
    chunks = values.shape[2] // 2 // state["chunk"]
    state["tops"] = values.new_empty((groups, chunks, window))
    state["suffixes"] = values.new_empty((groups, chunks, values.shape[1], window))
    lowest = torch.finfo(values.dtype).min  # not minus infinity: infinity less infinity is not a number
    state["renewed"] = values.new_full((groups, 1, window), lowest), values.new_zeros((groups, values.shape[1], window))
    _stack(0, window, 0, state)
    _activate(0, state)


def _enter(query: Tensor, key: Tensor, slot: int, state: State) -> None:
    """A key is written into the active chunk: all queries meet it. A query is: it meets all keys."""
    first, chunk = state["active"], state["chunk"]
    slots, row = state["keys"].shape[2] // 2, slot - first + 1
    scores = put(state["scores"], (slice(None), slice(row, row + 1)), torch.bmm(key.transpose(1, 2), state["queries"]))
    met = torch.bmm(query.transpose(1, 2), state["keys"][..., first : first + slots])  # (G, 1, slots)
    if slots > state["queries"].shape[2]:
        met = met + state["bias"][..., first : first + slots]
    if chunk < slots:
        others = met[..., chunk:]
        top = others.amax(-1, keepdim=True).detach()
        rest = torch.bmm(torch.exp(others - top), state["values"][..., first + chunk : first + slots].transpose(1, 2))
        state["rest"] = put(state["rest"], (..., slot), rest.squeeze(1))
        met = torch.cat([top, met[..., :chunk]], 2)
        state["scores"] = put(scores, (..., slot), met.squeeze(1))
    else:
        state["scores"] = put(scores, (slice(None), slice(1, None), slot), met.squeeze(1))


def _scores(queries: Tensor, first: int, length: int, state: State) -> Tensor:
    """`(G, length, L)`: queries over the slots from `first` on, cyclically."""
    run = slice(first, first + length)
    return torch.baddbmm(state["bias"][..., run].transpose(1, 2), state["keys"][..., run].transpose(1, 2), queries)


def _renew(low: int, high: int, state: State) -> None:
    """The active chunk is complete: it joins what older queries have seen renewed; its own queries get their suffixes."""
    rows, chunk = (..., slice(low, high)), state["chunk"]
    renewed = merge(state["renewed"], aggregate(state["scores"][:, 1:], state["values"][..., low : low + chunk]))
    lowest = renewed[0].new_full((), torch.finfo(renewed[0].dtype).min)
    state["renewed"] = put(renewed[0], rows, lowest), put(renewed[1], rows, torch.zeros_like(lowest))
    first = (low + chunk) % (state["keys"].shape[2] // 2)
    _stack(low, high, first, state)
    _activate(first, state)


def _activate(first: int, state: State) -> None:
    """The chunk that starts at `first` is the next one to be overwritten."""
    which = first // state["chunk"]
    state["active"] = first
    top, state["rest"] = merge((state["tops"][:, which : which + 1], state["suffixes"][:, which]), state["renewed"])
    state["scores"] = torch.cat([top, _scores(state["queries"], first, state["chunk"], state)], 1)


def _stack(low: int, high: int, first: int, state: State) -> None:
    """Suffixes of the queries in slots `low ... high - 1` over the chunks in cyclic order from slot `first`."""
    chunk, slots, rows = state["chunk"], state["keys"].shape[2] // 2, (..., slice(low, high))
    scores = _scores(state["queries"][rows], first, slots, state).unflatten(1, (-1, chunk))  # (G, chunks, chunk, L)
    tops = highest(scores)  # (G, chunks, 1, L)
    values = state["values"][..., first : first + slots].unflatten(2, (-1, chunk)).transpose(1, 2)
    mixed = values @ torch.exp(scores - tops)  # (G, chunks, D + 1, L)
    onwards = tops.flip(1).cummax(1).values.flip(1)  # over this chunk and all later ones
    after = torch.nn.functional.pad(onwards[:, 1:], (0, 0, 0, 0, 0, 1), value=torch.finfo(tops.dtype).min)
    kept, joined = (torch.exp(part - onwards) for part in (after, tops))
    state["tops"] = put(state["tops"], rows, after.squeeze(2).roll(first // chunk, 1))
    by_chunk = (mixed * joined).unbind(1)
    suffixes = [torch.zeros_like(by_chunk[0])]
    for one, factor in zip(by_chunk[:0:-1], kept.unbind(1)[:0:-1], strict=True):
        suffixes.append(torch.addcmul(one, suffixes[-1], factor))
    in_order = torch.stack(suffixes[::-1], 1).roll(first // chunk, 1)  # by chunk, no longer by age
    state["suffixes"] = put(state["suffixes"], rows, in_order)
