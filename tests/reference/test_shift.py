"""Temporal shift moves frames without arithmetic, so every comparison is exact."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from coequal.reference.layer import Layer
from coequal.reference.shift import TemporalShift, offsets, temporal_shift, temporal_shift_loops
from coequal.reference.timing import Timing


@st.composite
def shifts(draw):
    """A layer and a clip with channels enough to shift."""
    bidirectional = draw(st.booleans())
    fold_div = draw(st.integers(2 if bidirectional else 1, 5))
    channels = draw(st.integers(fold_div, 3 * fold_div + 1))
    space = draw(st.lists(st.integers(1, 3), max_size=2))
    shape = (draw(st.integers(1, 2)), channels, draw(st.integers(1, 5)), *space)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    event(f"bidirectional={bidirectional}, rank {1 + len(space)}")
    return TemporalShift(fold_div, bidirectional), rng.standard_normal(shape)


@given(shifts())
def test_vectorised_is_loops(case):
    layer, clip = case
    expected = temporal_shift_loops(clip, layer.fold_div, layer.bidirectional)
    assert np.array_equal(layer({}, clip), expected)
    assert layer.output_shape(clip.shape) == expected.shape == layer({}, clip).shape


@given(shifts())
def test_is_the_grouped_convolution_of_torch(case):
    """A shift is a depthwise convolution in time whose kernel has a single one: an oracle that shares no code."""
    layer, clip = case
    channels = clip.shape[1]
    kernel = torch.zeros(channels, 1, 3, dtype=torch.float64)
    for channel, offset in enumerate(offsets(channels, layer.fold_div, layer.bidirectional)):
        kernel[channel, 0, 1 + offset] = 1
    flat = torch.from_numpy(clip.reshape(*clip.shape[:3], -1)).movedim(3, 1).flatten(0, 1)
    expected = torch.nn.functional.conv1d(flat, kernel, padding=1, groups=channels)
    expected = expected.unflatten(0, (clip.shape[0], -1)).movedim(1, 3).reshape(clip.shape)
    assert np.array_equal(layer({}, clip), expected.numpy())


@given(shifts())
def test_other_number_systems(case):
    layer, clip = case
    exact = np.vectorize(Fraction, otypes=[object])(clip)
    assert np.array_equal(layer({}, exact).astype(float), layer({}, clip))
    assert layer({}, clip.astype(np.longdouble)).dtype == np.longdouble


def test_directions():
    """Fold 0 looks ahead and fold 1 back when bidirectional; fold 0 looks back when not (Lin et al., figure 1)."""
    assert offsets(9, 4, bidirectional=True) == [1, 1, -1, -1, 0, 0, 0, 0, 0]
    assert offsets(9, 4, bidirectional=False) == [-1, -1, 0, 0, 0, 0, 0, 0, 0]
    clip = np.array([[[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]]])
    assert temporal_shift(clip, 3, True).tolist() == [[[1, 4, 1, 0], [0, 5, 9, 2], [5, 3, 5, 8]]]
    assert temporal_shift(clip, 3, False).tolist() == [[[0, 3, 1, 4], [5, 9, 2, 6], [5, 3, 5, 8]]]


@given(shifts(), st.data())
def test_timing_covers_what_a_frame_changes(case, data):
    layer, clip = case
    t = data.draw(st.integers(0, clip.shape[2] - 1))
    other = clip.copy()
    other[:, :, t] += 1
    changed = np.flatnonzero((layer({}, clip) != layer({}, other)).any(axis=(0, 1, *range(3, clip.ndim))))
    timing = layer.timing
    seen = [j for j in range(clip.shape[2]) if -timing.pad_start <= t - j < timing.receptive_field - timing.pad_start]
    every = layer.bidirectional and layer.fold_div == 2 and clip.shape[1] % 2 == 0
    every = every or (not layer.bidirectional and layer.fold_div == 1)
    assert changed.tolist() == [j for j in seen if j != t or not every]
    assert isinstance(layer, Layer)
    assert (layer.time, layer.parameters()) == (2, {})
    assert timing.output_length(clip.shape[2]) == clip.shape[2]


def test_errors():
    with pytest.raises(ValueError, match="fold_div is at least 2 when bidirectional=True, got 1"):
        TemporalShift(1)
    with pytest.raises(ValueError, match="fold_div is at least 1 when bidirectional=False, got 0"):
        TemporalShift(0, bidirectional=False)
    with pytest.raises(
        ValueError, match="3 channels are fewer than fold_div 8: none would be shifted; use a smaller fold_div"
    ):
        TemporalShift()({}, np.zeros((1, 3, 4)))
    with pytest.raises(ValueError, match=r"expected a clip \(B, C, T, ...\), got shape \(4, 4\)"):
        TemporalShift().output_shape((4, 4))
    assert TemporalShift().timing == Timing(3, 1, 1, 1)
