"""Layers of tokens inside a clip: against loops, and which frames they see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.attention import MultiheadAttention
from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.timing import Timing
from coequal.reference.tokens import OVER, Tokens, tokens_loops

CLASSIFIED = Sequential((PrependToken(4), MultiheadAttention(4, 2), FirstToken()))
LONGER = Sequential((PrependToken(4), MultiheadAttention(4, 2)))


@given(
    st.sampled_from(OVER),
    st.sampled_from([Linear(4, 3), MultiheadAttention(4, 2), CLASSIFIED, LONGER]),
    st.integers(1, 3),
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_is_its_loops(within, over, inner, frames, space, seed):
    """The same layer on the same tokens, in another order of the batch: only the order of sums may differ."""
    layer = Tokens(inner, over)
    clip, parameters = np.random.default_rng(seed).standard_normal((2, 4, frames, *space)), weights(layer, seed)
    y = layer(parameters, clip)
    assert y.shape == layer.output_shape(clip.shape)
    within(y, tokens_loops(layer, parameters, clip), np.full(y.shape, 1 + np.abs(clip).max() ** 2), 100)


@pytest.mark.parametrize(("over", "frames", "positions"), [("space", 1, 3), ("time", 5, 1), ("all", 5, 3)])
def test_a_token_sees_its_frame_its_position_or_all(over, frames, positions):
    layer = Tokens(MultiheadAttention(4, 2), over)
    clip, parameters = np.random.default_rng(1).standard_normal((1, 4, 5, 3)), weights(layer, 1)
    other = clip.copy()
    other[0, :, 2, 1] += 1
    before, after = (layer(parameters, x).reshape(4, 5, 3) for x in (clip, other))
    changed = (before != after).any(axis=0)
    assert changed.sum() == frames * positions
    assert changed[2, 1]


def test_timing_is_that_of_its_tokens():
    causal, full = MultiheadAttention(4, 2, mode="causal"), MultiheadAttention(4, 2)
    assert Tokens(full, "space").timing == Timing()
    assert Tokens(causal, "time").timing == causal.timing
    assert Tokens(full, "time").timing is None
    assert Tokens(Linear(4, 4), "all").timing is None
    assert isinstance(Tokens(full, "space"), Layer)


def test_space_is_one_axis_where_tokens_are_more_or_fewer():
    assert Tokens(Linear(4, 3), "space").output_shape((1, 4, 5, 2, 3)) == (1, 3, 5, 2, 3)
    assert Tokens(LONGER, "space").output_shape((1, 4, 5, 2, 3)) == (1, 4, 5, 7)
    assert Tokens(CLASSIFIED, "time").output_shape((1, 4, 5, 2, 3)) == (1, 4, 1, 2, 3)
    assert Tokens(CLASSIFIED, "all").output_shape((1, 4, 5, 2, 3)) == (1, 4, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tokens(Linear(4, 4), "frames"), r"over is one of 'space', 'time', 'all', got 'frames'"),
        (
            lambda: Tokens(Conv(4, 4, (3,)), "time"),
            r"the inner layer must take tokens \(B, T, E\), time axis 1, got one with",
        ),
        (lambda: Tokens(Linear(4, 4), "time").output_shape((1, 4)), r"expected a clip \(B, E, T, ...\), got shape \(1, 4\)"),
        (lambda: Tokens(Linear(4, 4), "time").output_shape((1, 3, 5)), r"Tokens: over time \(Linear\): Linear: "),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
