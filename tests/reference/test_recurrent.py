"""Recurrent layers against their scalar loops, against torch.nn with the same parameters, and in extended precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.recurrent import GRU, LSTM, RNN, recurrent_loops, sigmoid
from coequal.reference.timing import Timing


@st.composite
def networks(draw, num_layers=2, bidirectional=True):
    """A layer with parameters and a clip, in float64."""
    kind = draw(st.sampled_from(["tanh", "relu", "LSTM", "LSTM projected", "GRU"]))
    shared = {
        "input_size": draw(st.integers(1, 3)),
        "hidden_size": draw(st.integers(2, 3)),
        "num_layers": draw(st.integers(1, num_layers)),
        "bias": draw(st.booleans()),
        "bidirectional": bidirectional and draw(st.booleans()),
    }
    if kind.startswith("LSTM"):
        layer = LSTM(**shared, proj_size=1 if kind.endswith("projected") else 0)
    else:
        layer = GRU(**shared) if kind == "GRU" else RNN(**shared, nonlinearity=kind)
    event(kind)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parameters = {name: rng.standard_normal(shape) for name, shape in layer.parameters().items()}
    return layer, parameters, rng.standard_normal((draw(st.integers(1, 2)), draw(st.integers(1, 4)), layer.input_size))


def twin(layer):
    """The torch.nn module of the same name."""
    options = {"bias": layer.bias, "bidirectional": layer.bidirectional, "batch_first": True, "dtype": torch.float64}
    if isinstance(layer, RNN):
        options["nonlinearity"] = layer.nonlinearity
    if isinstance(layer, LSTM):
        options["proj_size"] = layer.proj_size
    kind = getattr(torch.nn, type(layer).__name__)
    return kind(layer.input_size, layer.hidden_size, layer.num_layers, **options)


def longest_sum(layer):
    """Terms of the longest sum: both products of a gate, and both biases."""
    return (
        2
        + max(shape[1] for name, shape in layer.parameters().items() if "ih" in name and "weight" in name)
        + layer.hidden_size
    )


@given(networks())
def test_is_torch(within, error_bound, case):
    layer, parameters, clip = case
    module = twin(layer)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
    assert list(module.state_dict()) == list(layer.parameters())
    module.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    with torch.no_grad():
        expected = module(torch.from_numpy(clip))[0].numpy()
    got = layer(parameters, clip)
    within(got, expected, error_bound(layer, parameters, clip), longest_sum(layer))
    assert layer.output_shape(clip.shape) == expected.shape


@given(networks())
def test_extended_precision(within, error_bound, case):
    """In longdouble the same code gives the exact value, as far as float64 can tell."""
    layer, parameters, clip = case
    exact = layer({name: value.astype(np.longdouble) for name, value in parameters.items()}, clip.astype(np.longdouble))
    assert exact.dtype == np.longdouble
    single = layer({name: value.astype(np.float32) for name, value in parameters.items()}, clip.astype(np.float32))
    assert single.dtype == np.float32
    within(layer(parameters, clip), exact, error_bound(layer, parameters, clip), longest_sum(layer))


@given(networks(num_layers=1, bidirectional=False))
def test_vectorised_is_loops(within, error_bound, case):
    layer, parameters, clip = case
    kind = getattr(layer, "nonlinearity", type(layer).__name__)
    loops = recurrent_loops(kind, parameters, clip)
    within(layer(parameters, clip), loops, error_bound(layer, parameters, clip), longest_sum(layer))


@given(networks(bidirectional=False), st.data())
def test_the_past_alone_decides(case, data):
    """`Timing(inf)`: output `t` is unchanged, bit for bit, by any later frame."""
    layer, parameters, clip = case
    clip = np.concatenate([clip, clip[:, :1] * 3], axis=1)
    t = data.draw(st.integers(1, clip.shape[1] - 1))
    later = clip.copy()
    later[:, t:] += 1
    assert np.array_equal(layer(parameters, clip)[:, :t], layer(parameters, later)[:, :t])
    assert (layer.timing, layer.time) == (Timing(math.inf), 1)
    assert isinstance(layer, Layer)


def test_a_bidirectional_layer_needs_the_whole_clip():
    assert LSTM(2, 3, bidirectional=True).timing is None
    assert Sequential((RNN(2, 3), GRU(3, 2, bidirectional=True))).timing is None


def test_sigmoid_saturates_quietly():
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_errors():
    with pytest.raises(ValueError, match="GRU: num_layers is at least 1, got 0"):
        GRU(2, 3, num_layers=0)
    with pytest.raises(ValueError, match="RNN: nonlinearity is 'tanh' or 'relu', got 'gelu'"):
        RNN(2, 3, nonlinearity="gelu")
    with pytest.raises(ValueError, match=r"LSTM: proj_size is 0 \(no projection\) or smaller than hidden_size 3, got 3"):
        LSTM(2, 3, proj_size=3)
    with pytest.raises(ValueError, match=r"LSTM: expected a clip \(B, T, E\) .* E = input_size = 2, got shape \(1, 5, 4\)"):
        LSTM(2, 3)({}, np.zeros((1, 5, 4)))
    with pytest.raises(ValueError, match=r"at least one frame with E = input_size = 2, got shape \(1, 0, 2\)"):
        GRU(2, 3).output_shape((1, 0, 2))
