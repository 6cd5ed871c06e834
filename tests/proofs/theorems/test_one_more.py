"""What Theorem 7 is stated with: directions in which numbers move, and the affine space that points lie in."""

import pytest
import torch

from coequal.proofs.theorems.one_more import dimension, rank

PRIME = 1_048_573


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_a_product_of_matrices_has_the_rank_of_the_smaller(size: int) -> None:
    seed = torch.Generator().manual_seed(1)
    left, right = (torch.randint(0, PRIME, (50, size), generator=seed) for _ in range(2))
    assert rank(left @ right.T % PRIME, PRIME) == size


def test_rows_that_are_the_same_but_for_the_prime_are_one() -> None:
    assert rank(torch.tensor([[1, 2], [PRIME + 1, 2 - PRIME], [2, 4]]), PRIME) == 1


def test_a_trillionth_is_a_direction() -> None:
    inverse = pow(10**12, -1, PRIME)
    assert rank(torch.tensor([[1, 1], [1, 1 + inverse]]), PRIME) == 2


def test_what_does_not_move_has_no_direction() -> None:
    assert rank(torch.zeros(2, 4), PRIME) == 0


def test_more_numbers_than_float64_adds_up_exactly_are_refused() -> None:
    with pytest.raises(ValueError, match="too many modulo"):
        rank(torch.ones(5000, 5000), PRIME)


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
