"""TAda2D: with the mean of the clip nothing streams, without it every block waits for three frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

import coequal
from coequal.continual.conversion import convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.contents import weights
from coequal.reference.compose import Sequential
from coequal.reference.layer import scope
from coequal.reference.timing import Timing
from coequal.systems import tada
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names


def test_scaled_channels_are_calibrated_weights(within: Callable) -> None:
    """The definition of the paper: for every frame a kernel of its own, the shared one times a factor for each channel."""
    layer = Sequential(tada.block(8, 4, 1, True).layers[0].main.layers[3:5])  # type: ignore[attr-defined]
    parameters, clip = weights(layer, 3), np.random.default_rng(3).standard_normal((1, 4, 5, 6, 6))
    route = layer.layers[0].main.main  # type: ignore[attr-defined]
    factors = 1 + route(scope(parameters, "0.main.main"), clip)
    shared = parameters["1.weight"][:, :, 0]
    for t in range(clip.shape[2]):
        kernel = torch.tensor(factors[0, :, t, 0, 0][None, :, None, None] * shared)
        frame = torch.tensor(clip[:, :, t])
        expected = torch.nn.functional.conv2d(frame, kernel, padding=1).numpy()
        magnitude = torch.nn.functional.conv2d(frame.abs(), kernel.abs(), padding=1).numpy()
        within(layer(parameters, clip)[:, :, t], expected, magnitude, kernel[0].numel() + 3)


def test_the_first_frame_depends_on_the_last_one() -> None:
    """With the context; without it, what changes is two frames before the one that does."""
    clip = np.random.default_rng(1).standard_normal((1, 32, 9, 2, 2))
    other = clip.copy()
    other[:, :, -1] += 1.0
    for context, seen in ((True, range(9)), (False, range(6, 9))):
        layer = tada.calibrated(32, context)
        parameters = weights(layer, 1)
        changed = (layer(parameters, clip) != layer(parameters, other)).any(axis=(0, 1, 3, 4))
        assert np.flatnonzero(changed).tolist() == list(seen)
        assert (layer.timing is None) == context


def test_every_block_waits_for_three_frames() -> None:
    network = tada.tada2d(1, context=False)
    assert network.timing == Timing(97, 1, 48, 48)
    assert tada.tada2d(8).timing is None


def test_without_context_its_stream_is_proved() -> None:
    stream = convert(regular(tada.tada2d(2, False, 4, 2, (1,))).eval())
    report = coequal.verify(stream, example=torch.randn(1, 3, 12, 4, 4), effort="quick", checks=["exact"])
    assert (report.verdict, report.proof["horizon"]) == ("proved", "all")


def test_weights_have_the_names_of_the_original_code() -> None:
    layer = SYSTEMS["TAda2D-R50_8"].layer
    named = original_names(layer, tada.modules())
    shapes = {named[name]: shape for name, shape in layer.parameters().items()}
    assert shapes["backbone.conv2.res_1.conv_branch.b_rf.g.weight"] == (64, 64, 1, 1, 1)
    assert shapes["backbone.conv4.res_6.conv_branch.b_rf.a.bias"] == (64,)
    assert shapes["backbone.conv5.res_1.short_cut.weight"] == (2048, 1024, 1, 1, 1)
    assert shapes["backbone.conv5.res_3.conv_branch.b.weight"] == (512, 512, 1, 3, 3)
    assert shapes["head.out.weight"] == (400, 2048, 1, 1, 1)
