"""What Theorem 7 is stated with: directions in which numbers move, and the affine space that points lie in."""

import pytest
import torch

from coequal.proofs.theorems.one_more import dimension, rank

PRIME = 1_048_573


def test_directions_are_told_from_rounded_zeros() -> None:
    seed = torch.Generator().manual_seed(1)
    rows = torch.randn(5, 3, generator=seed, dtype=torch.float64) @ torch.randn(3, 8, generator=seed, dtype=torch.float64)
    assert rank(rows) == 3
    assert rank(rows[:2]) == 2


def test_numbers_of_other_sizes_move_no_less() -> None:
    rows = torch.eye(3, dtype=torch.float64) * torch.tensor([1.0, 1e-30, 1e30], dtype=torch.float64)
    assert rank(rows) == 3


def test_what_does_not_move_has_no_direction() -> None:
    assert rank(torch.zeros(2, 4, dtype=torch.float64)) == 0


def test_what_moves_by_a_trillionth_else_is_no_direction() -> None:
    assert rank(torch.tensor([[1.0, 1.0], [1.0, 1.0 + 1e-12]], dtype=torch.float64)) == 1


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_points_of_an_affine_space_have_its_dimension(size: int) -> None:
    seed = torch.Generator().manual_seed(2)
    base = torch.randint(0, PRIME, (1, 6), generator=seed)
    spanned = torch.randint(0, 1000, (9, size), generator=seed) @ torch.randint(0, 1000, (size, 6), generator=seed)
    points = (base + spanned) % PRIME
    assert dimension(points.double(), PRIME) == size


def test_a_trillionth_more_is_another_dimension() -> None:
    inverse = pow(10**12, -1, PRIME)
    points = torch.tensor([[0, 0], [1, 1], [2, 2 + inverse]])
    assert dimension(points, PRIME) == 2


def test_a_dimension_is_that_of_all_residues_whatever_their_signs() -> None:
    points = torch.tensor([[0.0, 0.0], [-1.0, 1.0], [PRIME - 1.0, 1.0]])
    assert dimension(points, PRIME) == 1
