"""Frames as tokens: there and back, and what is refused."""

import numpy as np
import pytest

from coequal.reference.tokens import FirstToken, PositionTable, PrependToken, TokenGrid, prepend_token, prepend_token_loops

CLIP = np.random.default_rng(1).standard_normal((2, 3, 4, 2, 2))


def test_vectorised_is_loops_and_the_grid_is_the_way_back():
    token = np.array([1.0, 2.0, 3.0])
    expected = prepend_token_loops(CLIP, token)
    np.testing.assert_array_equal(prepend_token(CLIP, token), expected)
    np.testing.assert_array_equal(TokenGrid()({}, expected), CLIP)
    np.testing.assert_array_equal(FirstToken()({}, expected)[1, :, 3, 0], token)
    assert not PrependToken(3, learned=False)({}, CLIP)[..., 0].any()


def test_positions_are_the_same_in_every_frame():
    table, clip = np.arange(15.0).reshape(3, 5), prepend_token(CLIP, np.zeros(3))
    np.testing.assert_array_equal(PositionTable(3, 5)({"weight": table}, clip), clip + table[None, :, None])


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (PrependToken(3), (1, 2, 4, 2, 2), r"expected a clip \(B, C, T, H, W\) with C = channels = 3"),
        (TokenGrid(), (1, 3, 4, 4), r"expected 1 \+ S S positions, S at least 1, got 4"),
        (TokenGrid(), (1, 3, 4, 2, 2), r"expected a clip \(B, C, T, N\), got shape"),
        (FirstToken(), (1, 3, 4), r"expected a clip \(B, C, T, N\), got shape"),
        (PositionTable(3, 5), (1, 3, 4, 6), "expected 5 positions, got 6"),
    ],
)
def test_errors(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
