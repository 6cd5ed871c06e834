"""Attention against its loops, torch.nn.functional and torch.nn.MultiheadAttention, with every kind of mask."""

import math

import numpy as np
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from coequal.reference.attention import (
    MultiheadAttention,
    inverse_sqrt,
    minus_infinity,
    multihead_attention_loops,
    scaled_dot_product_attention,
    scaled_dot_product_attention_loops,
    structure,
)
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def masks(draw, rng, shape):
    """None, boolean (True takes part; some rows may see nothing), or additive with some -inf."""
    kind = draw(st.sampled_from([None, "boolean", "additive", "blind"]))
    event(f"mask {kind}")
    seen = rng.random(shape) < (0.3 if kind == "blind" else 0.7)
    if kind == "blind":
        seen[..., 0, :] = False
    if kind == "additive":
        return np.where(seen, rng.standard_normal(shape), -np.inf)
    return None if kind is None else seen


@st.composite
def triples(draw):
    """Queries, keys, values with batch and heads, and a mask."""
    rng = np.random.default_rng(draw(SEEDS))
    leading = tuple(draw(st.lists(st.integers(1, 2), max_size=2)))
    L, S, E = (draw(st.integers(1, 4)) for _ in range(3))
    q, k = rng.standard_normal((*leading, L, E)), rng.standard_normal((*leading, S, E))
    return q, k, rng.standard_normal((*leading, S, draw(st.integers(1, 3)))), draw(masks(rng, (*leading, L, S)))


def tensors(*arrays):
    return [None if array is None else torch.from_numpy(array) for array in arrays]


@given(triples(), st.booleans(), st.sampled_from([None, 0.5]))
def test_scaled_dot_product_attention_is_torch(within, error_bound, case, causal, scale):
    """torch takes a mask or `is_causal`, not both: both together are given to it as one mask."""
    q, k, v, mask = case
    both = mask
    if causal and mask is not None:
        below = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
        both = mask & below if mask.dtype == bool else np.where(below, mask, -np.inf)
    options = {"is_causal": causal and mask is None, "scale": scale}
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors(q, k, v, both), **options).numpy()

    def function(_, q, k, v):
        return scaled_dot_product_attention(q, k, v, mask, causal=causal, scale=scale)

    # torch multiplies both factors by the square root of the scale: three roundings of a score where ours has one
    within(function({}, q, k, v), expected, error_bound(function, {}, q, k, v), 3 + max(q.shape[-1], k.shape[-2]))


@given(triples())
def test_vectorised_is_loops(within, error_bound, case):
    q, k, v, mask = case
    additive = np.zeros((*q.shape[:-1], k.shape[-2])) if mask is None else mask
    additive = minus_infinity(~additive) if additive.dtype == bool else additive
    loops = np.empty((*q.shape[:-1], v.shape[-1]))
    for index in np.ndindex(q.shape[:-2]):
        scale = inverse_sqrt(q.shape[-1], q)
        loops[index] = scaled_dot_product_attention_loops(q[index], k[index], v[index], additive[index], scale)

    def function(_, q, k, v):
        return scaled_dot_product_attention(q, k, v, mask)

    within(function({}, q, k, v), loops, error_bound(function, {}, q, k, v), max(q.shape[-1], k.shape[-2]))


