"""Squeeze-and-excite against its loops, and against the same thing said in torch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from coequal.reference.layer import Layer
from coequal.reference.squeeze_excite import SqueezeExcite, squeeze_excite_loops
from coequal.reference.timing import Timing


@st.composite
def gates(draw):
    """A layer with parameters and a clip `(B, C, T, ...)` of up to two axes of space."""
    scope = draw(st.sampled_from(["frame", "clip", "window"]))
    window = draw(st.integers(1, 4)) if scope == "window" else None
    layer = SqueezeExcite(draw(st.integers(1, 4)), draw(st.integers(1, 3)), scope, window)
    event(scope)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    space = draw(st.lists(st.integers(1, 3), max_size=2))
    return layer, parameters, rng.standard_normal((draw(st.integers(1, 2)), layer.channels, draw(st.integers(1, 5)), *space))


def longest_sum(layer, clip):
    return 1 + max(layer.channels, layer.squeeze_channels, math.prod(clip.shape[2:]) * (layer.window or 1))


@given(gates())
def test_vectorised_is_loops(within, error_bound, case):
    layer, parameters, clip = case
    frames = {"frame": 1, "clip": None, "window": layer.window}[layer.scope]
    loops = squeeze_excite_loops(parameters, clip, frames)
    within(layer(parameters, clip), loops, error_bound(layer, parameters, clip), longest_sum(layer, clip))
    assert layer.output_shape(clip.shape) == loops.shape


@given(gates())
def test_is_torch(within, error_bound, case):
    """Pooling, two torch.nn.Linear and a sigmoid; the window is avg_pool1d over a clip padded at its start."""
    layer, parameters, clip = case
    fc1 = torch.nn.Linear(layer.channels, layer.squeeze_channels, dtype=torch.float64)
    fc2 = torch.nn.Linear(layer.squeeze_channels, layer.channels, dtype=torch.float64)
    module = torch.nn.ModuleDict({"fc1": fc1, "fc2": fc2})
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    x = torch.from_numpy(clip)
    frames = x.flatten(3).mean(-1) if x.ndim > 3 else x
    if layer.scope == "clip":
        frames = frames.mean(-1, keepdim=True)
    if layer.scope == "window":
        padded = torch.nn.functional.pad(frames, (layer.window - 1, 0))
        frames = torch.nn.functional.avg_pool1d(padded, layer.window, stride=1)
    gate = torch.sigmoid(fc2(torch.relu(fc1(frames.transpose(1, 2))))).transpose(1, 2)
    expected = (x * gate.reshape(*gate.shape, *[1] * (x.ndim - 3))).detach().numpy()
    within(layer(parameters, clip), expected, error_bound(layer, parameters, clip), longest_sum(layer, clip))


@given(gates())
def test_extended_precision(within, error_bound, case):
    layer, parameters, clip = case
    exact = layer({name: value.astype(np.longdouble) for name, value in parameters.items()}, clip.astype(np.longdouble))
    assert exact.dtype == np.longdouble
    single = layer({name: value.astype(np.float32) for name, value in parameters.items()}, clip.astype(np.float32))
    assert single.dtype == np.float32
    within(layer(parameters, clip), exact, error_bound(layer, parameters, clip), longest_sum(layer, clip))


@given(gates(), st.data())
def test_timing_covers_what_a_frame_changes(case, data):
    layer, parameters, clip = case
    parameters = {name: np.abs(value) for name, value in parameters.items()}  # no dead hidden channel
    clip, t = np.abs(clip) / 8, data.draw(st.integers(0, clip.shape[2] - 1))  # no saturated gate
    other = clip.copy()
    other[:, :, t] += 1
    changed = np.flatnonzero((layer(parameters, clip) != layer(parameters, other)).any(axis=(0, 1, *range(3, clip.ndim))))
    length = clip.shape[2]
    timing = layer.timing or Timing(2 * length, 1, length, length)  # the whole clip changes every frame
    assert changed.tolist() == [j for j in range(length) if j - timing.pad_start <= t <= j + timing.delay]


def test_description():
    assert SqueezeExcite(4, 2).timing == Timing(1)
    assert SqueezeExcite(4, 2, "window", 3).timing == Timing(3, 1, 2, 0)
    assert SqueezeExcite(4, 2, "clip").timing is None
    assert SqueezeExcite(4, 2).time == 2
    assert isinstance(SqueezeExcite(4, 2), Layer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scope": "space"}, "scope is one of 'frame', 'clip', 'window', got 'space'"),
        ({"scope": "window"}, "goes with scope 'window' and with no other, got scope 'window' and window None"),
        ({"window": 3}, "goes with scope 'window' and with no other, got scope 'frame' and window 3"),
        ({"scope": "window", "window": 0}, "window is in frames and at least 1, got 0"),
    ],
)
def test_construction_errors(options, message):
    with pytest.raises(ValueError, match=message):
        SqueezeExcite(4, 2, **options)


def test_shape_error():
    with pytest.raises(ValueError, match=r"expected a clip \(B, C, T, ...\) with C = channels = 4, got shape \(1, 3, 5\)"):
        SqueezeExcite(4, 2)({}, np.zeros((1, 3, 5)))
