"""Padding: loops = vectorised = torch."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.pad import MODES, Pad, pad_loops
from coequal.reference.timing import Timing


@given(st.integers(1, 3), st.sampled_from(sorted(MODES)), st.data(), st.integers(0, 2**32 - 1))
def test_loops_vectorised_and_torch_agree_exactly(rank, mode, data, seed):
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = tuple(data.draw(pair) for _ in range(rank))
    rng = np.random.default_rng(seed)
    clip = rng.integers(-9, 10, (2, 2, *rng.integers(3, 5, rank))).astype(float)
    layer = Pad(padding, mode, value=7.0 if mode == "constant" else 0.0)
    got = layer({}, clip)
    flat = [side for pair in reversed(padding) for side in pair]  # torch counts axes from the last
    value = {"value": 7.0} if mode == "constant" else {}
    np.testing.assert_array_equal(got, torch.nn.functional.pad(torch.from_numpy(clip), flat, mode, **value).numpy())
    np.testing.assert_array_equal(got, pad_loops(clip, padding, mode, layer.value))
    assert got.shape == layer.output_shape(clip.shape)
    assert layer.parameters() == {}


@pytest.mark.parametrize("mode", sorted(MODES))
def test_runs_on_fractions(mode):
    rng = np.random.default_rng(9)
    clip = np.vectorize(lambda n: Fraction(int(n), 7), otypes=[object])(rng.integers(-9, 10, (1, 2, 4, 3)))
    got = Pad(((2, 1), (0, 2)), mode, Fraction(1, 3))({}, clip)
    assert {type(value) for value in got.ravel()} == {Fraction}
    assert got.tolist() == pad_loops(clip, ((2, 1), (0, 2)), mode, Fraction(1, 3)).tolist()


def test_timing():
    assert Pad(((2, 1), (3, 3))).timing == Timing(1, 1, 2, 1)
    assert Pad(((0, 1),), "circular").timing is None
    assert Pad(((0, 0), (1, 1)), "circular").timing == Timing()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Pad(((1, 1),), "mirror"), "mode is one of 'constant', 'replicate', 'reflect', 'circular', got 'mirror'"),
        (
            lambda: Pad(()),
            "Pad: padding says how many axes there are: give a pair (before, after) for each, time first, got ()",
        ),
        (lambda: Pad(((1, -1),)), "not negative, got ((1, -1),): slice the clip instead"),
        (lambda: Pad(((1, 1),)).output_shape((1, 2, 3, 4)), "Pad: expected a clip (B, C, T), 3 axes, got 4 axes"),
    ],
)
def test_errors(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build()
    assert message in str(caught.value)