@given(triples())
def test_a_query_that_sees_nothing_gives_zeros(within, error_bound, case):
    q, k, v, _ = case
    mask = np.full((q.shape[-2], k.shape[-2]), True)
    mask[0] = False
    expected = scaled_dot_product_attention(q, k, v)
    expected[..., 0, :] = 0
    bound = error_bound(lambda _, *args: scaled_dot_product_attention(*args), {}, q, k, v)
    for blind in (mask, minus_infinity(~mask), minus_infinity(~mask).astype(float)):
        y = scaled_dot_product_attention(q, k, v, blind)
        assert (y[..., 0, :] == 0).all()
        within(y, expected, bound, max(q.shape[-1], k.shape[-2]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_a_mask_never_widens(dtype):
    q = np.random.default_rng(3).standard_normal((4, 2)).astype(dtype)
    assert scaled_dot_product_attention(q, q, q, np.tri(4, dtype=bool), causal=True).dtype == dtype
    assert inverse_sqrt(3, q) == 1 / np.sqrt(dtype(3))
    assert inverse_sqrt(3, q.astype(object)) == 1 / math.sqrt(3)


@st.composite
def layers(draw, modes=("full", "causal", "sliding", "single"), cross=False):
    """A layer with parameters and a clip of at least one window."""
    heads = draw(st.integers(1, 2))
    mode = draw(st.sampled_from(modes))
    window = None if mode == "causal" else draw(st.integers(1, 4))
    if mode in ("full", "single") and draw(st.booleans()):
        window = None
    dims = {name: draw(st.sampled_from([None, 1, 3])) for name in ("kdim", "vdim")} if cross else {}
    layer = MultiheadAttention(heads * draw(st.integers(1, 3)), heads, draw(st.booleans()), mode=mode, window=window, **dims)
    event(f"{mode}, window {window is not None}")
    rng = np.random.default_rng(draw(SEEDS))
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    length = draw(st.integers(window or 1, 5))
    return layer, parameters, rng.standard_normal((draw(st.integers(1, 2)), length, layer.embed_dim)), rng


def twin(layer, parameters):
    """torch.nn.MultiheadAttention with the same parameters; it must have exactly these."""
    module = torch.nn.MultiheadAttention(
        layer.embed_dim,
        layer.num_heads,
        bias=layer.bias,
        kdim=layer.kdim,
        vdim=layer.vdim,
        batch_first=True,
        dtype=torch.float64,
    )
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    return module


def longest_sum(layer, length):
    return 3 + max(layer.embed_dim, length, layer.kdim or 0, layer.vdim or 0)


@given(layers())
def test_every_mode_is_torch_with_its_mask(within, error_bound, case):
    layer, parameters, clip, _ = case
    length = clip.shape[1]
    i, j = np.indices((length, length))
    excluded = {
        "full": np.full((length, length), False),
        "causal": j > i,
        "sliding": (j > i) | (j <= i - (layer.window or 0)),
        "single": (j > i) | (j <= i - (layer.window or length)),
    }[layer.mode]
    x = torch.from_numpy(clip)
    with torch.no_grad():
        expected = twin(layer, parameters)(x, x, x, attn_mask=torch.from_numpy(excluded))[0].numpy()
    if layer.mode == "single":
        expected = expected[:, (layer.window or length) - 1 :]
    got = layer(parameters, clip)
    within(got, expected, error_bound(layer, parameters, clip), longest_sum(layer, length))
    assert layer.output_shape(clip.shape) == expected.shape


@given(layers(modes=("full", "causal", "sliding")))
def test_every_mode_is_its_loops(within, error_bound, case):
    layer, parameters, clip, _ = case
    length = clip.shape[1]
    mask = structure(length, length, causal=layer.mode == "causal", window=layer.window if layer.mode == "sliding" else None)
    mask = np.zeros((length, length)) if mask is None else mask
    loops = multihead_attention_loops(parameters, clip, layer.num_heads, mask)
    within(layer(parameters, clip), loops, error_bound(layer, parameters, clip), longest_sum(layer, length))


@given(layers(modes=("full",), cross=True), st.data())
def test_cross_attention_with_masks_is_torch(within, error_bound, case, data):
    """kdim, vdim, attn_mask of two or three axes and key_padding_mask, where every query sees a key."""
    layer, parameters, clip, rng = case
    batch, length, _ = clip.shape
    keys = data.draw(st.integers(1, 4))
    key, value = (rng.standard_normal((batch, keys, dim or layer.embed_dim)) for dim in (layer.kdim, layer.vdim))
    shape = data.draw(st.sampled_from([(length, keys), (batch * layer.num_heads, length, keys)]))
    mask = data.draw(masks(rng, shape))
    if mask is not None and mask.dtype == bool:
        mask = ~mask
        mask[..., 0] = False
    elif mask is not None:
        mask[..., 0] = 1.5
    padding = rng.random((batch, keys)) < 0.3 if data.draw(st.booleans()) else None
    if padding is not None:
        padding[:, 0] = False
        if mask is not None and mask.dtype != bool:
            padding = np.where(padding, -np.inf, 0.0)
    event(f"mask axes {None if mask is None else mask.ndim}, padding {padding is not None}")

    def function(parameters, clip, key, value):
        return layer(parameters, clip, key, value, mask=mask, key_padding_mask=padding)

    module, (m, p) = twin(layer, parameters), tensors(mask, padding)
    expected = module(*tensors(clip, key, value), attn_mask=m, key_padding_mask=p)[0].detach().numpy()
    got = function(parameters, clip, key, value)
    within(got, expected, error_bound(function, parameters, clip, key, value), longest_sum(layer, keys))


def test_a_blind_query_is_projected_zero_as_torch_does_without_weights():
    """torch: zeros with need_weights=False and gradients on, NaN otherwise. The reference has the former."""
    layer = MultiheadAttention(2, 1)
    rng = np.random.default_rng(5)
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    clip, mask = rng.standard_normal((1, 3, 2)), np.tri(3, k=-1, dtype=bool).T | np.eye(3, dtype=bool)
    mask[2] = True
    x = torch.from_numpy(clip)
    expected = twin(layer, parameters)(x, x, x, attn_mask=torch.from_numpy(mask), need_weights=False)[0].detach().numpy()
    got = layer(parameters, clip, mask=mask)
    assert got[0, 2].tolist() == expected[0, 2].tolist() == parameters["out_proj.bias"].tolist()


@given(layers())
def test_extended_precision(within, error_bound, case):
    layer, parameters, clip, _ = case
    exact = layer({name: value.astype(np.longdouble) for name, value in parameters.items()}, clip.astype(np.longdouble))
    assert exact.dtype == np.longdouble
    single = layer({name: value.astype(np.float32) for name, value in parameters.items()}, clip.astype(np.float32))
    assert single.dtype == np.float32
    within(layer(parameters, clip), exact, error_bound(layer, parameters, clip), longest_sum(layer, clip.shape[1]))


@given(layers(), st.data())
def test_timing_covers_what_a_token_changes(case, data):
    layer, parameters, clip, _ = case
    if layer.timing is None or layer.mode == "full":
        return event("no stream of frames")
    parameters = {name: value / 4 for name, value in parameters.items()}  # no weight so small that rounding hides a token
    t = data.draw(st.integers(0, clip.shape[1] - 1))
    other = clip.copy()
    other[:, t] += 1
    changed = np.flatnonzero((layer(parameters, clip) != layer(parameters, other)).any(axis=(0, 2)))
    timing, length = layer.timing, clip.shape[1]
    assert layer(parameters, clip).shape[1] == timing.output_length(length)
    first = 0 if math.isinf(timing.receptive_field) else None
    ranges = [
        (first if first is not None else j - timing.pad_start, j + timing.delay) for j in range(timing.output_length(length))
    ]
    assert set(changed) <= {j for j, (oldest, newest) in enumerate(ranges) if oldest <= t <= newest}


@given(layers(modes=("single",)))
def test_single_output_is_the_last_token_of_each_window(within, error_bound, case):
    layer, parameters, clip, _ = case
    window = layer.window or clip.shape[1]
    full = MultiheadAttention(layer.embed_dim, layer.num_heads, layer.bias)
    windows = [full(parameters, clip[:, t - window : t])[:, -1] for t in range(window, clip.shape[1] + 1)]
    got = layer(parameters, clip)
    within(got, np.stack(windows, axis=1), error_bound(layer, parameters, clip), longest_sum(layer, window))


def test_a_clip_shorter_than_its_window_has_no_single_output():
    layer = MultiheadAttention(2, 1, mode="single", window=4)
    parameters = {name: np.zeros(shape) for name, shape in layer.parameters().items()}
    assert layer(parameters, np.zeros((3, 2, 2))).shape == layer.output_shape((3, 2, 2)) == (3, 0, 2)


def test_timing_of_modes():
    timings = {(mode, window): MultiheadAttention(2, 1, mode=mode, window=window).timing for mode, window in [
        ("full", None), ("single", None), ("full", 3), ("single", 3), ("sliding", 3), ("causal", None)]}  # fmt: skip
    assert timings == {
        ("full", None): None,
        ("single", None): None,
        ("full", 3): Timing(3),
        ("single", 3): Timing(3),
        ("sliding", 3): Timing(3, 1, 2, 0),
        ("causal", None): Timing(math.inf),
    }
    assert isinstance(MultiheadAttention(2, 1), Layer)
    assert MultiheadAttention(2, 1).time == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 3}, "embed_dim must be a multiple of num_heads, got 4 and 3"),
        ({"mode": "retro"}, "mode is one of 'full', 'causal', 'sliding', 'single', got 'retro'"),
        ({"mode": "sliding"}, "mode 'sliding' needs a window, in frames"),
        ({"mode": "causal", "window": 3}, "mode 'causal' has no window; use mode 'sliding'"),
        ({"window": 0}, "window is in frames and at least 1, got 0"),
    ],
)
def test_construction_errors(options, message):
    with pytest.raises(ValueError, match=f"MultiheadAttention: {message}"):
        MultiheadAttention(**{"embed_dim": 4, "num_heads": 2, **options})


