"""Attention over joints: against loops, person by person and frame by frame, and what is refused."""

import numpy as np
import pytest

from coequal.reference.joint_attention import JointAttention, joint_attention_loops

LAYER = JointAttention(6, 4, 2)


def test_it_is_that_of_the_loops(within):
    clip = np.random.default_rng(1).standard_normal((2, 14, 3, 5, 2))
    largest = np.full((2, 6, 3, 5, 2), np.abs(clip).max() * (1 + 2 * np.abs(clip).max() ** 2))
    within(LAYER({}, clip), joint_attention_loops(clip, 6, 4, 2), largest, 64)


def test_joints_see_those_of_their_person_and_frame_alone():
    clip = np.random.default_rng(2).standard_normal((1, 14, 3, 5, 2))
    other = clip.copy()
    other[0, :, 1, 4, 0] += 1
    changed = (LAYER({}, clip) != LAYER({}, other)).any(axis=(0, 1))
    expected = np.zeros((3, 5, 2), dtype=bool)
    expected[1, :, 0] = True
    np.testing.assert_array_equal(changed, expected)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="channels and inner must be multiples of num_heads, got 6, 4 and 4"):
        JointAttention(6, 4, 4)
    with pytest.raises(
        ValueError, match=r"expected a clip \(B, 2 C'' \+ C, T, V, M\) with 14 channels, got shape \(1, 6, 3, 5, 2\)"
    ):
        LAYER.output_shape((1, 6, 3, 5, 2))
