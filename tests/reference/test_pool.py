"""Pooling: loops = vectorised = torch = scipy; integers whose means are exact, so `==`."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.adaptive_pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
    adaptive_pool_loops,
)
from coequal.reference.pool import AvgPool, MaxPool, avg_pool_loops, max_pool_loops
from coequal.reference.timing import Timing

AVG = {1: torch.nn.AvgPool1d, 2: torch.nn.AvgPool2d, 3: torch.nn.AvgPool3d}
MAX = {1: torch.nn.MaxPool1d, 2: torch.nn.MaxPool2d, 3: torch.nn.MaxPool3d}
MULTIPLE = math.lcm(*range(1, 28))  # sums are multiples of every possible divisor: the division is exact


def clip_of(seed, extent, multiple=1):
    return np.random.default_rng(seed).integers(-9, 10, (2, 2, *extent)).astype(float) * multiple


@st.composite
def windows(draw, dilated=False):
    """Kernel, stride, padding, dilation and an extent on which at least one window fits."""
    rank = draw(st.integers(1, 3))
    axis = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    kernel, stride = axis(1, 3), axis(1, 3)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = axis(1, 2) if dilated else (1,) * rank
    extent = tuple(d * (k - 1) + 1 + extra for k, d, extra in zip(kernel, dilation, axis(0, 4), strict=True))
    return kernel, stride, padding, dilation, extent


@given(windows(), st.booleans(), st.booleans(), st.sampled_from([None, 1, 5]), st.integers(0, 2**32 - 1))
def test_average(window, ceil, include, divisor, seed):
    kernel, stride, padding, _, extent = window
    layer = AvgPool(kernel, stride, padding, ceil, include, divisor if len(kernel) > 1 else None)
    clip = clip_of(seed, extent, MULTIPLE)
    options = {} if len(kernel) == 1 else {"divisor_override": divisor}
    expected = AVG[len(kernel)](kernel, stride, padding, ceil, include, **options)(torch.from_numpy(clip)).numpy()
    got = layer({}, clip)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(got, avg_pool_loops(clip, layer))
    check_shape_and_timing(layer, clip, got)


@given(windows(dilated=True), st.booleans(), st.integers(0, 2**32 - 1))
def test_maximum(window, ceil, seed):
    kernel, stride, padding, dilation, extent = window
    layer = MaxPool(kernel, stride, padding, dilation, ceil)
    clip = clip_of(seed, extent) - 20  # all negative: padding with zeros would show
    got = layer({}, clip)
    expected = MAX[len(kernel)](kernel, stride, padding, dilation, ceil_mode=ceil)(torch.from_numpy(clip)).numpy()
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(got, max_pool_loops(clip, layer))
    check_shape_and_timing(layer, clip, got)


def check_shape_and_timing(layer, clip, got):
    assert got.shape == layer.output_shape(clip.shape)
    assert layer.parameters() == {}
    if layer.timing is not None:
        assert got.shape[2] == layer.timing.output_length(clip.shape[2])


@given(st.integers(1, 3), st.data(), st.integers(0, 2**32 - 1))
def test_adaptive(rank, data, seed):
    extent = tuple(data.draw(st.integers(1, 6)) for _ in range(rank))
    size = tuple(data.draw(st.sampled_from([None, *range(1, n + 1)])) for n in extent)
    if rank == 1 and size[0] is None:
        size = (extent[0],)  # torch's 1-D form does not take None
    clip = clip_of(seed, extent, math.lcm(*range(1, 7)) ** 3)
    for layer, kind in ((AdaptiveAvgPool(size), "Avg"), (AdaptiveMaxPool(size), "Max")):
        got = layer({}, clip)
        module = getattr(torch.nn, f"Adaptive{kind}Pool{rank}d")(size)
        np.testing.assert_array_equal(got, module(torch.from_numpy(clip)).numpy())
        np.testing.assert_array_equal(got, adaptive_pool_loops(clip, got.shape[2:], layer.reduce))
        assert got.shape == layer.output_shape(clip.shape)
        assert (layer.timing is None) == (size[0] is not None)
        assert layer.parameters() == {}


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_global(rank, window, seed):
    clip = clip_of(seed, (5, 3, 2)[:rank], 360360)
    whole = GlobalAvgPool(rank), GlobalMaxPool(rank)
    for layer, reduce in zip(whole, ("mean", "max"), strict=True):
        np.testing.assert_array_equal(layer({}, clip), adaptive_pool_loops(clip, (1,) * rank, reduce))
        assert layer.timing is None
        assert layer.output_shape(clip.shape) == (2, 2, *[1] * rank)
    for layer, reduce in ((GlobalAvgPool(rank, window), "mean"), (GlobalMaxPool(rank, window), "max")):
        pieces = [adaptive_pool_loops(clip[:, :, t : t + window], (1,) * rank, reduce) for t in range(6 - window)]
        np.testing.assert_array_equal(layer({}, clip), np.concatenate(pieces, axis=2))
        assert layer.timing == Timing(window)
        assert layer.parameters() == {}


def test_agrees_with_scipy():
    clip = clip_of(3, (9, 8), 9)
    largest = MaxPool((3, 3), stride=1, padding=1)({}, clip)
    np.testing.assert_array_equal(
        largest[1, 1], scipy.ndimage.maximum_filter(clip[1, 1], 3, mode="constant", cval=-math.inf)
    )
    mean = AvgPool((3, 3), stride=1, padding=1)({}, clip)
    sums = scipy.ndimage.correlate(clip[0, 1], np.full((3, 3), 1.0), mode="constant")
    np.testing.assert_array_equal(mean[0, 1] * 9, sums)


def test_timing():
    assert AvgPool((4, 2)).timing == Timing(4, 4)
    assert MaxPool((3,), stride=2, padding=1, dilation=2).timing == Timing(5, 2, 1, 1)
    assert AvgPool((3,), stride=2, ceil_mode=True).timing == Timing(3, 2, 0, 1)
    assert AvgPool((2,), stride=3, ceil_mode=True).timing is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AvgPool(3), "AvgPool: kernel_size says how many axes there are, so give a tuple, time first, got 3"),
        (lambda: MaxPool((3, 3), stride=(1, 1, 1)), "MaxPool: stride needs 2 integers"),
        (lambda: MaxPool((3,), padding=2), "padding is at most half of the kernel (3,), got (2,)"),
        (lambda: AvgPool((3,), divisor_override=0), "divisor_override must not be zero"),
        (lambda: AvgPool((3,)).output_shape((1, 1, 2)), "AvgPool: the window is longer than axis T, 2 elements"),
        (lambda: GlobalAvgPool(1, window=0), "GlobalAvgPool: window counts frames, at least 1, got 0"),
        (lambda: GlobalMaxPool(1, window=4).output_shape((1, 1, 3)), "GlobalMaxPool: the window is longer than axis T"),
        (lambda: AdaptiveAvgPool((1,)).output_shape((1, 1, 0)), "AdaptiveAvgPool: the window is longer than axis T, 0"),
    ],
)
def test_errors(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build()
    assert message in str(caught.value)