def test_call_errors():
    layer, clip = MultiheadAttention(4, 2, kdim=3, mode="full"), np.zeros((1, 5, 4))
    parameters = {name: np.zeros(shape) for name, shape in layer.parameters().items()}
    with pytest.raises(ValueError, match=r"expected a clip \(B, T, E\) with E = embed_dim = 4, got shape \(1, 5, 3\)"):
        layer(parameters, clip[..., :3])
    with pytest.raises(ValueError, match=r"keys \(B, S, 3\) and values \(B, S, 4\), got \(1, 5, 4\) and \(1, 5, 4\)"):
        layer(parameters, clip)
    with pytest.raises(ValueError, match="mode 'causal' attends to tokens of the same clip, got 5 queries and 4 keys"):
        MultiheadAttention(4, 2, mode="causal")(parameters, clip, clip[:, 1:])
    with pytest.raises(ValueError, match=r"mask is \(L, S\) = \(1, 5\) or \(B \* A, L, S\), got \(5, 5\) \(L queries"):
        MultiheadAttention(4, 2, mode="single")({"in_proj_weight": np.zeros((12, 4)), **parameters}, clip, mask=np.eye(5))
    with pytest.raises(ValueError, match=r"got q \(1, 5, 4\), k \(1, 5, 3\), v \(1, 5, 4\)"):
        scaled_dot_product_attention(clip, clip[..., :3], clip)


@pytest.mark.parametrize(("bias", "out_bias"), [(False, True), (True, False)])
def test_bias_of_the_last_projection_alone(bias, out_bias):
    """A bias that is there and zero is the same as none: exact."""
    rng = np.random.default_rng(8)
    layer = MultiheadAttention(4, 2, bias, out_bias=out_bias)
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    biases = {"in_proj_bias"} if bias else {"out_proj.bias"}
    assert set(parameters) == {"in_proj_weight", "out_proj.weight"} | biases
    full = MultiheadAttention(4, 2)
    zeros = {name: np.zeros(shape) for name, shape in full.parameters().items()}
    clip = rng.standard_normal((1, 3, 4))
    np.testing.assert_array_equal(layer(parameters, clip), full(zeros | parameters, clip))
    absent = set(zeros) - set(parameters)
    assert (full({**zeros, **parameters, **{n: zeros[n] + 1 for n in absent}}, clip) != layer(parameters, clip)).any()
