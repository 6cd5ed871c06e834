"""The token at either end: exact, since nothing is computed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.class_token import (
    AppendToken,
    FirstToken,
    PrependToken,
    append_token_loops,
    prepend_token_loops,
)
from coequal.reference.layer import Layer


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_token_comes_last(batch, length, features, seed):
    rng = np.random.default_rng(seed)
    clip, weight, layer = (
        rng.standard_normal((batch, length, features)),
        rng.standard_normal(features),
        AppendToken(features),
    )
    longer = layer({"weight": weight}, clip)
    np.testing.assert_array_equal(longer, append_token_loops(clip, weight))
    np.testing.assert_array_equal(longer[:, :length], clip)
    np.testing.assert_array_equal(longer[:, length], np.broadcast_to(weight, (batch, features)))
    assert layer.output_shape(clip.shape) == longer.shape


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_token_comes_first(batch, length, features, seed):
    rng = np.random.default_rng(seed)
    clip, weight = rng.standard_normal((batch, length, features)), rng.standard_normal(features)
    layer, first = PrependToken(features), FirstToken()
    longer = layer({"weight": weight}, clip)
    np.testing.assert_array_equal(longer, prepend_token_loops(clip, weight))
    np.testing.assert_array_equal(longer[:, 1:], clip)
    assert layer.output_shape(clip.shape) == longer.shape
    np.testing.assert_array_equal(first({}, longer), np.broadcast_to(weight, (batch, 1, features)))
    assert first.output_shape(longer.shape) == (batch, 1, features)


def test_a_token_that_is_not_learned_is_zero():
    layer, clip = PrependToken(3, learned=False), np.random.default_rng(1).standard_normal((2, 4, 3))
    assert layer.parameters() == {}
    np.testing.assert_array_equal(layer({}, clip), prepend_token_loops(clip, np.zeros(3)))


@pytest.mark.parametrize("layer", [PrependToken(3), FirstToken()])
def test_the_first_token_needs_the_whole_clip(layer):
    assert isinstance(layer, Layer)
    assert layer.timing is None


def test_without_tokens_there_is_no_first():
    with pytest.raises(ValueError, match=r"FirstToken: expected a clip \(B, T, E\) with a token, got shape \(1, 0, 3\)"):
        FirstToken().output_shape((1, 0, 3))


def test_is_a_layer_that_cannot_be_streamed():
    assert isinstance(AppendToken(3), Layer)
    assert AppendToken(3).timing is None
    assert AppendToken(3).parameters() == {"weight": (3,)}


@pytest.mark.parametrize("shape", [(1, 2, 4), (2, 3)])
def test_what_does_not_fit_is_named(shape):
    with pytest.raises(ValueError, match=r"AppendToken: expected a clip \(B, T, E\) with E = embed_dim = 3, got"):
        AppendToken(3).output_shape(shape)
