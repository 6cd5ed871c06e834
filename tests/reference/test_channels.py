"""Channels of zeros are moved without arithmetic, so every comparison is exact."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.channels import SelectChannels, ZeroChannels, select_channels_loops, zero_channels_loops
from coequal.reference.layer import Layer
from coequal.reference.timing import Timing


@st.composite
def cases(draw):
    """A layer and a clip."""
    channels = draw(st.integers(1, 4))
    space = draw(st.lists(st.integers(1, 3), max_size=2))
    shape = (draw(st.integers(1, 2)), channels, draw(st.integers(1, 4)), *space)
    clip = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal(shape)
    return ZeroChannels(channels, channels + draw(st.integers(0, 3))), clip


@given(cases())
def test_vectorised_is_loops_is_torchs_padding(case):
    layer, clip = case
    padding = [0, 0] * (clip.ndim - 2) + [0, layer.out_channels - layer.in_channels]
    expected = torch.nn.functional.pad(torch.tensor(clip), padding).numpy()
    assert np.array_equal(layer({}, clip), expected)
    assert np.array_equal(zero_channels_loops(clip, layer.out_channels), expected)
    assert layer.output_shape(clip.shape) == expected.shape


@given(cases(), st.data())
def test_a_selection_is_loops_and_undoes_zeros(case, data):
    layer, clip = case
    start = data.draw(st.integers(0, clip.shape[1] - 1))
    stop = data.draw(st.integers(start + 1, clip.shape[1]))
    wider = layer({}, clip)
    selected = SelectChannels(start, stop)({}, wider)
    assert np.array_equal(selected, select_channels_loops(clip, start, stop))
    assert SelectChannels(start, stop).output_shape(wider.shape) == selected.shape


def test_errors_and_timing():
    layer = ZeroChannels(2, 3)
    assert isinstance(layer, Layer)
    assert (layer.time, layer.timing, layer.parameters()) == (2, Timing(), {})
    with pytest.raises(ValueError, match="out_channels are at least in_channels, and those at least 1, got 3 and 2"):
        ZeroChannels(3, 2)
    with pytest.raises(ValueError, match=r"expected a clip .* with C = in_channels = 2, got shape \(1, 3, 4\)"):
        layer({}, np.zeros((1, 3, 4)))
    with pytest.raises(ValueError, match="start is at least 0 and before stop, got 2 and 2"):
        SelectChannels(2, 2)
    with pytest.raises(ValueError, match=r"with C at least stop = 3, got shape \(1, 2, 4\)"):
        SelectChannels(1, 3)({}, np.zeros((1, 2, 4)))
