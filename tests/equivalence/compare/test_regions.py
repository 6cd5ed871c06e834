import math

import pytest

from coequal.equivalence.compare.regions import Regions
from coequal.equivalence.report import MeasuredTiming


@pytest.mark.parametrize(
    ("frame", "region"), [(0, "head"), (1, "head"), (2, "interior"), (7, "interior"), (8, "tail"), (9, "tail")]
)
def test_five_taps_centred_over_ten_frames(frame, region):
    assert Regions(MeasuredTiming(5, 1, 2)).of(frame, 10) == region


@pytest.mark.parametrize(("frame", "region"), [(0, "head"), (1, "interior"), (3, "interior"), (4, "tail")])
def test_stride_two(frame, region):
    assert Regions(MeasuredTiming(3, 2, 1)).of(frame, 8) == region


def test_a_clip_shorter_than_the_receptive_field_has_no_interior():
    assert {Regions(MeasuredTiming(5, 1, 2)).of(j, 3) for j in range(3)} == {"head", "both ends", "tail"}


def test_unbounded_memory_is_all_interior_and_unknown_timing_has_no_regions():
    assert Regions(MeasuredTiming(math.inf, 1, 0)).of(0, 4) == "interior"
    assert not Regions().of(0, 4)


def test_counts_become_verdicts():
    regions = Regions(MeasuredTiming(3, 1, 1))
    for frame, same in ((0, False), (1, True), (2, True)):
        regions.note(frame, 9, same)
    verdicts = regions.verdicts()
    assert {name: v.outcome for name, v in verdicts.items()} == {
        "head": "different",
        "interior": "equal",
        "tail": "not compared",
        "both ends": "not compared",
    }
    assert (verdicts["interior"].frames, verdicts["head"].different) == (2, 1)
