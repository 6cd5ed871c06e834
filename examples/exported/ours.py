"""Six networks in small, whose steps `coequal export` writes: `coequal export examples/exported/ours.py:x3d --to onnx`.

Each function gives a clip network and an example clip; random weights.
"""

from __future__ import annotations

import torch
from torch import nn

from coequal import continual
from coequal.continual import regular
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.small import small

Pair = tuple[nn.Module, torch.Tensor]


def co3d() -> Pair:
    """Two convolutions over time and space with a norm between them, and the mean over space."""
    torch.manual_seed(0)
    layers = (
        *(nn.Conv3d(2, 4, 3, padding=(0, 1, 1)), nn.BatchNorm3d(4), nn.ReLU()),
        *(nn.Conv3d(4, 4, (3, 1, 1)), nn.AdaptiveAvgPool3d((None, 1, 1))),
    )
    return drawn(nn.Sequential(*layers)), torch.randn(1, 2, 8, 4, 4)


def x3d() -> Pair:
    """CoX3D-S: depthwise convolutions, squeeze and excite over space."""
    return published("CoX3D-S_13")


def tsm() -> Pair:
    """TSM of MobileNetV2, shifted backwards only: inverted residual blocks."""
    return published("TSM-MobileNetV2 online")


def gru() -> Pair:
    """Two layers of gates: (B, T, 4) -> (B, T, 5)."""
    torch.manual_seed(0)
    return continual.GRU(4, 5, 2, batch_first=True).eval(), torch.randn(2, 8, 4)


def tcn() -> Pair:
    """Dilated causal convolutions with shortcuts."""
    torch.manual_seed(0)

    def block(channels: int, dilation: int) -> nn.Module:
        pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        return nn.Sequential(pad, nn.Conv1d(channels, 4, 3, dilation=dilation), nn.BatchNorm1d(4), nn.ReLU())

    return drawn(nn.Sequential(block(3, 1), block(4, 2), nn.Conv1d(4, 2, 1))), torch.randn(2, 3, 12)


def published(name: str) -> Pair:
    """A published network in small, and the smallest clip that it takes."""
    torch.manual_seed(0)
    layer, shape = small(SYSTEMS[name])
    return drawn(regular(layer)), torch.randn(shape)


def drawn(net: nn.Module) -> nn.Module:
    """With norms that are not trivial."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.1)
    return net.eval()
