"""Axes in docstrings."""

import pytest

from coequal.subjects.drafts.documented import axes, letters, of_clips, of_frames


@pytest.mark.parametrize(
    ("names", "found"),
    [("B, T, F", "BTF"), ("time, batch, features", "TBF"), ("N, C, L", "BFT"), ("B, 1, F", "B1F"), ("seq_len, bsz", "TB")],
)
def test_letters(names: str, found: str) -> None:
    assert letters(names) == found


def test_docstrings_in_order() -> None:
    def method() -> None:
        """From (B, F) to (batch, time, features)."""

    assert axes(method) == ["BF", "BTF"]
    assert of_clips(axes(method)) == "BTF"
    assert of_frames(axes(method), rank=3) is False


def test_a_frame_that_keeps_its_time_axis() -> None:
    assert of_frames(["B1F"], rank=3) is True
    assert of_frames(["FF"], rank=3) is None


def test_what_a_class_inherits_says_nothing_of_it() -> None:
    class Parent:
        """(T, B, F)."""

    assert axes(type("Child", (Parent,), {})) == []
