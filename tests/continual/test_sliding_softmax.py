"""Sliding-window attention without inverses: equal to a softmax over the window, of finite memory, of linear cost."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from coequal.continual import sliding_softmax as aggregate
from coequal.reference.attention import scaled_dot_product_attention

WINDOWS = (1, 2, 7, 8, 9, 16, 19)
GROUPS, FEATURES = 2, 3


def tokens(length, seed, dtype=np.float64):
    """Queries, keys, values, each `(G, T, D)`."""
    return np.random.default_rng(seed).standard_normal((3, GROUPS, length, FEATURES)).astype(dtype)


def oldest_first(slots, t):
    """What step `t` emits, `(G, D, N)`, as tokens `(G, N, D)`."""
    return None if slots is None else slots.transpose(1, 2).roll(-((t + 1) % slots.shape[2]), 1)


def run(q, k, v, window):
    """Emissions with their rows oldest first, and the state after each step."""
    q, k, v = (torch.as_tensor(x) for x in (q, k, v))
    state, outputs = aggregate.begin(q[:, 0], window), []
    for t in range(q.shape[1]):
        slots, state = aggregate.step(q[:, t], k[:, t], v[:, t], state)
        outputs.append(oldest_first(slots, t))
    return outputs, state


def attention(_, q, k, v):
    return scaled_dot_product_attention(q, k, v, scale=1)


def roundings(window):
    """The longest sum, then for each merge two exponentials, a product and a sum, and one division."""
    chunks = -(-window // aggregate.CHUNK)
    return max(window, FEATURES) + 6 * (chunks + 2) + 1


@pytest.mark.parametrize("window", WINDOWS)
def test_every_emission_is_the_softmax_of_its_window(within, error_bound, window):
    length = 4 * window + 5
    q, k, v = tokens(length, window)
    outputs, _ = run(q, k, v, window)
    assert [output is None for output in outputs] == [t < window - 1 for t in range(length)]
    for t in range(window - 1, length):
        seen = [x[:, t - window + 1 : t + 1] for x in (q, k, v)]
        bound = error_bound(attention, {}, *seen) if t % 3 == 0 or window < 9 else None
        if bound is not None:
            within(outputs[t].numpy(), attention(None, *seen), bound, roundings(window))


@pytest.mark.parametrize("window", [1, 3, 8, 11])
@pytest.mark.parametrize("spoiler", [20.0, 1000.0, 1e8, float("nan")])
def test_nothing_is_left_of_what_has_left_the_window(window, spoiler):
    """The emissions have the very bits of a stream that never saw it: the state has finite memory, so nothing can drift.

    Both start at the same slot; after the first window, in which all queries are new at once, the state needs two windows to
    group its sums alike.
    """
    q, k, v = tokens(10 * window, window)
    for x in (q, k, v):
        x[:, window + window // 2] *= spoiler
    start = 3 * window
    long, _ = run(q, k, v, window)
    fresh, _ = run(q[:, start:], k[:, start:], v[:, start:], window)
    for late, early in zip(long[start + 3 * window :], fresh[3 * window :], strict=True):
        assert torch.equal(late, early)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [20.0, 1000.0, 1e6])
def test_an_outlier_does_not_overflow_and_leaves_with_its_window(within, error_bound, scale, dtype):
    window, at = 11, 17
    q, k, v = tokens(5 * window, 3, dtype)
    for x in (q, k, v):
        x[:, at] *= dtype(scale)
    outputs, _ = run(q, k, v, window)
    for t in range(window - 1, 5 * window):
        seen = [x[:, t - window + 1 : t + 1] for x in (q, k, v)]
        exact = [x.astype(np.float64) for x in seen]
        assert np.isfinite(outputs[t].numpy()).all()
        within(outputs[t].numpy(), attention(None, *exact), error_bound(attention, {}, *exact), roundings(window))


@pytest.mark.slow
def test_twenty_thousand_steps_leave_no_trace():
    window, length = 11, 11 * 1820
    q, k, v = tokens(length, 1, np.float32)
    with torch.no_grad():
        long, _ = run(q, k, v, window)
    start = length - 5 * window
    fresh, _ = run(q[:, start:], k[:, start:], v[:, start:], window)
    assert torch.equal(torch.stack(long[start + 3 * window :]), torch.stack(fresh[3 * window :]))


def gradients(_, q, k, v, g, window):
    """Of `sum_t g[t] . y[t]` to `q, k, v (T, D)`, `y[t]` the whole window that ends at `t`, `g (T, N, D)`."""
    total = [x * 0 for x in (q, k, v)]
    for t in range(window - 1, len(q)):
        now = slice(t - window + 1, t + 1)
        e = np.exp(q[now] @ k[now].T)
        w = e / e.sum(-1, keepdims=True)
        dw = g[t] @ v[now].T
        dx = w * (dw - (w * dw).sum(-1, keepdims=True))
        for one, part in zip(total, (dx @ k[now], dx.T @ q[now], w.T @ g[t]), strict=True):
            one[now] = one[now] + part
    return np.stack(total)


@pytest.mark.parametrize("window", [1, 3, 9])
def test_gradients_are_those_of_the_clip(within, error_bound, window):
    rng = np.random.default_rng(window)
    length = 3 * window + 2
    q, k, v = tokens(length, 5)[:, 0]
    g = rng.standard_normal((length, window, FEATURES))
    leaves = [torch.tensor(x[None], requires_grad=True) for x in (q, k, v)]
    outputs, _ = run(*leaves, window)
    sum((y[0] * torch.from_numpy(g[t])).sum() for t, y in enumerate(outputs) if y is not None).backward()
    got = np.stack([leaf.grad[0].numpy() for leaf in leaves])

    def function(_, q, k, v, g):
        return gradients(_, q, k, v, g, window)

    within(got, function(None, q, k, v, g), error_bound(function, {}, q, k, v, g), 4 * length + roundings(window))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_a_state_can_be_forked_and_saved(copied):
    q, k, v = (torch.from_numpy(x) for x in tokens(60, 7))
    for cut in (3, 9, 20, 31):
        _, state = run(q[:, :cut], k[:, :cut], v[:, :cut], 9)
        twin = copied(state)
        for t in range(cut, 60):
            one, state = aggregate.step(q[:, t], k[:, t], v[:, t], state)
            other = run(-q, k, v, 9)[0][0]  # an unrelated stream in between
            assert other is None
            two, twin = aggregate.step(q[:, t], k[:, t], v[:, t], twin)
            assert (one is None and two is None) or torch.equal(one, two)


def test_emissions_do_not_change_afterwards():
    outputs, _ = run(*tokens(40, 2), 9)
    kept = [y.clone() for y in outputs if y is not None]
    q, k, v = (torch.from_numpy(x) for x in tokens(40, 2))
    state, held = aggregate.begin(q[:, 0], 9), []
    for t in range(40):
        y, state = aggregate.step(q[:, t], k[:, t], v[:, t], state)
        held.append(oldest_first(y, t))
        for tensor in (q, k, v):
            tensor[:, t] = torch.nan  # the caller may overwrite what was fed
    assert all(torch.equal(a, b) for a, b in zip(kept, (y for y in held if y is not None), strict=True))


def test_a_state_made_in_inference_mode_can_be_used_outside():
    q, k, v = (torch.from_numpy(x) for x in tokens(30, 4))
    expected, _ = run(q, k, v, 9)
    with torch.inference_mode():
        _, state = run(q[:, :29], k[:, :29], v[:, :29], 9)
    y, _ = aggregate.step(q[:, 29], k[:, 29], v[:, 29], state)
    assert torch.equal(oldest_first(y, 29), expected[-1])


def cycle_macs(window):
    """Multiply-adds dispatched while the ring is written once, per feature and group."""
    q, k, v = (torch.from_numpy(x) for x in tokens(3 * window, 1))
    _, state = run(q[:, : 2 * window], k[:, : 2 * window], v[:, : 2 * window], window)
    with FlopCounterMode(display=False) as counter:
        for t in range(2 * window, 3 * window):
            _, state = aggregate.step(q[:, t], k[:, t], v[:, t], state)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("window", [16, 32, 64, 128])
def test_multiply_adds_are_those_of_the_docstring(window):
    """Scores take D a pair, sums D + 1 (the denominator is one of the features)."""
    D, chunk = FEATURES, aggregate.CHUNK
    scores = window + window + window + window  # new key, new query, the next chunk, the suffixes
    sums = (window - chunk) + chunk * window + window + window  # new query, active chunk, renewal, suffixes
    assert cycle_macs(window) == GROUPS * window * (scores * D + sums * (D + 1))
    assert cycle_macs(window) < GROUPS * window * (7 + chunk) * window * (D + 1)
