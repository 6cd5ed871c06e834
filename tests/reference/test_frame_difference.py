"""Differences of frames: what comes out, what it depends on, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.frame_difference import FrameDifference, frame_difference_loops
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing


@st.composite
def cases(draw):
    """A layer and a clip."""
    channels = draw(st.integers(1, 3))
    space = draw(st.lists(st.integers(1, 3), max_size=2))
    shape = (draw(st.integers(1, 2)), 2 * channels, draw(st.integers(1, 5)), *space)
    clip = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal(shape)
    return FrameDifference(channels), clip


@given(cases())
def test_vectorised_is_loops_is_torchs_difference(case):
    """Of the same frames in both halves it is torch's difference along time, with a zero after it."""
    layer, clip = case
    expected = frame_difference_loops(clip)
    assert np.array_equal(layer({}, clip), expected)
    assert layer.output_shape(clip.shape) == expected.shape
    half = clip[:, : layer.channels]
    twice = layer({}, np.concatenate([half, half], axis=1))
    assert np.array_equal(twice[:, :, :-1], torch.diff(torch.tensor(half), dim=2).numpy())
    assert not twice[:, :, -1].any()


def test_errors_and_timing():
    layer = FrameDifference(2)
    assert isinstance(layer, Layer)
    assert (layer.time, layer.timing, layer.parameters()) == (2, Timing(2, 1, 0, 1), {})
    assert layer.timing.delay == 1
    with pytest.raises(ValueError, match="channels are those of the output, at least 1, got 0"):
        FrameDifference(0)
    with pytest.raises(ValueError, match=r"with C = 2 channels = 4, got shape \(1, 3, 4\)"):
        layer({}, np.zeros((1, 3, 4)))
