"""3-D ResNets of Hara: shortcuts, weights and their names, and what a stream emits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.contents import weights
from coequal.reference.compose import Residual, Sequential
from coequal.systems import hara
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names


@pytest.mark.parametrize("stride", [1, 2])
def test_shortcut_a_is_what_the_original_code_says(stride: int) -> None:
    """Average pooling with a kernel of one element and zeros for the missing channels, after a branch that adds nothing."""
    block = hara.basic(2, 3, stride)
    residual = block.layers[0]
    assert isinstance(residual, Residual)
    parameters = {name: value * 0 for name, value in weights(block, 1).items()}
    parameters["0.main.4.running_var"] = parameters["0.main.1.running_var"] = np.ones(3)
    clip = np.random.default_rng(1).standard_normal((1, 2, 5, 4, 3))
    pooled = torch.nn.functional.avg_pool3d(torch.tensor(clip), kernel_size=1, stride=stride)
    zeros = torch.zeros(1, 1, *pooled.shape[2:], dtype=pooled.dtype)
    np.testing.assert_array_equal(block(parameters, clip), torch.relu(torch.cat([pooled, zeros], 1)).numpy())


def test_a_shortcut_without_weights_has_none() -> None:
    """Of a basic block: two convolutions and two norms."""
    assert {name.split(".")[1] for name in hara.basic(2, 4, 2).parameters()} == {"main"}
    assert {name.split(".")[1] for name in hara.bottleneck(2, 4, 2).parameters()} == {"main", "shortcut"}


def test_receptive_fields_before_the_head() -> None:
    """All of them see more frames than the 16 that they are fed, and emit at one frame in 16."""
    fields = {}
    for depth, block in ((18, hara.basic), (50, hara.bottleneck)):
        timing = Sequential(hara.resnet(16, hara.BLOCKS[depth], block).layers[:-2]).timing
        assert timing is not None
        fields[depth] = (timing.receptive_field, timing.stride)
    assert fields == {18: (221, 16), 50: (217, 16)}


def test_weights_have_the_names_of_the_original_code() -> None:
    """Shapes as in kenshohara/3D-ResNets-PyTorch."""
    shallow, deep = SYSTEMS["3D ResNet-34"].layer, SYSTEMS["3D ResNeXt-101"].layer
    named = original_names(shallow, hara.modules(hara.BLOCKS[34], basic=True))
    shapes = {named[name]: shape for name, shape in shallow.parameters().items()}
    assert shapes["layer2.0.conv1.weight"] == (128, 64, 3, 3, 3)
    assert shapes["layer3.5.bn2.running_mean"] == (256,)
    assert shapes["fc.weight"] == (400, 512, 1, 1, 1)
    named = original_names(deep, hara.modules(hara.BLOCKS[101], basic=False))
    shapes = {named[name]: shape for name, shape in deep.parameters().items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7, 7)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1, 1)
    assert shapes["layer3.22.conv2.weight"] == (512, 16, 3, 3, 3)
    assert shapes["layer4.2.conv3.weight"] == (2048, 1024, 1, 1, 1)


def test_the_torch_twin_of_both_shortcuts_has_the_same_weights() -> None:
    for block in (hara.basic, hara.bottleneck):
        layer = hara.resnet(16, (1, 1, 1, 1), block, 2, 3)
        module = regular(layer)
        assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == layer.parameters()
