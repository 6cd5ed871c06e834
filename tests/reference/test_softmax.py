"""Softmax: loops, vectorised, torch and scipy, within bounds of running error analysis."""

import math

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.softmax import Softmax, log_softmax, softmax, softmax_loops
from coequal.reference.timing import Timing


@given(count=st.integers(1, 6), scale=st.sampled_from([0.1, 1.0, 30.0]), seed=st.integers(0, 2**32 - 1))
def test_loops_torch_and_scipy(count, scale, seed, within, error_bound):
    x = np.random.default_rng(seed).normal(size=(2, count, 3)) * scale
    got, bound = softmax(x, 1), error_bound(lambda _, clip: softmax(clip, 1), {}, x)
    within(got, softmax_loops(x, 1), bound, count)
    within(got, torch.softmax(torch.from_numpy(x), 1).numpy(), bound, count)
    within(got, scipy.special.softmax(x, axis=1), bound, count)
    np.testing.assert_array_equal(Softmax(1)({}, x), got)


@given(count=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_logarithm(count, seed, within):
    x = np.random.default_rng(seed).normal(size=(3, count)) * 5
    magnitude = np.abs(x) + np.abs(x).max() + math.log(count) + 1  # every term of x - m - log(sum), the sum is at least 1
    within(log_softmax(x), scipy.special.log_softmax(x, axis=-1), magnitude, count + 4)
    within(log_softmax(x), torch.log_softmax(torch.from_numpy(x), -1).numpy(), magnitude, count + 4)


def test_a_large_score_does_not_overflow():
    np.testing.assert_array_equal(softmax(np.array([1e4, -1e4, 1e4])), [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(log_softmax(np.array([1e4, -1e4])), [0.0, -2e4])


def test_masked_scores():
    x = np.array([[0.5, -math.inf, 0.5], [-math.inf] * 3])
    got = softmax(x)
    np.testing.assert_array_equal(got, torch.softmax(torch.from_numpy(x), -1).numpy())
    np.testing.assert_array_equal(got, [[0.5, 0.0, 0.5], [math.nan] * 3])


def test_timing_and_errors():
    assert Softmax(1).timing == Timing()
    assert Softmax(2).timing is None
    assert Softmax(1, time=1).timing is None
    assert Softmax(1).parameters() == {}
    assert Softmax(1).output_shape((2, 3, 4)) == (2, 3, 4)
    with pytest.raises(ValueError, match="axis counts from the start of the clip, 1 for channels, got -1"):
        Softmax(-1)
    with pytest.raises(ValueError, match=r"axis 3 of a clip with 3 axes \(1, 2, 3\): there is none"):
        Softmax(3).output_shape((1, 2, 3))
