"""A clip function that quantises by the scale of all its frames is told; one whose scale is fixed agrees."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import coequal
from coequal.equivalence.report import Report

Tensor = torch.Tensor
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        "x86" not in torch.backends.quantized.supported_engines
        and "fbgemm" not in torch.backends.quantized.supported_engines,
        reason="torch has no kernels for 8 bits here",
    ),
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()


def verified(net: nn.Module) -> Report:
    """Frame by frame, each with a scale of its own where the network finds one."""
    subject = coequal.Subject(
        clip=net, stream=lambda: _Step(net), example=torch.randn(1, 6, 4), time=1, batch=0, modules=net, batches=(1,)
    )
    return coequal.verify(subject, effort="quick", checks=("values", "batch"))


class _Step:
    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def step(self, frame: Tensor) -> Tensor:
        return self.net(frame[:, None])[:, 0]


def test_the_scale_of_the_whole_clip_is_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torch.ao.quantization.quantize_dynamic(network(), {nn.Linear})
    report = verified(net)
    assert report.verdict == "different", str(report)
    (told,) = [finding.detail for finding in report.findings if finding.name == "clip-scale"]
    assert told.startswith("the clip's scale looks at all frames: quantized.linear_dynamic")


def test_a_scale_that_is_fixed_agrees_to_the_last_of_8_bits() -> None:
    """torch's static quantisation: sums of whole numbers, requantised, are the same for a frame and for a clip."""
    ao = torch.ao.quantization
    torch.manual_seed(0)
    net = nn.Sequential(ao.QuantStub(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), ao.DeQuantStub()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.qconfig = ao.get_default_qconfig(torch.backends.quantized.engine)  # type: ignore[assignment]
        watched = ao.prepare(net)
        watched(torch.randn(4, 9, 4))
        report = verified(ao.convert(watched))
    assert report.verdict == "tested", str(report)
    assert not [finding for finding in report.findings if finding.name == "clip-scale"]


def test_without_quantisation_nothing_is_said() -> None:
    report = verified(network())
    assert report.verdict == "tested", str(report)
    assert not [finding for finding in report.findings if finding.name == "clip-scale"]
