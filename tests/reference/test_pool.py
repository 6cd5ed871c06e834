"""Pooling: loops = vectorised = torch = scipy; integers whose means are exact, so `==`."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference import pool
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
    # down to a clip that is shorter than the window, which fits by its padding alone
    shortest = tuple(max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True))
    extent = tuple(n + extra for n, extra in zip(shortest, axis(0, 4), strict=True))
    return kernel, stride, padding, dilation, extent


@given(windows(), st.booleans(), st.booleans(), st.sampled_from([None, 1, 5]), st.integers(0, 2**32 - 1))
def test_average(window, ceil, include, divisor, seed):
    kernel, stride, padding, _, extent = window
    layer = AvgPool(kernel, stride, padding, ceil, include, divisor if len(kernel) > 1 else None)
    clip = clip_of(seed, extent, MULTIPLE)
    if len(kernel) == 3 and any(n < k for n, k in zip(extent, kernel, strict=True)):
        np.testing.assert_array_equal(layer({}, clip), avg_pool_loops(clip, layer))
        return  # torch's 3-D form alone refuses these, whatever the padding
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


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_every_small_window_fits_or_is_refused_as_in_torch(stride, ceil):
    """A last window that hangs over the end, starts in the padding, or is the only one of a clip shorter than itself."""
    for length, kernel, dilation in itertools.product(range(1, 7), range(1, 5), range(1, 3)):
        clip = clip_of(length, (length,), 12) - 400  # all negative
        for pad in range(kernel // 2 + 1):
            pairs = [
                (MaxPool((kernel,), stride, pad, dilation, ceil), MAX[1](kernel, stride, pad, dilation, ceil_mode=ceil))
            ]
            if dilation == 1:
                pairs.append((AvgPool((kernel,), stride, pad, ceil), AVG[1](kernel, stride, pad, ceil)))
            for layer, module in pairs:
                try:
                    expected = module(torch.from_numpy(clip)).numpy()
                except RuntimeError:
                    with pytest.raises(ValueError, match="the window is longer than axis T"):
                        layer({}, clip)
                    continue
                got = layer({}, clip)
                np.testing.assert_array_equal(got, expected)
                check_shape_and_timing(layer, clip, got)


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


def test_agrees_with_the_uniform_filter_of_scipy(within):
    clip = clip_of(4, (9, 8))
    mean = AvgPool((3, 5), stride=1, padding=(1, 2))
    filtered = scipy.ndimage.uniform_filter(clip[1, 0], (3, 5), mode="constant")  # running sums along each axis
    within(mean({}, clip)[1, 0], filtered, np.abs(clip).max(), 9 * 8)


def test_runs_on_fractions():
    rng = np.random.default_rng(7)
    clip = np.vectorize(lambda n, d: Fraction(int(n), int(d)), otypes=[object])(
        rng.integers(-9, 10, (1, 2, 5, 4)), rng.integers(1, 10, (1, 2, 5, 4))
    )
    for include in (True, False):
        layer = AvgPool((3, 2), (2, 1), 1, ceil_mode=True, count_include_pad=include)
        got = layer({}, clip)
        assert {type(value) for value in got.ravel()} == {Fraction}
        assert got.tolist() == avg_pool_loops(clip, layer).tolist()
    got = AdaptiveAvgPool((2, 3))({}, clip)
    assert {type(value) for value in got.ravel()} == {Fraction}
    assert got.tolist() == adaptive_pool_loops(clip, (2, 3), "mean").tolist()
    assert GlobalAvgPool(2)({}, clip)[0, 1, 0, 0] == sum(clip[0, 1].ravel()) / 20


@pytest.mark.parametrize("ceil", [False, True])
def test_single_precision_stays_single(ceil):
    clip = clip_of(8, (6,)).astype(np.float32)
    layer = AvgPool((4,), 3, 1, ceil, count_include_pad=False)
    got = layer({}, clip)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, AVG[1](4, 3, 1, ceil, False)(torch.from_numpy(clip)).numpy())


def test_every_pool_is_found_in_one_place():
    for kind in (AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool):
        assert getattr(pool, kind.__name__) is kind


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
        (lambda: MaxPool((3,), dilation=0), "MaxPool: dilation must be at least 1 along every axis, got (0,)"),
        (lambda: AvgPool((0,)), "AvgPool: kernel_size must be at least 1 along every axis, got (0,)"),
        (lambda: AvgPool((3,), padding=-1), "AvgPool: padding must be at least 0 along every axis, got (-1,)"),
        (
            lambda: AdaptiveAvgPool(3),
            "AdaptiveAvgPool: output_size says how many axes there are, so give a tuple, time first",
        ),
        (lambda: AdaptiveMaxPool((None, 0)), "AdaptiveMaxPool: output_size must be at least 1 along every axis, got"),
        (lambda: GlobalMaxPool(0), "GlobalMaxPool: rank counts the axes of time and space, at least 1, got 0"),
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
