"""Streaming attention against the reference on clips, against torch.nn.MultiheadAttention, and by its cost."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from coequal.continual.attention import (
    MODES,
    CausalMultiheadAttention,
    RetroactiveMultiheadAttention,
    SingleOutputMultiheadAttention,
    SlidingMultiheadAttention,
    attention_of,
)
from coequal.continual.module import Continual
from coequal.continual.sliding_softmax import CHUNK
from coequal.reference.attention import MultiheadAttention

CASES = [  # class, window
    (CausalMultiheadAttention, None),
    (SlidingMultiheadAttention, 1),
    (SlidingMultiheadAttention, 4),
    (SingleOutputMultiheadAttention, 1),
    (SingleOutputMultiheadAttention, 5),
    (RetroactiveMultiheadAttention, 1),
    (RetroactiveMultiheadAttention, 6),
    (RetroactiveMultiheadAttention, 10),
]


def drawn(cls, window, *, heads=2, embed_dim=4, bias=True, seed=0, dtype=torch.float64):
    """A module with random parameters, biases included, and the reference's layer."""
    torch.manual_seed(seed)
    module = cls(embed_dim, heads, bias=bias, window=window, dtype=dtype).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module, MultiheadAttention(embed_dim, heads, bias, mode=cls.mode, window=window)


def arrays(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def clip_of(length, seed=1, batch=2, embed_dim=4):
    return np.random.default_rng(seed).standard_normal((batch, length, embed_dim))


def stream(module, clip):
    """The emission after each frame."""
    state, outputs = module.start(clip[:, 0]), []
    for frame in clip.unbind(1):
        output, state = module.step(frame, state)
        outputs.append(output)
    assert module.flush(state) == []
    return outputs


def roundings(layer, length):
    """The longest sum; then, of a retroactive step, six for each merge and one for the quotient."""
    merges = 3 + (layer.window or 0) // CHUNK
    return 4 + max(layer.embed_dim, length) + 6 * merges + 1


@pytest.mark.parametrize(("heads", "bias"), [(1, True), (2, False), (4, True)])
@pytest.mark.parametrize(("cls", "window"), CASES)
def test_stream_is_reference(within, error_bound, cls, window, heads, bias):
    module, layer = drawn(cls, window, heads=heads, bias=bias)
    length = 3 * (window or 7) + 2
    clip, parameters = clip_of(length), arrays(module)
    outputs = stream(module, torch.from_numpy(clip))
    first = 0 if module.emits == "frames" else window - 1
    assert [output is None for output in outputs] == [t < first for t in range(length)]
    got = torch.stack(outputs[first:], 1).detach().numpy()
    if module.emits != "window":
        within(got, layer(parameters, clip), error_bound(layer, parameters, clip), roundings(layer, length))
        return
    for t in range(first, length):
        seen = clip[:, t - first : t + 1]
        within(got[:, t - first], layer(parameters, seen), error_bound(layer, parameters, seen), roundings(layer, length))


@pytest.mark.parametrize(("cls", "window"), CASES)
def test_forward_is_reference_and_torch(within, error_bound, cls, window):
    module, layer = drawn(cls, window)
    clip, parameters = clip_of(11), arrays(module)
    bound, got = error_bound(layer, parameters, clip), module(torch.from_numpy(clip)).detach().numpy()
    within(got, layer(parameters, clip), bound, roundings(layer, 11))
    twin = torch.nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64)
    twin.load_state_dict(module.state_dict())
    i, j = torch.meshgrid(torch.arange(11), torch.arange(11), indexing="ij")
    past = (j > i) | (j <= i - (window or 11))
    mask = None if cls is RetroactiveMultiheadAttention else past
    x = torch.from_numpy(clip)
    expected = twin(x, x, x, attn_mask=mask)[0].detach().numpy()
    within(got, expected[:, 11 - got.shape[1] :], bound, roundings(layer, 11))


def test_clips_shorter_than_the_window():
    module, _ = drawn(SingleOutputMultiheadAttention, 5)
    assert module(torch.zeros(2, 4, 4, dtype=torch.float64)).shape == (2, 0, 4)
    assert stream(module, torch.zeros(2, 4, 4, dtype=torch.float64)) == [None] * 4


@pytest.mark.parametrize(("cls", "window"), CASES)
def test_timing_names_and_protocol(cls, window):
    module, layer = drawn(cls, window)
    assert isinstance(module, Continual)
    assert isinstance(module, torch.nn.MultiheadAttention)
    assert module.timing == layer.timing
    assert module.time == layer.time == 1
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    assert MODES[cls.mode] is attention_of(cls.mode) is cls


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("row", [0, 2, 4])
def test_last_of_a_new_window_without_projecting_it(within, error_bound, row, bias):
    module, layer = drawn(SingleOutputMultiheadAttention, 5, bias=bias)
    clip, parameters = clip_of(5), arrays(module)
    rotated = np.roll(clip, row - 4, axis=1)  # the last token stands in `row`
    expected, bound = layer(parameters, clip)[:, 0], error_bound(layer, parameters, clip)[:, 0]
    within(module.last(torch.from_numpy(rotated), row).detach().numpy(), expected, bound, 2 * roundings(layer, 5))


