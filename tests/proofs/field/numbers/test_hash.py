"""Free functions: uniform, deterministic, and different for different arguments."""

import math

import pytest
import torch

from coequal.proofs.field.numbers import hash as hashing
from coequal.proofs.field.numbers.primes import draw

PRIMES = draw(4, seed=2)
SMALL = (103, 107)


def residues(count: int, primes: tuple[int, ...] = PRIMES, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(0, p, (count,), generator=generator).double() - p // 2 for p in primes])


def test_values_are_centred_residues() -> None:
    image = hashing.free("f", [residues(10_000)], PRIMES, 1)
    for plane, p in zip(image, PRIMES, strict=True):
        assert float(plane.abs().max()) <= (p - 1) // 2
        assert bool((plane == plane.round()).all())


@pytest.mark.parametrize("seed", range(3))
def test_values_are_uniform(seed: int) -> None:
    """Pearson's statistic on cells of one residue each, within six standard deviations of its mean (p - 1, 2 (p - 1))."""
    count = 100_000
    arguments = torch.stack([torch.arange(count).double() - count // 2] * 2)  # neighbours, which a bad hash would keep
    image = hashing.free("f", [arguments], SMALL, seed)
    for plane, p in zip(image, SMALL, strict=True):
        cells = torch.bincount((plane + p // 2).long(), minlength=p).double()
        assert cells.numel() == p
        statistic = float(((cells - count / p) ** 2 / (count / p)).sum())
        assert abs(statistic - (p - 1)) < 6 * math.sqrt(2 * (p - 1))


def test_planes_are_independent_of_one_another() -> None:
    image = hashing.free("f", [residues(50_000, SMALL)], (103, 103, 103, 103), 4)
    for i in range(4):
        for j in range(i):
            together = int((image[i] == image[j]).sum())
            assert abs(together - 50_000 / 103) < 6 * math.sqrt(50_000 / 103)


def test_names_seeds_and_argument_places_matter() -> None:
    x, y = residues(100, seed=1), residues(100, seed=2)
    images = [
        hashing.free("f", [x], PRIMES, 1), hashing.free("g", [x], PRIMES, 1), hashing.free("f", [x], PRIMES, 2),
        hashing.free("f", [x, y], PRIMES, 1), hashing.free("f", [y, x], PRIMES, 1), hashing.free("f", [x, x], PRIMES, 1),
    ]  # fmt: skip
    for i, one in enumerate(images):
        for other in images[:i]:
            assert not bool((one == other).all(0).any())
    assert torch.equal(hashing.free("f", [x], PRIMES, 1), images[0])


def test_every_residue_of_every_argument_matters() -> None:
    x, y = residues(200, seed=3), residues(200, seed=4)
    image = hashing.free("f", [x, y], PRIMES, 1)
    for argument in range(2):
        for plane in range(4):
            changed = [x.clone(), y.clone()]
            changed[argument][plane] += 1
            assert not bool((hashing.free("f", changed, PRIMES, 1) == image).all(0).any())


def test_different_tuples_do_not_collide() -> None:
    """All pairs of a grid of 90 000 tuples in both digests: a random function would collide with probability 2^-31."""
    side = torch.arange(300).double() - 150
    grid = torch.stack([side.repeat_interleave(300), torch.zeros(90_000), side.repeat(300), torch.ones(90_000)])
    for digest in hashing.digests([grid], 9):
        assert digest.unique().numel() == 90_000


def test_packing_is_exact_at_the_extremes() -> None:
    """Two residues in one float64, negative ones, too, against Python's integers."""
    edge = [-(2**19) + 1, -1, 0, 1, 2**19 - 1]
    low, high = zip(*[(a, b) for a in edge for b in edge], strict=True)
    planes = torch.tensor([low, high], dtype=torch.float64)
    (word,) = hashing._words([planes])
    assert word.tolist() == [a + 2**21 * b for a, b in zip(low, high, strict=True)]
    assert word.unique().numel() == 25


def test_blocks_do_not_show() -> None:
    x = residues(3 * hashing.BLOCK + 17)
    image = hashing.free("f", [x], PRIMES, 1)
    at = [0, hashing.BLOCK - 1, hashing.BLOCK, 3 * hashing.BLOCK + 16]
    assert torch.equal(hashing.free("f", [x[:, at]], PRIMES, 1), image[:, at])
    shaped = x[:, : 4 * 6].reshape(4, 4, 6).transpose(1, 2)
    assert torch.equal(hashing.free("f", [shaped], PRIMES, 1), image[:, : 4 * 6].reshape(4, 4, 6).transpose(1, 2))


def test_mixing_is_a_bijection_that_spreads_every_bit() -> None:
    """Inverted step by step in Python; a flipped bit of the argument flips half of the bits of the value, on average."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(-(2**62), 2**62, (1000,), generator=generator)
    mixed = hashing.mix(x)
    assert [inverse_of_mix(m % 2**64) for m in mixed.tolist()] == [v % 2**64 for v in x.tolist()]
    for bit in (0, 1, 31, 62):
        flipped = hashing.mix(x ^ (1 << bit)) ^ mixed
        ones = sum(bin(v % 2**64).count("1") for v in flipped.tolist())
        assert abs(ones - 32_000) < 6 * math.sqrt(16_000)


def inverse_of_mix(z: int) -> int:
    def unshift(v: int, bits: int) -> int:
        result = v
        for _ in range(64 // bits):
            result = v ^ (result >> bits)
        return result

    z = unshift(z, 31) * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
    z = unshift(z, 27) * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
    return unshift(z, 30)


@pytest.mark.parametrize("shift", [2**19, 2**18, 3 * 2**17])
def test_the_worst_differences_for_a_sum_modulo_a_power_of_two(shift: int) -> None:
    """Arguments that differ by a multiple of a high power of two in every residue: the two sums still tell them apart."""
    x = residues(20_000)
    y = torch.stack([(plane + shift + p // 2).remainder(p) - p // 2 for plane, p in zip(x, PRIMES, strict=True)])
    for one, other in zip(hashing.digests([x], 5), hashing.digests([y], 5), strict=True):
        assert not bool((one == other).any())


def test_few_and_many_elements_have_the_same_values() -> None:
    many, few = residues(5_000), residues(5_000)[:, 7:19]
    assert torch.equal(hashing.free(("f", 1), [few], PRIMES, 1), hashing.free(("f", 1), [many], PRIMES, 1)[:, 7:19])


def test_who_writes_to_a_value_changes_no_other() -> None:
    x = residues(10)
    first = hashing.free("f", [x], PRIMES, 1)
    kept = first.clone()
    assert torch.equal(hashing.free("f", [x], PRIMES, 1), first.mul_(0) + kept)
    assert torch.equal(hashing.free("f", [x.view(4, 2, 5)], PRIMES, 1), kept.view(4, 2, 5))
