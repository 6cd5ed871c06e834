"""Iteration domains: sizes in closed form against their elements; the pairs of attention against the reference's masks."""

import itertools

import numpy as np
import pytest

from coequal.proofs.cost import T, clip_cost
from coequal.proofs.cost.algebra.domain import Domain, Pairs, Range, Window, ranges
from coequal.proofs.cost.formulas.attention import pairs
from coequal.reference.attention import MultiheadAttention, structure
from coequal.reference.conv import Conv
from coequal.reference.window import positions


@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(itertools.product((1, 2, 3), (1, 2, 3), (1, 2))))
@pytest.mark.parametrize(("start", "end"), [(0, 0), (1, 1), (2, 0), (0, 2), (3, 3)])
def test_windows(kernel: int, stride: int, dilation: int, start: int, end: int) -> None:
    for length in range(1, 12):
        outputs = positions(length + start + end, kernel, stride, dilation)
        for effective in (False, True):
            window = Window(length, outputs, kernel, stride, dilation, start, effective)
            assert window.count() == len(list(window))


@pytest.mark.parametrize(("mode", "window"), [("causal", None), *(("sliding", n) for n in (1, 2, 5, 9)), ("single", 3)])
@pytest.mark.parametrize("length", [3, 4, 7, 12])
def test_pairs_of_attention_are_those_that_the_mask_of_the_reference_lets_pass(
    mode: str, window: int | None, length: int
) -> None:
    layer = MultiheadAttention(4, 2, mode=mode, window=window)
    met = pairs(layer, length, "effective")
    mask = structure(met.queries, length, causal=mode == "causal", window=window)
    assert mask is not None
    assert met.count() == int(np.sum(~np.isneginf(mask)))
    assert sorted(met) == [(int(i), int(j)) for i, j in np.argwhere(~np.isneginf(mask))]
    assert clip_cost(layer, (1, length, 4), padding="effective").only("attention").mul == 2 * 4 * met.count()


def test_everything_meets_where_nothing_is_masked() -> None:
    assert Pairs(3, 5).count() == Pairs(3, 5, effective=True).count() == len(list(Pairs(3, 5))) == 15


def test_a_domain_is_a_product() -> None:
    domain = Domain((*ranges(2, 3), Window(4, 4, 3, start=1, effective=True)))
    assert domain.count() == domain.enumerated() == 2 * 3 * (3 * 4 - 2)
    assert list(Range(3)) == [0, 1, 2]


def test_causal_pairs_in_letters() -> None:
    assert Pairs(T, T, causal=True, effective=True).count() == T * (T + 1) / 2


def test_padding_that_repeats_the_clip_is_no_zero() -> None:
    zeros, repeated = (Conv(1, 1, (3,), padding=1, padding_mode=mode, bias=False) for mode in ("zeros", "replicate"))
    assert clip_cost(zeros, (1, 1, 5), padding="effective").macs() == 13
    assert clip_cost(repeated, (1, 1, 5), padding="effective").macs() == 15
