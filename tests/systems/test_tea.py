"""TEA: delays block by block, the rule of the last frame, and what its published number counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import coequal
from coequal.continual.conversion import convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.contents import weights
from coequal.proofs.cost import clip_cost
from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer, scope
from coequal.reference.timing import Timing
from coequal.systems import tea
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names


@pytest.mark.parametrize(
    ("layers", "channels", "timing"),
    [((tea.excitation(16),), 16, Timing(2, 1, 0, 1)), (tea.aggregation(2), 8, Timing(7, 1, 3, 3))],
    ids=["excitation", "aggregation"],
)
def test_streams_are_proved(layers: tuple[Layer, ...], channels: int, timing: Timing) -> None:
    network = Sequential(layers)
    assert network.timing == timing
    stream = convert(regular(network).eval())
    report = coequal.verify(stream, example=torch.randn(1, channels, 10, 2, 1), effort="quick", checks=["exact"])
    assert (report.verdict, report.proof["horizon"]) == ("proved", "all")


def test_delays_add_up() -> None:
    """Four frames a block, two in the first of each of four stages: 12 * 4 + 4 * 2, and 97 frames are seen."""
    blocks = [tea.block(4, 10, 1, False), tea.block(4, 10, 2, True)]
    assert [block.timing for block in blocks] == [Timing(8, 1, 3, 4), Timing(4, 1, 1, 2)]
    assert tea.tea(None).timing == Timing(97, 1, 40, 56)


def test_excitation_is_what_the_original_code_says() -> None:
    """In its own terms: `x + x * (sigmoid - 1/2)`, and a difference of zero at the last frame."""
    layer = tea.excitation(16)
    parameters, clip = weights(layer, 2), np.random.default_rng(2).standard_normal((1, 16, 4, 3, 3))
    motion, gate = layer.main.main.layers[:4], layer.main.main.layers[4:]  # type: ignore[attr-defined]
    inside = scope(parameters, "main.main")
    x = clip
    for i, part in enumerate(motion):
        x = part(scope(inside, str(i)), x)
    assert not x[:, :, -1].any()
    assert x[:, :, :-1].any()
    for i, part in enumerate(gate, start=len(motion)):
        x = part(scope(inside, str(i)), x)
    expected = clip + clip * (x - 0.5)
    rounding = 8 * np.finfo(float).eps * (np.abs(clip) * (2 + np.abs(x)))  # four roundings on either side
    assert (np.abs(layer(parameters, clip) - expected) <= rounding).all()


def test_thirty_views_of_the_training_crop_are_what_is_printed_for_the_larger_one() -> None:
    """The reason that the data file gives."""
    views = 30 * clip_cost(tea.tea(16), (1, 3, 16, 224, 224)).macs()
    assert round(views / 10**9) == 2072


def test_weights_have_the_names_of_the_original_code() -> None:
    """Widths of 26, 52, 104 and 208 channels, excitations of a sixteenth of four times as many."""
    layer = SYSTEMS["TEA-R50_8"].layer
    named = original_names(layer, tea.modules())
    shapes = {named[name]: shape for name, shape in layer.parameters().items()}
    assert shapes["base_model.layer1.0.me.conv1.weight"] == (6, 104, 1, 1, 1)
    assert shapes["base_model.layer2.3.shifts.3.conv.weight"] == (52, 1, 3, 1, 1)
    assert shapes["base_model.layer3.5.convs.2.weight"] == (104, 104, 1, 3, 3)
    assert shapes["base_model.layer4.0.downsample.0.weight"] == (2048, 1024, 1, 1, 1)
    assert shapes["base_model.layer4.2.conv3.weight"] == (2048, 832, 1, 1, 1)
