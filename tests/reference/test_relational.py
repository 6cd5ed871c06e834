"""Relational self-attention: products against loops, what it sees, and what is refused."""

import numpy as np
import pytest

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.layer import Layer
from coequal.reference.relational import EPS, RelationalSelfAttention, relate, relate_loops, unit
from coequal.reference.timing import Timing


def test_products_are_those_of_the_loops(within):
    rng = np.random.default_rng(1)
    q, k, v, g = (rng.standard_normal(shape) for shape in ((2, 3), (3, 4), (3, 4), (3, 5)))
    magnitude = relate_loops(*map(np.abs, (q, k, v, g)))
    within(relate(q, k, v, g), relate_loops(q, k, v, g), magnitude, 40)


def test_vectors_have_length_one_or_zero(within):
    clip = np.random.default_rng(2).standard_normal((2, 6, 3, 2, 2)) * 1e3
    clip[:, :, 0] = 0
    squares = (unit(clip, 3).reshape(2, 2, 3, 3, 2, 2) ** 2).sum(axis=2)
    given = (clip.reshape(2, 2, 3, 3, 2, 2) ** 2).sum(axis=2)
    assert not squares[:, :, 0].any()
    within(squares[:, :, 1:], given[:, :, 1:] / (given[:, :, 1:] + EPS), np.ones(()), 16)


def test_it_is_cubic_in_values_and_relations_count():
    """Without relations (H1, G zero) it is what its basic kernels make of the context: linear in the context's weights."""
    layer = RelationalSelfAttention(4, 2, 3, 3)
    clip = np.random.default_rng(3).standard_normal((1, 4, 5, 3, 3))
    parameters = weights(layer, 3)
    basic = {**parameters, "H1.weight": 0 * parameters["H1.weight"], "G.weight": 0 * parameters["G.weight"]}
    once, twice = layer(basic, clip), layer({**basic, "H2.weight": 2 * basic["H2.weight"]}, clip)
    np.testing.assert_array_equal(twice, 2 * once)
    assert np.abs(layer(parameters, clip) - once).max() > 1e-6 * np.abs(once).max()


def test_an_output_sees_the_frames_of_its_window():
    layer = RelationalSelfAttention(4, 2, 5, 3)
    parameters, clip = weights(layer, 4), np.random.default_rng(4).standard_normal((1, 4, 11, 3, 3))
    other = clip.copy()
    other[:, :, 5] += 1
    changed = (layer(parameters, clip) != layer(parameters, other)).any(axis=(0, 1, 3, 4))
    assert np.flatnonzero(changed).tolist() == [3, 4, 5, 6, 7]


def test_heads_take_turns_in_channels():
    """Channel b A + h is value b of head h, as in the authors' code: without its queries a head says nothing."""
    layer = RelationalSelfAttention(6, 3, 3, 3)
    parameters, clip = weights(layer, 5), np.random.default_rng(5).standard_normal((1, 6, 3, 3, 3))
    parameters["projection.weight"][2:4] = 0  # of the second head
    silent = ~layer(parameters, clip).any(axis=(0, 2, 3, 4))
    assert silent.tolist() == [False, True, False, False, True, False]


def test_errors_and_timing():
    layer = RelationalSelfAttention(6, 3)
    assert isinstance(layer, Layer)
    assert (layer.features, layer.timing) == (2, Timing(5, 1, 2, 2))
    with pytest.raises(ValueError, match="5 channels do not divide into 2 heads"):
        RelationalSelfAttention(5, 2)
    with pytest.raises(ValueError, match="frames and side are odd, to be centred, got 4 and 7"):
        RelationalSelfAttention(6, 2, 4)
    with pytest.raises(ValueError, match=r"with C = channels = 6, got shape \(1, 4, 5, 3, 3\)"):
        layer.output_shape((1, 4, 5, 3, 3))
