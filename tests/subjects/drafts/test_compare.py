"""Distances in words."""

import torch

from coequal.subjects.drafts.compare import compared, distance, same

frames = list(torch.randn(5, 2, 3, dtype=torch.float64))


def test_the_same_numbers() -> None:
    assert compared(frames, frames) == "5 frames for the clip's 5, the same numbers"
    assert same(frames, frames)


def test_rounding_is_the_same_and_a_mistake_is_not() -> None:
    assert same([frame * (1 + 1e-15) for frame in frames], frames)
    assert not same([frame * (1 + 1e-6) for frame in frames], frames)


def test_counts_are_compared() -> None:
    assert not same(frames[:4], frames)
    assert compared(frames[:4], frames).startswith("4 frames for the clip's 5, ")
    assert compared([], frames) == "0 frames for the clip's 5"


def test_nan_is_never_the_same() -> None:
    assert distance([frames[0] * float("nan")], [frames[0]]) == float("inf")


def test_complex_frames_keep_their_imaginary_part() -> None:
    assert distance([frames[0] * 1j], [frames[0] * 2j]) > 0
