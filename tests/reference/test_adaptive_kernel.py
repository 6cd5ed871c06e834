"""Kernels that clips make for themselves: against loops, what they depend on, and what is refused."""

import numpy as np
import pytest

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.adaptive_kernel import AdaptiveKernel, adaptive_kernel, adaptive_kernel_loops


def test_vectorised_is_loops():
    rng = np.random.default_rng(1)
    clip, kernel = rng.integers(-4, 5, (2, 3, 4, 2, 2)).astype(float), rng.integers(-4, 5, (2, 3, 3)).astype(float)
    np.testing.assert_array_equal(adaptive_kernel(clip, kernel), adaptive_kernel_loops(clip, kernel))


def test_taps_sum_to_one_and_every_frame_decides(within):
    """A clip that is the same in every frame stays so, but at its ends; any frame of the other half changes all."""
    layer = AdaptiveKernel(2, 5)
    parameters, clip = weights(layer, 2), np.random.default_rng(2).standard_normal((1, 4, 5, 2, 2))
    clip[:, :2] = clip[:, :2, :1]
    y = layer(parameters, clip)
    within(y[:, :, 1:-1], clip[:, :2, 1:-1], np.abs(clip[:, :2, 1:-1]), 3 * layer.taps)  # division, product, sum
    other = clip.copy()
    other[:, 2:, 4] += 10
    assert (layer(parameters, other)[:, :, 0] != y[:, :, 0]).any()


def test_errors():
    layer = AdaptiveKernel(2, 5)
    assert layer.timing is None
    with pytest.raises(ValueError, match="taps are odd, to be centred, got 2"):
        AdaptiveKernel(2, 5, 2)
    with pytest.raises(ValueError, match=r"with C = 2 channels = 4 and T = window = 5, got shape \(1, 4, 6, 2, 2\)"):
        layer.output_shape((1, 4, 6, 2, 2))
