"""Every elementwise activation of torch.nn: exact where it is piecewise linear, within a bound of its terms elsewhere."""

import inspect
import math

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.activation import TABLE, Activation, activation_loops, erf, gelu, sigmoid, softplus
from coequal.reference.timing import Timing

EXACT = {"Hardshrink", "Hardtanh", "LeakyReLU", "PReLU", "ReLU", "ReLU6", "Softshrink", "Threshold"}
ROUNDINGS = 16  # no row of the table has more operations, an elementary function counting as two
BORDERS = [0.0, -0.0, 0.25, -0.25, 0.5, -0.5, 1.0, -1.0, 1.25, -1.25, -2.0, 2.5, 3.0, -3.0, 6.0, 20.0]  # where pieces meet
POINTS = np.concatenate([np.random.default_rng(1).normal(size=200) * 10.0 ** np.arange(-4, 4).repeat(25), BORDERS])
# arguments that differ from the defaults
OPTIONS = {
    "CELU": {"alpha": 0.4},
    "ELU": {"alpha": 0.7},
    "GELU": {"approximate": "tanh"},
    "Hardshrink": {"lambd": 1.25},
    "Hardtanh": {"min_val": -2.0, "max_val": 0.5},
    "LeakyReLU": {"negative_slope": 0.25},
    "RReLU": {"lower": 0.25, "upper": 0.5},
    "Softplus": {"beta": 2.0, "threshold": 5.0},
    "Softshrink": {"lambd": 0.25},
    "Threshold": {"threshold": 0.5, "value": -3.0},
}
ROWS = [(name, {}) for name in sorted(TABLE) if name != "Threshold"] + sorted(OPTIONS.items(), key=str)


@pytest.mark.parametrize(("name", "options"), ROWS, ids=[f"{n}{o or ''}" for n, o in ROWS])
def test_agrees_with_torch(name, options, within):
    got = Activation(name, tuple(options.items()))({}, POINTS)
    expected = getattr(torch.nn, name)(**options).eval()(torch.from_numpy(POINTS)).numpy()
    if name in EXACT:
        np.testing.assert_array_equal(got, expected)
    else:
        within(
            got, expected, 1.76 * (1 + np.abs(POINTS)), ROUNDINGS
        )  # no term exceeds SELU's 1.0507 * 1.6733 or the argument
    np.testing.assert_array_equal(got, activation_loops(name, POINTS, **options))


def test_every_elementwise_activation_of_torch_has_a_row():
    others = {
        "Softmax",
        "Softmin",
        "Softmax2d",
        "LogSoftmax",
        "GLU",
        "MultiheadAttention",
    }  # along an axis, or several inputs
    everything = {
        name
        for name, kind in vars(torch.nn.modules.activation).items()
        if inspect.isclass(kind) and issubclass(kind, torch.nn.Module) and kind.__module__ == "torch.nn.modules.activation"
    }
    assert everything - others - {"PReLU"} == set(TABLE)


def test_defaults_are_those_of_torch():
    for name, (_, defaults) in TABLE.items():
        if name == "Threshold":
            continue  # torch has no defaults for it
        accepted = inspect.signature(getattr(torch.nn, name)).parameters
        assert {key: accepted[key].default for key in defaults} == defaults


@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_prelu(channels, seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(2, 3, 4)), rng.normal(size=3 if channels > 1 else 1)
    layer = Activation("PReLU", (("num_parameters", len(weight)),))
    assert layer.parameters() == {"weight": weight.shape}
    expected = torch.nn.functional.prelu(torch.from_numpy(x), torch.from_numpy(weight)).numpy()
    np.testing.assert_array_equal(layer({"weight": weight}, x), expected)


def test_agrees_with_scipy(within):
    bound = 1 + np.abs(POINTS)
    within(sigmoid(POINTS), scipy.special.expit(POINTS), bound, ROUNDINGS)
    within(erf(POINTS), scipy.special.erf(POINTS), bound, ROUNDINGS)
    within(gelu(POINTS), POINTS * scipy.special.ndtr(POINTS), bound, ROUNDINGS)
    within(softplus(POINTS, threshold=np.inf), np.logaddexp(POINTS, 0), bound, ROUNDINGS)
    within(Activation("LogSigmoid")({}, POINTS), scipy.special.log_expit(POINTS), bound, ROUNDINGS)


def test_small_results_keep_their_digits(within):
    """Relative bounds, where a careless formula cancels: `magnitude` is the result itself."""
    x = POINTS[np.abs(POINTS) < 700]  # beyond, the exponential is subnormal
    expit = scipy.special.expit(x)
    pairs = {
        "Sigmoid": expit,
        "SiLU": x * expit,
        "LogSigmoid": scipy.special.log_expit(x),
        "Softplus": -scipy.special.log_expit(-x),
        "ELU": np.where(x > 0, x, scipy.special.expm1(x)),
        "Mish": x * np.tanh(-scipy.special.log_expit(-x)),
        "Softsign": x / (1 + np.abs(x)),
    }
    for name, expected in pairs.items():
        options = (("threshold", np.inf),) if name == "Softplus" else ()
        within(Activation(name, options)({}, x), expected, expected, ROUNDINGS)
    within(erf(x), scipy.special.erf(x), scipy.special.erf(x), 4)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_nan_and_infinity_as_in_torch(name):
    special = np.array([math.nan, math.inf, -math.inf])
    options = {"threshold": 0.5, "value": -3.0} if name == "Threshold" else {}
    expected = getattr(torch.nn, name)(**options).eval()(torch.from_numpy(special)).numpy()
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(Activation(name, tuple(options.items()))({}, special), expected)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_single_precision_stays_single(name):
    assert Activation(name)({}, POINTS.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", sorted(TABLE))
def test_nothing_overflows(name):
    with np.errstate(all="raise", under="ignore"):
        got = Activation(name)({}, np.array([-1e4, 1e4]))
    assert np.isfinite(got).all()


def test_layer_and_errors():
    layer = Activation("ReLU")
    assert layer.timing == Timing()
    assert layer.parameters() == {}
    assert layer.output_shape((1, 2, 3)) == (1, 2, 3)
    with pytest.raises(ValueError, match="'relu' is not one of CELU, ELU, GELU"):
        Activation("relu")
    with pytest.raises(ValueError, match=r"ELU has the options \['alpha'\], got \['beta'\]"):
        Activation("ELU", (("beta", 1.0),))
