"""TSM: which shifts stream, at which delay, and that the online network is the clip network shifted backwards only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import coequal
from coequal.continual import clip_modules
from coequal.continual.conversion import convert
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.contents import weights
from coequal.reference.compose import Sequential
from coequal.reference.timing import Timing
from coequal.systems import tsm
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.weights import original_names

SHORT = ((2, 16, 2, 1),)  # both blocks are shifted
ONLINE = tsm.mobilenet(None, 2, bidirectional=False, width=16, wide=4, stages=SHORT)
EXAMPLE = torch.randn(1, 3, 10, 4, 4)


class Demonstration:
    """A stream as in the authors' online demonstration: a buffer for each shift, of an eighth of the frame before."""

    def __init__(self, network: nn.Sequential) -> None:
        self.network = network
        self.buffers: dict[int, torch.Tensor] = {}

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A prediction for every frame."""
        x = frame[:, :, None]
        for index, block in enumerate(self.network):
            inside = block[0] if isinstance(block, nn.Sequential) else block
            x = self.shifted(index, inside, x) if isinstance(inside, clip_modules.Residual) else block(x)
        return x[:, :, 0]

    def shifted(self, index: int, block: clip_modules.Residual, x: torch.Tensor) -> torch.Tensor:
        """The block with the first eighth of its channels from the frame before."""
        fold = x.shape[1] // 8
        before = self.buffers.get(index, torch.zeros_like(x[:, :fold]))
        self.buffers[index] = x[:, :fold]
        return x + block.main[1:](torch.cat([before, x[:, fold:]], 1))


def test_the_online_demonstration_is_the_clip_network_shifted_backwards_only() -> None:
    network = regular(ONLINE).eval()
    subject = coequal.Subject(clip=network, stream=lambda: Demonstration(network), example=EXAMPLE, time=2, modules=network)
    report = coequal.verify(subject, effort="quick", checks=["exact"])
    assert (report.verdict, report.proof["horizon"]) == ("proved", "all"), report.proof["state"]


@pytest.mark.parametrize(
    ("layer", "delay"), [(ONLINE, 0), (tsm.resnet(2, (1, 1), 2, width=8), 2 + 1)], ids=["online", "both ways"]
)
def test_streams_of_either_shift_are_proved(layer: Sequential, delay: int) -> None:
    """Both ways, each of two blocks waits for a frame; the mean over two frames waits for one more."""
    assert layer.timing is not None
    assert layer.timing.delay == delay
    stream = convert(regular(layer).eval())
    report = coequal.verify(stream, example=EXAMPLE, effort="quick", checks=["exact"])
    assert (report.verdict, report.proof["horizon"]) == ("proved", "all")


def test_every_shifted_block_waits_for_a_frame() -> None:
    """16 in ResNet-50, every other one of 33 in ResNet-101; none where shifts go backwards only."""
    timings = [tsm.resnet(None, blocks).timing for blocks in tsm.BLOCKS.values()]
    assert timings == [Timing(33, 1, 16, 16), Timing(37, 1, 18, 18)]
    assert tsm.mobilenet(None).timing == Timing(21, 1, 10, 10)
    assert tsm.mobilenet(None, bidirectional=False).timing == Timing(11, 1, 10, 0)
    assert tsm.resnet(None, tsm.BLOCKS[50], bidirectional=False).timing == Timing(17, 1, 16, 0)


def test_online_and_clip_are_other_functions_of_the_same_weights() -> None:
    both, backwards = (tsm.resnet(4, (1, 1, 1, 1), 3, way, 8) for way in (True, False))
    parameters, clip = weights(both, 5), np.random.default_rng(5).standard_normal((1, 3, 4, 32, 32))
    assert backwards.parameters() == both.parameters()
    expected = both(parameters, clip)
    assert np.abs(backwards(parameters, clip) - expected).max() > 1e-6 * np.abs(expected).max()


def test_weights_have_the_names_of_the_original_code() -> None:
    """Names as in mit-han-lab/temporal-shift-module, shapes as in torchvision's resnet101 and its own MobileNetV2."""
    deep, mobile = SYSTEMS["TSM-R101_8"].layer, SYSTEMS["TSM-MobileNetV2 online"].layer
    named = original_names(deep, tsm.resnet_modules(tsm.BLOCKS[101]))
    shapes = {named[name]: shape for name, shape in deep.parameters().items()}
    assert shapes["base_model.layer1.0.conv1.net.weight"] == (64, 64, 1, 1, 1)
    assert shapes["base_model.layer2.0.downsample.0.weight"] == (512, 256, 1, 1, 1)
    assert shapes["base_model.layer3.21.conv1.weight"] == (256, 1024, 1, 1, 1)
    assert shapes["base_model.layer3.22.conv1.net.weight"] == (256, 1024, 1, 1, 1)
    assert shapes["new_fc.weight"] == (174, 2048, 1, 1, 1)
    named = original_names(mobile, tsm.mobilenet_modules())
    shapes = {named[name]: shape for name, shape in mobile.parameters().items()}
    assert shapes["features.1.conv.3.weight"] == (16, 32, 1, 1, 1)
    assert shapes["features.17.conv.3.weight"] == (960, 1, 1, 3, 3)
    assert shapes["features.18.0.weight"] == (1280, 320, 1, 1, 1)
    with pytest.raises(ValueError, match="original_names: 105 modules have weights here, 1 are named"):
        original_names(mobile, ["classifier"])
