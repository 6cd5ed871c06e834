"""Skeletons: mixing against loops, the norm joint by joint, and what is refused."""

import numpy as np
import pytest

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.skeleton import (
    SCOPES,
    AdaptiveJointMixing,
    JointMixing,
    JointNorm,
    adaptive_edges,
    adaptive_edges_loops,
    joint_mixing,
    joint_mixing_loops,
)


def test_vectorised_is_loops_and_edges_have_a_direction():
    rng = np.random.default_rng(1)
    clip, edges = rng.integers(-4, 5, (2, 3, 2, 4, 2)).astype(float), rng.integers(-4, 5, (4, 4)).astype(float)
    np.testing.assert_array_equal(joint_mixing(clip, edges), joint_mixing_loops(clip, edges))
    parameters = {"adjacency": np.eye(4, k=1), "weight": 2 * np.ones((4, 4))}
    moved = JointMixing(4)(parameters, clip)
    np.testing.assert_array_equal(moved[..., 1:, :], 2 * clip[..., :-1, :])
    assert not moved[..., 0, :].any()


def test_each_joint_of_each_person_has_its_own_norm():
    layer = JointNorm(3, 4, 2)
    parameters, clip = weights(layer, 2), np.random.default_rng(2).standard_normal((1, 3, 2, 4, 2))
    feature = (1 * 4 + 2) * 3 + 1  # channel 1 of joint 2 of person 1
    changed = {**parameters, "bias": parameters["bias"] + np.eye(24)[feature]}
    different = layer(changed, clip) != layer(parameters, clip)
    assert different[0, 1, :, 2, 1].all()
    assert different.sum() == 2


def test_all_persons_may_have_the_same_norm():
    layer, clip = JointNorm(3, 4, None), np.random.default_rng(6).standard_normal((2, 3, 2, 4, 2))
    parameters = weights(layer, 6)
    alone = [layer(parameters, clip[..., m : m + 1]) for m in range(2)]
    np.testing.assert_array_equal(layer(parameters, clip), np.concatenate(alone, axis=-1))
    assert not np.array_equal(layer(parameters, clip[:, :, :, ::-1]), layer(parameters, clip)[:, :, :, ::-1])


@pytest.mark.parametrize("scope", SCOPES)
def test_adaptive_edges_are_those_of_the_loops(scope, within):
    rng = np.random.default_rng(3)
    q, k = rng.standard_normal((2, 2, 3, 4, 2)), rng.standard_normal((2, 2, 3, 4, 2))
    edges = adaptive_edges(q, k, scope)
    largest = 1 + np.abs(q).max() * np.abs(k).max()  # an error of a score is one of its exponential, relatively
    within(edges, adaptive_edges_loops(q, k, scope), largest, 64)
    within(edges.sum(axis=-2), np.ones((2, 1 if scope == "clip" else 3, 2, 4)), np.ones(()), 16)


def test_adaptive_edges_of_a_frame_leave_others_alone():
    rng = np.random.default_rng(4)
    clip = rng.standard_normal((1, 3, 4, 3, 2))
    other = clip.copy()
    other[:, :, 3] += 1
    for scope, seen in (("clip", [0, 1, 2, 3]), ("frame", [3])):
        layer = AdaptiveJointMixing(3, 2, 3, scope)
        parameters = weights(layer, 4)
        changed = (layer(parameters, clip) != layer(parameters, other)).any(axis=(0, 1, 3, 4))
        assert np.flatnonzero(changed).tolist() == seen
        assert (layer.timing is None) == (scope == "clip")
    with pytest.raises(ValueError, match="scope is one of 'clip', 'frame', got 'window'"):
        AdaptiveJointMixing(3, 2, 3, "window")


def test_errors():
    with pytest.raises(ValueError, match=r"with V = joints = 4, got shape \(1, 3, 2, 5, 2\)"):
        JointMixing(4).output_shape((1, 3, 2, 5, 2))
    with pytest.raises(ValueError, match=r"expected a clip \(B, 3, T, 4, 2\), got shape \(1, 3, 2, 4, 1\)"):
        JointNorm(3, 4, 2).output_shape((1, 3, 2, 4, 1))
