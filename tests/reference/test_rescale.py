"""Factors: against loops, and what is refused."""

import numpy as np
import pytest

from coequal.reference.rescale import ChannelScale, Rescale, channel_scale_loops


def test_vectorised_is_loops():
    rng = np.random.default_rng(1)
    clip, weight = rng.standard_normal((2, 3, 4, 2, 2)), rng.standard_normal(3)
    np.testing.assert_array_equal(ChannelScale(3)({"weight": weight}, clip), channel_scale_loops(clip, weight))
    np.testing.assert_array_equal(Rescale(2.0, 1.0)({}, clip), 2 * clip + 1)


def test_errors():
    with pytest.raises(ValueError, match=r"with C = channels = 3, got shape \(1, 2, 4\)"):
        ChannelScale(3).output_shape((1, 2, 4))
