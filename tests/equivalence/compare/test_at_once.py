"""Frames that are compared at once agree where each agrees with its own, and nowhere else."""

from __future__ import annotations

import math

import pytest
import torch

from coequal.equivalence.compare.difference import MOST, all_close, close

FRAME = torch.tensor([1.0, -2.0, 3.0])


def frames(*changes: tuple[int, int, float]) -> list[torch.Tensor]:
    """Four frames, some of their elements replaced."""
    made = [FRAME * (i + 1) for i in range(4)]
    for frame, element, value in changes:
        made[frame][element] = value
    return made


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (frames(), frames()),
        (frames((2, 1, -6.0 + 1e-7)), frames()),
        (frames((2, 1, -6.1)), frames()),
        (frames((3, 0, math.nan)), frames((3, 0, math.nan))),
        (frames((3, 0, math.nan)), frames()),
        (frames(), frames((3, 0, math.nan))),
        (frames((0, 2, math.inf)), frames((0, 2, math.inf))),
        (frames((0, 2, math.inf)), frames((0, 2, -math.inf))),
        (frames((0, 2, math.inf)), frames()),
    ],
)
def test_as_each_by_itself(got: list[torch.Tensor], want: list[torch.Tensor]) -> None:
    assert all_close(got, want, 1e-6) is all(close(g, w, 1e-6) for g, w in zip(got, want, strict=True))


def test_integers_agree_where_they_are_equal() -> None:
    whole = [frame.long() for frame in frames()]
    assert all_close(whole, [frame.clone() for frame in whole], 1e9)
    assert not all_close(whole, [*whole[:3], whole[3] + 1], 1e9)


@pytest.mark.parametrize(
    "other",
    [FRAME.double(), FRAME[:2], FRAME.to("meta"), FRAME.to_sparse(), torch.nn.Parameter(FRAME)],
    ids=["format", "shape", "device", "layout", "kind"],
)
def test_what_makes_no_one_tensor_is_asked_one_by_one(other: torch.Tensor) -> None:
    assert not all_close([FRAME, other], [FRAME, other], 1.0)


def test_so_is_what_is_large() -> None:
    large = [torch.zeros(1).expand(MOST), torch.zeros(1).expand(MOST)]
    assert not all_close(large, large, 1.0)
