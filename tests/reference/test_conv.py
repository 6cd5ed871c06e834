"""Convolution: loops = vectorised = torch = scipy, on small integers, so `==`."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.conv import Conv, conv_loops
from coequal.reference.pad import pad
from coequal.reference.timing import Timing

TORCH = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}


@st.composite
def cases(draw):
    """A layer and the extent of a clip on which at least one window fits."""
    rank = draw(st.integers(1, 3))
    axis = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    kernel, dilation = axis(1, 3), axis(1, 2)
    groups = draw(st.integers(1, 2))
    same = draw(st.booleans())
    mode = draw(st.sampled_from(["zeros", "replicate", "reflect", "circular"]))
    stride, padding = ((1,) * rank, "same") if same else (axis(1, 3), axis(0, 2))
    channels = draw(st.integers(1, 2)) * groups, draw(st.integers(1, 2)) * groups
    layer = Conv(*channels, kernel, stride, padding, dilation, groups, draw(st.booleans()), mode)
    extent = tuple(d * (k - 1) + 1 + extra for k, d, extra in zip(kernel, dilation, axis(0, 3), strict=True))
    return layer, tuple(max(n, 3) if mode in ("reflect", "circular") else n for n in extent)


def integers(rng, shape):
    return rng.integers(-8, 9, shape).astype(float)


@given(cases(), st.integers(0, 2**32 - 1))
def test_loops_vectorised_and_torch_agree_exactly(case, seed):
    layer, extent = case
    rng = np.random.default_rng(seed)
    clip = integers(rng, (2, layer.in_channels, *extent))
    parameters = {name: integers(rng, shape) for name, shape in layer.parameters().items()}
    module = TORCH[len(extent)](
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.strides, layer.padding, layer.dilations,
        layer.groups, layer.bias, layer.padding_mode, dtype=torch.float64,
    )  # fmt: skip
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({k: torch.from_numpy(v) for k, v in parameters.items()})
    got = layer(parameters, clip)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    x = pad(clip, layer.pads, mode)
    loops = conv_loops(x, parameters["weight"], parameters.get("bias"), layer.strides, layer.dilations, layer.groups)
    np.testing.assert_array_equal(got, module(torch.from_numpy(clip)).detach().numpy())
    np.testing.assert_array_equal(got, loops)
    assert got.shape == layer.output_shape(clip.shape)
    if layer.timing is not None:
        assert got.shape[2] == layer.timing.output_length(extent[0])


def test_agrees_with_scipy():
    rng = np.random.default_rng(5)
    clip, weight = integers(rng, (1, 1, 7, 6)), integers(rng, (1, 1, 3, 2))
    valid = Conv(1, 1, (3, 2), bias=False)({"weight": weight}, clip)
    np.testing.assert_array_equal(valid[0, 0], np.rint(scipy.signal.correlate2d(clip[0, 0], weight[0, 0], "valid")))
    weight = integers(rng, (1, 1, 3, 3))
    for mode, name in (("zeros", "constant"), ("replicate", "nearest"), ("reflect", "mirror"), ("circular", "grid-wrap")):
        same = Conv(1, 1, (3, 3), padding="same", bias=False, padding_mode=mode)({"weight": weight}, clip)
        np.testing.assert_array_equal(same[0, 0], scipy.ndimage.correlate(clip[0, 0], weight[0, 0], mode=name))


@given(st.integers(1, 3), st.data(), st.integers(0, 2**32 - 1))
def test_agrees_with_scipy_over_any_number_of_axes(rank, data, seed):
    rng = np.random.default_rng(seed)
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(rank))
    clip = integers(rng, (1, 1, *(k + data.draw(st.integers(0, 3)) for k in kernel)))
    weight = integers(rng, (1, 1, *kernel))
    valid = Conv(1, 1, kernel, bias=False)({"weight": weight}, clip)[0, 0]
    np.testing.assert_array_equal(valid, scipy.signal.correlate(clip[0, 0], weight[0, 0], "valid", method="direct"))
    flipped = np.flip(weight[0, 0])  # a convolution of mathematics turns the kernel around
    np.testing.assert_array_equal(valid, scipy.signal.convolve(clip[0, 0], flipped, "valid", method="direct"))
    odd = integers(rng, (1, 1, *[3] * rank))
    same = Conv(1, 1, (3,) * rank, padding="same", bias=False)({"weight": odd}, clip)[0, 0]
    np.testing.assert_array_equal(same, scipy.ndimage.correlate(clip[0, 0], odd[0, 0], mode="constant"))
    np.testing.assert_array_equal(same, scipy.ndimage.convolve(clip[0, 0], np.flip(odd[0, 0]), mode="constant"))


def test_runs_on_fractions():
    rng = np.random.default_rng(6)
    fractions = np.vectorize(lambda n, d: Fraction(int(n), int(d)), otypes=[object])
    draw = lambda *shape: fractions(rng.integers(-9, 10, shape), rng.integers(1, 10, shape))  # noqa: E731
    layer = Conv(2, 4, (3, 2), stride=(2, 1), padding=(1, 1), groups=2)
    clip, parameters = draw(1, 2, 5, 4), {"weight": draw(4, 1, 3, 2), "bias": draw(4)}
    x = pad(clip, layer.pads, value=0)
    expected = conv_loops(x, parameters["weight"], parameters["bias"], layer.strides, layer.dilations, 2)
    got = layer(parameters, clip)
    assert {type(value) for value in got.ravel()} == {Fraction}
    assert (got == expected).all()


def test_timing():
    assert Conv(1, 1, (5, 1), stride=(2, 1), padding=(2, 0), dilation=(3, 1)).timing == Timing(13, 2, 2, 2)
    assert Conv(1, 1, (4,), padding="same").timing == Timing(4, 1, 1, 2)
    assert Conv(1, 1, (4,), padding="valid").timing == Timing(4)
    assert Conv(1, 1, (3,), padding=1, padding_mode="circular").timing is None
    assert Conv(1, 1, (3, 3), padding=(0, 1), padding_mode="circular").timing == Timing(3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Conv(1, 1, 3), "give a tuple, time first, for example (3,)"),
        (lambda: Conv(1, 1, (3, 3), stride=(1,)), "Conv: stride needs 2 integers, one an axis, time first, got (1,)"),
        (
            lambda: Conv(1, 1, ()),
            "kernel_size says how many axes there are, and time is one of them: give at least one integer",
        ),
        (lambda: Conv(1, 1, (3, 0)), "Conv: kernel_size must be at least 1 along every axis, got (3, 0)"),
        (lambda: Conv(1, 1, (3,), stride=0), "Conv: stride must be at least 1 along every axis, got (0,)"),
        (lambda: Conv(1, 1, (3,), dilation=0), "Conv: dilation must be at least 1 along every axis, got (0,)"),
        (lambda: Conv(1, 1, (3,), padding=-1), "Conv: padding must be at least 0 along every axis, got (-1,)"),
        (lambda: Conv(1, 1, (3,), groups=0), "Conv: groups must be at least 1, got 0"),
        (lambda: Conv(1, 1, (3,), padding="full"), "'same' or 'valid', got 'full'"),
        (lambda: Conv(1, 1, (3,), stride=2, padding="same"), "padding 'same' needs stride 1, got (2,)"),
        (
            lambda: Conv(1, 1, (3,), padding_mode="mirror"),
            "padding_mode is one of 'zeros', 'replicate', 'reflect', 'circular'",
        ),
        (lambda: Conv(3, 4, (3,), groups=2), "in_channels must be a multiple of groups 2, got 3"),
        (lambda: Conv(2, 3, (3,), groups=2), "out_channels must be a multiple of groups 2, got 3"),
        (lambda: Conv(1, 1, (3,)).output_shape((2, 2, 5)), "axis 1 (C) of the clip (B, C, T) must have 1 channels, got 2"),
        (lambda: Conv(1, 1, (3,)).output_shape((2, 1, 5, 5)), "expected a clip (B, C, T), 3 axes, got 4 axes"),
        (lambda: Conv(1, 1, (3,)).output_shape((2, 1, 2)), "longer than axis T, 2 elements with its padding"),
        (lambda: Conv(1, 1, (3, 5)).output_shape((2, 1, 3, 4)), "longer than axis H, 4 elements"),
        (
            lambda: Conv(1, 1, (3,), padding=2, padding_mode="reflect").output_shape((1, 1, 2)),
            "reflect padding (2, 2) needs more than 2 elements along T, got 2",
        ),
        (
            lambda: Conv(1, 1, (3,), padding=2, padding_mode="circular").output_shape((1, 1, 1)),
            "circular padding (2, 2) needs at least 2 elements along T, got 1",
        ),
        (
            lambda: Conv(1, 1, (1,), padding=1, padding_mode="replicate").output_shape((1, 1, 0)),
            "replicate padding (1, 1) needs an element to repeat along T, got none",
        ),
    ],
)
def test_errors_say_what_where_and_what_to_do(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build()
    assert message in str(caught.value)
