"""Tokens of a frame back to a square: there and back, and what is refused."""

import numpy as np
import pytest

from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.token_grid import TokenGrid, token_grid_loops
from coequal.reference.tokens import Tokens

CLIP = np.random.default_rng(1).standard_normal((2, 3, 4, 2, 2))
TOKEN = np.array([1.0, 2.0, 3.0])


def test_vectorised_is_loops_and_the_way_back_from_a_token_before_each_frame():
    rows = Tokens(PrependToken(3), "space")({"inner.weight": TOKEN}, CLIP)
    assert rows.shape == (2, 3, 4, 5)
    np.testing.assert_array_equal(TokenGrid()({}, rows), token_grid_loops(rows))
    np.testing.assert_array_equal(TokenGrid()({}, rows), CLIP)
    np.testing.assert_array_equal(Tokens(FirstToken(), "space")({}, rows)[1, :, 3, 0], TOKEN)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 4, 4), r"expected 1 \+ S S tokens, S at least 1, got 4"),
        ((1, 3, 4, 1), r"expected 1 \+ S S tokens, S at least 1, got 1"),
        ((1, 3, 4, 0), r"expected 1 \+ S S tokens, S at least 1, got 0"),
        ((1, 3, 4, 2, 2), r"expected a clip \(B, C, T, N\), got shape"),
    ],
)
def test_errors(shape, message):
    with pytest.raises(ValueError, match=message):
        TokenGrid().output_shape(shape)
