"""Symbols: floats that are told from all others, whatever is done to the tensors that hold them."""

import copy

import pytest
import torch

from coequal.proofs.field.numbers.primes import draw
from coequal.proofs.field.numbers.symbols import CODES, Symbols

PRIMES = draw(4, seed=1)
FORMATS = list(CODES)


@pytest.mark.parametrize("dtype", FORMATS)
def test_numbers_come_back(dtype: torch.dtype) -> None:
    symbols = Symbols(3)
    first, second = symbols.fresh(torch.empty(5, 7, dtype=dtype)), symbols.fresh(torch.empty(2, 3, dtype=dtype))
    assert symbols.numbers(first).tolist() == torch.arange(35).view(5, 7).tolist()
    assert symbols.numbers(second).tolist() == torch.arange(35, 41).view(2, 3).tolist()
    moved = torch.cat([first.T[2:4, 1], second[0]])
    assert symbols.numbers(moved).tolist() == [9, 10, 35, 36, 37]
    assert symbols.numbers(copy.deepcopy(first).clone()).tolist() == symbols.numbers(first).tolist()


@pytest.mark.parametrize("dtype", FORMATS)
def test_they_are_finite_large_and_distinct(dtype: torch.dtype) -> None:
    held = Symbols(1).fresh(torch.empty(100_000, dtype=dtype))
    assert held.unique().numel() == 100_000
    assert bool((held >= 2.0**40).all())
    assert bool((held < 2.0**56).all())


@pytest.mark.parametrize("dtype", FORMATS)
def test_nothing_else_is_one(dtype: torch.dtype) -> None:
    symbols = Symbols(2)
    given = symbols.fresh(torch.empty(1000, dtype=dtype))
    others = torch.cat([torch.randn(1000), torch.tensor([0.0, -1e30, 2.0**40, float("nan"), float("inf")])]).to(dtype)
    assert symbols.numbers(others) is None
    mixed = torch.cat([others, given[7:8]])
    assert symbols.numbers(mixed).tolist() == [-1] * 1005 + [7]
    assert symbols.numbers(torch.empty(0, dtype=dtype)) is None
    assert Symbols(2).numbers(given) is None  # of another draw, which gave nothing out


def test_formats_of_one_draw_are_independent() -> None:
    symbols = Symbols(1)
    number = torch.arange(50)
    double, single = (symbols.residues(number, dtype, PRIMES) for dtype in FORMATS)
    assert int((double == single).sum()) <= 2  # of 200; each coincides with a probability of 2^-20


def test_residues_are_centred_and_of_the_number_alone() -> None:
    symbols = Symbols(5)
    planes = symbols.residues(torch.arange(1000), torch.float64, PRIMES)
    for plane, p in zip(planes, PRIMES, strict=True):
        assert float(plane.abs().max()) <= (p - 1) // 2
    assert torch.equal(symbols.residues(torch.tensor([17]), torch.float64, PRIMES)[:, 0], planes[:, 17])
    assert not torch.equal(Symbols(6).residues(torch.arange(1000), torch.float64, PRIMES), planes)


def test_formats_without_a_code() -> None:
    with pytest.raises(ValueError, match=r"no code in torch\.float16: expected one of torch\.float64, torch\.float32"):
        Symbols(1).fresh(torch.empty(3, dtype=torch.float16))


def test_too_many() -> None:
    symbols = Symbols(1, given={torch.float32: 1 << 26})
    with pytest.raises(ValueError, match="too many numbers"):
        symbols.fresh(torch.empty(1))
