"""Non-local operations: every pair of positions, by loops and by torch's attention; what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.layer import Layer
from coequal.reference.non_local import MODES, NonLocal, affine, affine_loops

OPERATIONS = 64  # more than one element of what is drawn takes


@st.composite
def rows(draw):
    """Queries, keys and values of a clip; features of keys and values may differ in number."""
    queries, keys, features, values = (draw(st.integers(1, 4)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return tuple(rng.standard_normal((1, *shape)) for shape in ((queries, features), (keys, features), (keys, values)))


@pytest.mark.parametrize("mode", MODES)
def test_vectorised_is_loops(mode, within):
    @given(rows())
    def check(drawn):
        queries, keys, values = drawn
        expected = affine_loops(queries[0], keys[0], values[0], mode)
        scores = np.abs(queries) @ np.abs(np.swapaxes(keys, 1, 2))
        magnitude = (1 + scores.max()) * (scores.max() if mode == "dot product" else 1) * np.abs(values).sum()
        within(affine(queries, keys, values, mode)[0], expected, magnitude, OPERATIONS)

    check()


@pytest.mark.parametrize("mode", ["gaussian", "embedded"])
def test_softmax_modes_are_torchs_attention(mode, within):
    @given(rows())
    def check(drawn):
        queries, keys, values = drawn
        scale = 1.0 if mode == "gaussian" else None
        expected = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, drawn), scale=scale)
        scores = np.abs(queries) @ np.abs(np.swapaxes(keys, 1, 2))
        within(affine(queries, keys, values, mode), expected.numpy(), (1 + scores.max()) * np.abs(values).sum(), OPERATIONS)

    check()


def test_the_first_frame_depends_on_the_last_one() -> None:
    """So it does not stream: the smallest counterexample has two frames of one position."""
    layer = NonLocal(1, 1, "gaussian", pooled=False)
    parameters = {"g.weight": np.full((1, 1, 1, 1, 1), 2.0), "g.bias": np.zeros(1)}
    first, second = (np.array([1.0, last]).reshape(1, 1, 2, 1, 1) for last in (2.0, 3.0))
    assert isinstance(layer, Layer)
    assert layer.timing is None
    assert layer(parameters, first)[0, 0, 0] != layer(parameters, second)[0, 0, 0]


def test_keys_are_pooled_in_space_only() -> None:
    """With scores of zero the result is the mean of the values, which are maxima of windows 1 x 2 x 2."""
    layer = NonLocal(2, 1, "embedded")
    parameters = {name: np.zeros(shape) for name, shape in layer.parameters().items()}
    parameters["g.weight"][0, 1] = 1.0
    clip = np.random.default_rng(0).integers(-9, 9, (1, 2, 2, 5, 4)).astype(float)
    pooled = torch.nn.functional.max_pool3d(torch.tensor(clip[:, 1:]), (1, 2, 2)).numpy()
    assert pooled.size == 8  # a mean of eight whole numbers is exact
    np.testing.assert_array_equal(layer(parameters, clip), np.full((1, 1, 2, 5, 4), pooled.mean()))


def test_errors() -> None:
    with pytest.raises(ValueError, match="mode is one of 'dot product', 'gaussian', 'embedded', got 'concatenation'"):
        NonLocal(2, 1, "concatenation")
    with pytest.raises(ValueError, match=r"with C = channels = 2, got shape \(1, 3, 2, 2, 2\)"):
        NonLocal(2, 1).output_shape((1, 3, 2, 2, 2))
    with pytest.raises(ValueError, match="MaxPool"):
        NonLocal(2, 1).output_shape((1, 2, 2, 1, 2))
