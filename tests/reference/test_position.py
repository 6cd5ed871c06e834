"""Positional encodings against their loops, torch, complex rotation, and the table of continual-inference."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coequal.reference.layer import Layer
from coequal.reference.position import (
    GridEncoding,
    LearnedEncoding,
    RecyclingEncoding,
    RotaryEncoding,
    SinusoidalEncoding,
    grid_loops,
    recycling_table,
    rotary,
    rotary_loops,
    sinusoidal_table,
    sinusoidal_table_loops,
)
from coequal.reference.timing import Timing

DOUBLE = np.dtype(float)
SEEDS = st.integers(0, 2**32 - 1)
# a power, a quotient and the product with t, each rounded once (the power within 2 ulp), then the function itself
ANGLE, FUNCTION = 5, 2


def clips(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape)


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([10000.0, 100.0]))
def test_sinusoidal_table_is_its_loops(within, length, features, base):
    """The error of an angle `a` is a multiple of `a`, and sine and cosine never steepen it."""
    loops = np.array(sinusoidal_table_loops(length, features, base))
    table = sinusoidal_table(length, features, DOUBLE, base)
    within(table, loops, np.arange(length)[:, None] + np.ones(features), ANGLE * math.ceil(math.log(base)) + FUNCTION)
    assert table.shape == (length, features)


@given(st.integers(1, 12), st.integers(1, 8), SEEDS)
def test_sinusoidal_is_the_formula_in_torch(within, length, embed_dim, seed):
    clip = clips(seed, (2, length, embed_dim))
    t, e = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(embed_dim)
    angle = t * torch.exp(-(e // 2).double() * 2 * math.log(10000) / embed_dim)
    expected = (torch.from_numpy(clip) + torch.where(e % 2 == 0, angle.sin(), angle.cos())).numpy()
    got = SinusoidalEncoding(embed_dim, 12)({}, clip)
    within(got, expected, np.abs(clip) + 1 + np.arange(length)[:, None], ANGLE * math.ceil(math.log(10000)) + FUNCTION)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), SEEDS)
def test_learned_is_torch_embedding(length, rows, embed_dim, seed):
    """One addition, rounded the same way by everybody: exact."""
    length = min(length, rows)
    layer, clip = LearnedEncoding(embed_dim, rows), clips(seed, (2, length, embed_dim))
    module = torch.nn.Embedding(rows, embed_dim, dtype=torch.float64)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    expected = torch.from_numpy(clip) + module(torch.arange(length))
    assert layer({"weight": module.weight.detach().numpy()}, clip).tolist() == expected.tolist()
    assert layer.output_shape(clip.shape) == clip.shape


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 20), SEEDS)
def test_recycling_is_that_of_continual_inference(length, num_embeds, embed_dim, offset, seed):
    """Fed one frame at a time, from its row `offset` on; its frames are `(B, E)`."""
    co = pytest.importorskip("continual")
    layer = RecyclingEncoding(embed_dim, num_embeds, offset=offset)
    module = co.RecyclingPositionalEncoding(embed_dim, num_embeds).double()
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    module.state_index = torch.tensor(offset % num_embeds)
    clip = clips(seed, (2, length, embed_dim))
    expected = torch.stack([module.forward_step(torch.from_numpy(clip[:, t])) for t in range(length)], dim=1)
    got = layer({"pe.weight": module.pe.weight.detach().numpy()}, clip)
    assert got.tolist() == expected.tolist()
    event("wraps around" if offset % num_embeds + length > num_embeds else "one round")


@given(st.integers(1, 20), st.integers(2, 9))
@settings(max_examples=30)
def test_fixed_recycling_table_is_that_of_continual_inference(num_embeds, embed_dim):
    """continual-inference samples each wave on a grid of 0.01 frames, so it is off by up to two grid cells of the steepest
    wave, in the table and again in its mean over time; and it rounds to float32."""
    co = pytest.importorskip("continual")
    theirs = co.RecyclingPositionalEncoding(embed_dim, num_embeds, learned=False).pe.pattern.double().numpy()
    ours = recycling_table(num_embeds, embed_dim, DOUBLE)
    spread = np.linspace(num_embeds ** (1 / (embed_dim // 2)), num_embeds, embed_dim // 2).astype(int)
    steepest = 2 * math.pi / min(num_embeds, spread.min())
    grid = 2 * 0.01 * steepest
    rounding = 8 * torch.finfo(torch.float32).eps
    assert np.abs(ours - theirs).max() <= 2 * grid + rounding


@given(st.integers(1, 12), st.integers(2, 5), st.integers(0, 9), SEEDS)
def test_fixed_recycling_repeats_and_is_centred(within, num_embeds, embed_dim, offset, seed):
    clip = clips(seed, (1, 2 * num_embeds + 1, embed_dim))
    layer = RecyclingEncoding(embed_dim, num_embeds, learned=False, offset=offset)
    added = layer({}, np.zeros_like(clip))
    assert np.array_equal(added[:, num_embeds:], added[:, : num_embeds + 1])
    assert np.array_equal(layer({}, clip), clip + added)
    table = recycling_table(num_embeds, embed_dim, DOUBLE)
    assert np.array_equal(added[0, :num_embeds], np.roll(table, -offset, axis=0))
    within(table.sum(axis=0), np.zeros(embed_dim), np.full(embed_dim, 2.0 * num_embeds), num_embeds + 7)


@st.composite
def heads(draw):
    pairs, count = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    layer = RotaryEncoding(2 * pairs, draw(st.sampled_from([10000.0, 50.0])), draw(st.booleans()))
    event(f"interleaved={layer.interleaved}")
    return layer, clips(draw(SEEDS), (draw(st.integers(1, 2)), draw(st.integers(1, 6)), count * 2 * pairs))


def turned(clip, layer):
    """Rounding: the angle (a multiple of the position), sine and cosine, two products, one sum."""
    size = np.abs(clip).reshape(*clip.shape[:2], -1, layer.head_dim)
    pair = np.broadcast_to(size.sum(axis=-1, keepdims=True), size.shape).reshape(clip.shape)
    return pair * (1 + np.arange(clip.shape[1])[:, None]), ANGLE * math.ceil(math.log(layer.base)) + FUNCTION + 2


@given(heads())
def test_rotary_is_its_loops(within, case):
    layer, clip = case
    expected = np.empty_like(clip)
    for b in range(clip.shape[0]):
        for start in range(0, clip.shape[2], layer.head_dim):
            head = slice(start, start + layer.head_dim)
            expected[b, :, head] = rotary_loops(clip[b, :, head], layer.base, layer.interleaved)
    within(layer({}, clip), expected, *turned(clip, layer))
    assert layer.output_shape(clip.shape) == clip.shape


@given(heads())
def test_rotary_is_complex_multiplication_in_torch(within, case):
    layer, clip = case
    x = torch.from_numpy(clip).unflatten(2, (-1, layer.head_dim))
    pairs = x.unflatten(3, (-1, 2)) if layer.interleaved else x.unflatten(3, (2, -1)).transpose(3, 4)
    frequency = layer.base ** (-torch.arange(0, layer.head_dim, 2, dtype=torch.float64) / layer.head_dim)
    angle = torch.arange(clip.shape[1], dtype=torch.float64)[:, None, None] * frequency
    rotated = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle))
    rotated = rotated if layer.interleaved else rotated.transpose(3, 4)
    within(layer({}, clip), rotated.reshape(clip.shape).numpy(), *turned(clip, layer))


@given(st.tuples(*[st.integers(0, 5)] * 3), st.booleans(), SEEDS)
def test_rotary_products_depend_on_distance_alone(within, places, interleaved, seed):
    """`<rot(q, i + s), rot(k, j + s)> = <rot(q, i), rot(k, j)>`, what the encoding is for (Su et al., equation 11)."""
    i, j, shift = places
    q, k = clips(seed, (2, 4))
    turned_q, turned_k = (rotary(np.broadcast_to(x, (12, 4)), 100.0, interleaved) for x in (q, k))
    got, expected = turned_q[i + shift] @ turned_k[j + shift], turned_q[i] @ turned_k[j]
    size = np.abs(q).sum() * np.abs(k).sum() * (2 + i + j + 2 * shift)
    within(got, expected, size, 4 + 2 * (ANGLE * math.ceil(math.log(100.0)) + FUNCTION + 2))


ENCODINGS = [
    SinusoidalEncoding(4, 9),
    LearnedEncoding(4, 9),
    RecyclingEncoding(4, 3),
    RecyclingEncoding(4, 3, learned=False),
    RotaryEncoding(2),
    RotaryEncoding(4, interleaved=False),
]


@pytest.mark.parametrize("layer", ENCODINGS, ids=lambda layer: type(layer).__name__)
def test_every_encoding_keeps_precision_and_time(within, layer):
    parameters = {name: clips(3, shape) for name, shape in layer.parameters().items()}
    clip = clips(7, (2, 5, 4))
    assert isinstance(layer, Layer)
    assert (layer.time, layer.timing) == (1, Timing())
    assert layer(parameters, clip[:, :0]).shape == (2, 0, 4)
    double = layer(parameters, clip)
    for dtype in (np.float32, np.longdouble):
        got = layer({name: value.astype(dtype) for name, value in parameters.items()}, clip.astype(dtype))
        assert got.dtype == dtype
        within(got, double, 8 * (2 + np.abs(clip).max()), ANGLE * math.ceil(math.log(10000)) + FUNCTION + 2)
    earlier = layer(parameters, clip[:, :3])
    assert np.array_equal(earlier, double[:, :3])


def test_learned_rows_are_added_to_fractions():
    clip = np.array([[[Fraction(1, 3)], [Fraction(2, 7)], [Fraction(5)]]])
    weight = np.array([[Fraction(1, 2)], [Fraction(3, 5)]])
    expected = [[[Fraction(5, 6)], [Fraction(31, 35)], [Fraction(11, 2)]]]
    assert RecyclingEncoding(1, 2)({"pe.weight": weight}, clip).tolist() == expected
    assert LearnedEncoding(1, 2)({"weight": weight}, clip[:, :2]).tolist() == [expected[0][:2]]
    assert RotaryEncoding(2)({}, np.concatenate([clip, clip], axis=2)).dtype == object


def test_errors():
    with pytest.raises(ValueError, match="a clip of 6 tokens is longer than the table of 5 positions; use Rec"):
        SinusoidalEncoding(4, 5)({}, np.zeros((1, 6, 4)))
    with pytest.raises(ValueError, match=r"expected a clip \(B, T, E\) with E = embed_dim = 4, got \(1, 5, 3\)"):
        LearnedEncoding(4, 5)({}, np.zeros((1, 5, 3)))
    with pytest.raises(ValueError, match="num_embeds is at least 1, got 0"):
        RecyclingEncoding(4, 0)
    with pytest.raises(ValueError, match="the fixed table needs embed_dim of at least 2, got 1"):
        RecyclingEncoding(1, 4, learned=False)
    with pytest.raises(ValueError, match="head_dim must be even, to make pairs, got 3"):
        RotaryEncoding(3)
    with pytest.raises(ValueError, match=r"with E a multiple of head_dim = 4, got \(1, 5, 6\)"):
        RotaryEncoding(4)({}, np.zeros((1, 5, 6)))


@given(st.integers(1, 4), st.integers(1, 3), st.booleans(), st.lists(st.integers(1, 3), max_size=2), SEEDS)
def test_grid_is_its_loops(length, rows, recycled, space, seed):
    """One addition: exact."""
    positions, embed_dim = 9, 3
    layer = GridEncoding(embed_dim, rows if recycled else length, positions, recycled)
    clip = clips(seed, (2, embed_dim, length, *space))
    weight = clips(seed + 1, layer.parameters()["weight"])
    got = layer({"weight": weight}, clip)
    np.testing.assert_array_equal(got, grid_loops(clip, weight, layer.length, positions))
    assert layer.longest == (None if recycled else length)
    assert layer.output_shape(clip.shape) == got.shape
    event("recycled" if recycled else "ends")


@pytest.mark.parametrize("shape", [(1, 4, 2, 3), (1, 3, 2, 5, 2), (1, 3)])
def test_what_does_not_fit_a_grid_is_named(shape):
    with pytest.raises(
        ValueError, match=r"GridEncoding: expected a clip \(B, E, T, ...\) with E = embed_dim = 3 and at most 9"
    ):
        GridEncoding(3, 4, 9).output_shape(shape)


def test_a_grid_ends():
    with pytest.raises(ValueError, match="a clip of 5 frames is longer than the table of 4; use recycled=True for endless"):
        GridEncoding(3, 4, 9).output_shape((1, 3, 5, 3))
