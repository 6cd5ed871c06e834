"""S3D streams at one frame in eight; the gates of S3D-G do not stream, and the smallest counterexample has two frames."""

from __future__ import annotations

import numpy as np

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.compose import Sequential
from coequal.systems import s3d
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names


def test_a_gate_of_two_frames_is_a_counterexample() -> None:
    """The first frame of the output depends on a frame that a stream has not seen when it must emit it."""
    gate = s3d.gate(1)
    parameters = weights(gate, 2)
    first = np.array([1.0, 2.0]).reshape(1, 1, 2, 1, 1)
    second = np.array([1.0, 3.0]).reshape(1, 1, 2, 1, 1)
    assert gate.timing is None
    assert gate(parameters, first)[0, 0, 0] != gate(parameters, second)[0, 0, 0]


def test_gates_reach_over_the_whole_clip() -> None:
    """Prediction 0 of S3D sees frames up to 59 of 64; with gates it sees the last one too."""
    clip = np.random.default_rng(4).standard_normal((1, 3, 64, 32, 32))
    other = clip.copy()
    other[:, :, -1] += 1.0
    for gated in (False, True):
        network = s3d.s3d(64, gated, 3, side=1, divisor=16)
        predictions = Sequential(network.layers[:-1])  # before their mean
        parameters = weights(predictions, 4)
        before, after = predictions(parameters, clip), predictions(parameters, other)
        assert before.shape == (1, 3, 7, 1, 1)
        assert (before[:, :, -1] != after[:, :, -1]).any()
        assert (before[:, :, 0] != after[:, :, 0]).any() == gated


def test_receptive_field() -> None:
    """99 frames before the head, which takes two of the eighths that are left."""
    timing = Sequential(s3d.s3d(16).layers[:-3]).timing
    assert timing is not None
    assert (timing.receptive_field, timing.stride) == (99, 8)


def test_weights_have_the_names_of_torchvision() -> None:
    """Shapes as in torchvision's `s3d`, whose parameters are as many."""
    layer = SYSTEMS["S3D_16"].layer
    named = original_names(layer, s3d.modules())
    shapes = {named[name]: shape for name, shape in layer.parameters().items()}
    assert SYSTEMS["S3D_16"].params == 8320048
    assert shapes["features.0.1.0.weight"] == (64, 64, 7, 1, 1)
    assert shapes["features.5.branch1.1.0.0.weight"] == (128, 96, 1, 3, 3)
    assert shapes["features.12.branch3.1.0.weight"] == (128, 528, 1, 1, 1)
    assert shapes["features.15.branch2.1.1.1.bias"] == (128,)
    assert shapes["classifier.1.weight"] == (400, 1024, 1, 1, 1)
