import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.equivalence.compare import rounding as quality


@pytest.mark.parametrize("dtype", quality.FORMATS)
def test_the_cut_lies_half_way_between_a_format_and_the_next_coarser(dtype):
    assert quality.unit(dtype) < quality.cut(dtype) < 1
    coarser = {torch.float64: torch.float32, torch.float32: torch.float16}.get(dtype)
    upper = quality.unit(coarser) if coarser else 1.0
    assert math.log2(quality.cut(dtype)) * 2 == math.log2(quality.unit(dtype)) + math.log2(upper)


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_another_order_of_summation_is_rounding(seed, size):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(2))
    products = a * b
    amplification = float(products.abs().sum())
    difference = abs(float(products.sum()) - sum(products.flip(0).tolist()))
    assert difference <= quality.bound(torch.float64, amplification, 0.0)


@given(st.integers(0, 2**32), st.integers(1, 400))
def test_weights_rounded_to_single_precision_are_not(seed, size):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(size, generator=generator, dtype=torch.float64) + 0.5 for _ in range(2))
    difference = abs(float(((a * (1 + 1e-9)).sub(a) * b).sum()))
    assert difference > quality.bound(torch.float64, float((a * b).sum()), 0.0)


def test_a_difference_that_stays_is_none_that_shrinks():
    assert quality.shrinks(1e-12, 1e-4)
    assert not quality.shrinks(1e-7, 2e-7)
    assert not quality.shrinks(math.nan, 1.0)
    assert not quality.shrinks(math.inf, math.inf)


def test_an_error_that_grows_more_than_the_unit_is_not_explained_by_rounding():
    formats = (torch.float64, torch.float32)
    assert quality.explained(1e-13, 1e-4, *formats, largest=1.0)
    assert quality.explained(0.0, 1e-6, *formats, largest=1.0)  # below the last bit in double precision
    assert not quality.explained(1e-16, 1e-3, *formats, largest=1.0)


@given(st.integers(0, 10**6))
def test_growth_is_drift_and_noise_is_not(seed):
    rng = random.Random(seed)
    noise = [1 + 0.3 * rng.random() for _ in range(16)]
    assert quality.drifts([value * (1 + i / 2) for i, value in enumerate(noise)])
    assert not quality.drifts(noise)


@pytest.mark.parametrize("ratios", [[1.0, 2.0, 4.0], [1.0] * 15 + [math.inf]])
def test_too_few_or_broken_stretches_say_nothing(ratios):
    assert not quality.drifts(ratios)


def test_casts_of_data_are_seen_and_those_of_numbers_are_not():
    with quality.Formats(torch.float64) as formats:
        torch.tensor(0.5, dtype=torch.float64).float()
        torch.randn(3).double()
    assert formats.coarsest == torch.float64
    with quality.Formats(torch.float64) as formats:
        torch.randn(3, dtype=torch.float64).half().double()
    assert formats.coarsest == torch.float16


def test_integers_are_not_perturbed():
    x = torch.arange(5)
    assert quality.perturbed(x, 0) is x
