"""The comparison by rounding bounds fails where it must: one unit beyond its bound, NaN, infinity, shape, empty bound."""

import math

import numpy as np
import pytest

VALUES = np.array([0.75, -3.5, 11.0])


@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, 2.0**-53), (np.float32, 2.0**-24)])
def test_the_bound_is_that_of_the_coarser_precision(within, dtype, unit):
    off = VALUES.astype(dtype).astype(np.float64)
    within((off + 2 * 3 * unit * np.abs(off)).astype(dtype), VALUES, np.abs(VALUES), 3)
    with pytest.raises(AssertionError, match="beyond the rounding bound"):
        within((off + 2 * 5 * unit * np.abs(off)).astype(dtype), VALUES, np.abs(VALUES), 3)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stands_in_the_same_places(within, wrong):
    special = np.array([0.75, wrong, 11.0])
    within(special, special, 1.0, 1)
    for got, expected in ((special, VALUES), (VALUES, special)):
        with pytest.raises(AssertionError):
            within(got, expected, 1e300, 1)


def test_infinities_of_opposite_sign_differ(within):
    with pytest.raises(AssertionError):
        within(np.array([math.inf]), np.array([-math.inf]), 1.0, 1)


@pytest.mark.parametrize("magnitude", [math.inf, math.nan])
def test_a_bound_that_nothing_could_break_is_refused(within, magnitude):
    with pytest.raises(AssertionError, match="the bound is not finite where the expected value is"):
        within(VALUES, VALUES, magnitude, 1)


def test_shapes_must_be_the_same(within):
    with pytest.raises(AssertionError, match=r"shape \(3,\), expected \(1, 3\)"):
        within(VALUES, VALUES[None], 100.0, 1)
