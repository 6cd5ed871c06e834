"""Whole tensors of constants, against one float at a time."""

import math

import pytest
import torch

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.numbers.constants import FEW, near_simple
from coequal.proofs.field.numbers.number import modulo, number_of

ROOTS = (2, 3, 5, 7)


def floats(seed: int, count: int) -> torch.Tensor:
    """Of all magnitudes, with simple numbers, their neighbours and roots among them."""
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(count, dtype=torch.float64, generator=generator)
    scaled = plain * torch.exp2(torch.randint(-70, 60, (count,), generator=generator).double())
    n, d = (torch.randint(1, 200, (100,), generator=generator).double() for _ in range(2))
    simple = n / d
    near = [simple, torch.nextafter(simple, torch.tensor(math.inf).double()), -simple, simple.float().double()]
    roots = [
        torch.tensor([math.sqrt(k / m), (k / m) ** 0.25], dtype=torch.float64) for k in (2, 6, 10, 30) for m in (1, 7, 21)
    ]
    return torch.cat(
        [
            plain,
            plain.float().double(),
            scaled,
            *near,
            *roots,
            torch.tensor([0.0, 5e-324, 1.7e308, 0.1, 1e-5], dtype=torch.float64),
        ]
    )


def one_by_one(x: torch.Tensor, field: Field) -> torch.Tensor:
    numbers = [number_of(value, literal=field.literal) for value in x.flatten().tolist()]
    return torch.tensor([[modulo(n, p) for n in numbers] for p in field.primes], dtype=torch.float64).view(-1, *x.shape)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("literal", [False, True])
def test_a_tensor_is_its_floats(seed: int, literal: bool) -> None:
    field = Field.drawn(seed, count=2, roots=ROOTS, literal=literal)
    x = floats(seed, 400)
    assert x.unique().numel() > FEW  # the vectorised way
    assert torch.equal(field.constants(x).planes, one_by_one(x, field))


@pytest.mark.parametrize("seed", range(3))
def test_tables_and_their_rows_agree(seed: int) -> None:
    field = Field.drawn(seed, count=2, roots=ROOTS)
    table = floats(seed, 400)[:1400].view(20, 70)
    whole = field.constants(table).planes
    for i, row in enumerate(table):
        assert row.unique().numel() <= FEW  # float by float
        assert torch.equal(field.constants(row).planes, whole[:, i])


def test_every_float_that_stands_for_another_number_is_picked_out() -> None:
    x = floats(9, 2000)
    picked = near_simple(x)
    other = torch.tensor([not number_of(value).exact for value in x.tolist()])
    assert other.any()
    assert bool((picked | ~other).all())
    assert int(picked.sum()) < x.numel() // 2  # else it would pick nothing out


def test_assumptions_are_listed_for_few_and_for_many() -> None:
    few = torch.tensor([0.1, 0.5], dtype=torch.float64)
    for tensor in (few, torch.cat([torch.randn(2 * FEW, dtype=torch.float64), few])):
        field = Field.drawn(3)
        field.constants(tensor)
        assert field.account.assumptions["0.1"] == "the constant 0.1 stands for 1/10"
        assert "0.5" not in field.account.assumptions


def test_masks() -> None:
    field = Field.drawn(1)
    value = field.constants(torch.tensor([1.0, -math.inf, torch.finfo(torch.float32).min, -1e29]))
    assert value.minus_infinity().tolist() == [False, True, True, False]
    assert value.masked
    assert "mask" in field.account.assumptions


def test_an_empty_tensor() -> None:
    assert Field.drawn(1).constants(torch.empty(0, 3)).planes.shape == (4, 0, 3)