def derivative(parameters, x, g, heads, seen):
    """Of `sum g . attention(x)` to the tokens `x (T, E)` and to `in_proj_weight`, by the chain rule; `seen` is 0 or 1."""
    weight, features = np.split(parameters["in_proj_weight"], 3), x.shape[1] // heads
    q, k, v = (x @ w.T + b for w, b in zip(weight, np.split(parameters["in_proj_bias"], 3), strict=True))
    scale, dy = 1 / np.sqrt(features), g @ parameters["out_proj.weight"]
    dq, dk, dv = x * 0, x * 0, x * 0
    for head in range(heads):
        at = np.s_[:, head * features : (head + 1) * features]
        e = np.exp(q[at] @ k[at].T * scale) * seen
        w = e / e.sum(-1, keepdims=True)
        dw = dy[at] @ v[at].T
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * scale
        dq[at], dk[at], dv[at] = ds @ k[at], ds.T @ q[at], w.T @ dy[at]
    frames = sum(d @ w for d, w in zip((dq, dk, dv), weight, strict=True))
    return np.concatenate([frames, dq.T @ x, dk.T @ x, dv.T @ x])


@pytest.mark.parametrize(("cls", "window"), CASES)
def test_gradients_of_the_stream_are_those_of_the_clip(within, error_bound, cls, window):
    """Of one random weighting of all emissions together, with respect to every frame and the projections."""
    module, layer = drawn(cls, window)
    length = 2 * (window or 4) + 3
    clip, parameters = clip_of(length, batch=1), arrays(module)
    i, j = np.indices((length, length))
    parts = [(slice(None), (j <= i) & (j > i - (window or length)))]
    if module.emits == "window":
        parts = [(slice(t, t + window), np.full((window, window), True)) for t in range(length - window + 1)]
    g = [np.random.default_rng(3 + k).standard_normal(clip[0, part].shape) for k, (part, _) in enumerate(parts)]
    if module.emits == "last":
        g[0][: window - 1] = 0

    def function(parameters, x):
        total = np.concatenate([x, x[:1].repeat(12, 0)]) * 0
        for (part, seen), weighting in zip(parts, g, strict=True):
            one = derivative(parameters, x[part], weighting, 2, seen * 1)
            rows = len(one) - 12
            total[:length][part] = total[:length][part] + one[:rows]
            total[length:] = total[length:] + one[rows:]
        return total

    x = torch.tensor(clip, requires_grad=True)
    outputs = [y[0] for y in stream(module, x) if y is not None]
    weightings = g if module.emits == "window" else g[0][-len(outputs) :]
    loss = sum((y * torch.from_numpy(w)).sum() for y, w in zip(outputs, weightings, strict=True))
    got = np.concatenate([d.reshape(-1, 4).numpy() for d in torch.autograd.grad(loss, [x, module.in_proj_weight])])
    bound = error_bound(function, parameters, clip[0])
    within(got, function(parameters, clip[0]), bound, 2 * length + roundings(layer, length))


@pytest.mark.parametrize(("cls", "window"), CASES)
def test_batch_elements_do_not_meet(cls, window):
    module, _ = drawn(cls, window)
    clip = torch.from_numpy(clip_of(19))
    spoilt = clip.clone()
    spoilt[1, 7] = torch.nan
    for one, other in zip(stream(module, clip), stream(module, spoilt), strict=True):
        assert (one is None and other is None) or torch.equal(one[0], other[0])


@pytest.mark.parametrize(("cls", "window"), CASES)
@pytest.mark.parametrize("grad", [True, False])
def test_emissions_are_nobody_elses_memory(cls, window, grad):
    module, _ = drawn(cls, window)
    clip = torch.from_numpy(clip_of(40))
    with torch.set_grad_enabled(grad):
        expected = [None if y is None else y.clone() for y in stream(module, clip)]
        state, held = module.start(clip[:, 0]), []
        for t in range(40):
            frame = clip[:, t].clone()
            y, state = module.step(frame, state)
            frame.fill_(torch.nan)
            held.append(y)
            if y is not None and t % 5 == 0:  # what the caller does to an emission does not reach the stream
                held[-1] = y.clone()
                y.data.fill_(torch.nan)
        assert all(a is b or torch.equal(a, b) for a, b in zip(expected, held, strict=True))


@pytest.mark.parametrize(("cls", "window"), CASES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_modules_and_states_can_be_copied(cls, window, copied):
    module, _ = drawn(cls, window)
    clip = torch.from_numpy(clip_of(40))
    with torch.no_grad():
        expected = stream(module, clip)
        state = module.start(clip[:, 0])
        for t in range(17):
            _, state = module.step(clip[:, t], state)
        twin, fork = copied(module), copied(state)
        for t in range(17, 40):
            module.step(clip[:, 3], state)  # the original goes another way
            y, fork = twin.step(clip[:, t], fork)
            assert y is expected[t] or torch.equal(y, expected[t])


def macs(module, steps, before, embed_dim):
    """Multiply-adds of matrix products that `steps` steps dispatch after `before` steps."""
    clip = torch.randn(1, before + steps, embed_dim, dtype=torch.float64)
    with torch.no_grad():
        state = module.start(clip[:, 0])
        for t in range(before):
            _, state = module.step(clip[:, t], state)
        with FlopCounterMode(display=False) as counter:
            for t in range(before, before + steps):
                _, state = module.step(clip[:, t], state)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("heads", [1, 4])
def test_multiply_adds_are_those_of_the_table(heads):
    E, N = 8, 32
    for cls in (SlidingMultiheadAttention, SingleOutputMultiheadAttention):
        module, _ = drawn(cls, N, heads=heads, embed_dim=E)
        assert macs(module, 1, N, E) == 4 * E * E + 2 * N * E
    module, _ = drawn(CausalMultiheadAttention, None, heads=heads, embed_dim=E)
    assert macs(module, 1, 40, E) == 4 * E * E + 2 * 41 * E
    module, _ = drawn(RetroactiveMultiheadAttention, N, heads=heads, embed_dim=E)
    denominators = ((3 + CHUNK) * N - CHUNK) * heads  # sums of values carry the denominator too
    assert macs(module, N, 2 * N, E) == N * (3 * E * E + N * E * E + (7 + CHUNK) * N * E - CHUNK * E + denominators)


def test_twin_shares_parameters_and_leaves_the_original_alone():
    original = torch.nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64).eval()
    twin = SlidingMultiheadAttention.of(original, 3)
    assert all(a is b for a, b in zip(original.parameters(), twin.parameters(), strict=True))
    assert not twin.training
    twin.train()
    twin.out_proj.requires_grad_(True)
    twin.register_forward_hook(lambda *_: None)
    twin.out_proj.bias = torch.nn.Parameter(torch.ones(4))
    assert type(original) is torch.nn.MultiheadAttention
    assert not original.training
    assert not original.out_proj.training
    assert not original._forward_hooks
    assert original.out_proj.bias is not twin.out_proj.bias
    assert not hasattr(original, "window")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SlidingMultiheadAttention(4, 2), "SlidingMultiheadAttention: its window is not given; give a window, the"),
        (lambda: SingleOutputMultiheadAttention(4, 2, window=0), "window is in frames and at least 1, got 0"),
        (lambda: CausalMultiheadAttention(4, 2, window=3), "has no window; use mode 'sliding' for the last `window` frames"),
        (lambda: RetroactiveMultiheadAttention(4, 2, window=3, kdim=5), "embed_dim = 4 features, got kdim 5, vdim 4; leave"),
        (lambda: CausalMultiheadAttention(4, 2, add_bias_kv=True), "add_bias_kv and add_zero_attn are not supported; leave"),
        (lambda: CausalMultiheadAttention(4, 2, add_zero_attn=True), "add_bias_kv and add_zero_attn are not supported"),
        (
            lambda: CausalMultiheadAttention(4, 2, batch_first=False),
            "tokens must be (B, T, E); build it with batch_first=True",
        ),
        (
            lambda: CausalMultiheadAttention.of(torch.nn.MultiheadAttention(4, 2)),
            "CausalMultiheadAttention: tokens must be (B, T, E); build it with batch_first=True",
        ),
        (lambda: attention_of("whole"), "'sliding', got 'whole'"),
    ],
)
def test_refusals_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_errors_say_what_was_expected():
    module, _ = drawn(SlidingMultiheadAttention, 3)
    with pytest.raises(ValueError, match=re.escape("a clip (B, T, E) with E = embed_dim = 4, got (2, 3, 5)")):
        module(torch.zeros(2, 3, 5))
    frame = torch.zeros(2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match=re.escape("a frame (B, E) with E = embed_dim = 4, got (2, 1, 4)")):
        module.step(frame[:, None], module.start(frame))
    module = SlidingMultiheadAttention(4, 2, 0.5, window=3)
    for run in (lambda: module(torch.zeros(2, 3, 4)), lambda: module.step(torch.zeros(2, 4), {})):
        with pytest.raises(RuntimeError, match=r"dropout 0\.5 draws other weights in every step; call eval"):
            run()
