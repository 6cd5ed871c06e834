"""Networks in small, whose steps `coequal export` writes: `coequal export examples/exported/ours.py:x3d --to onnx`.

Each function gives a clip network and an example clip; random weights.
"""

from __future__ import annotations

import torch
from torch import nn

from coequal import continual

Pair = tuple[nn.Module, torch.Tensor]


def co3d() -> Pair:
    """Two convolutions over time and space with a norm between them, and the mean over space."""
    torch.manual_seed(0)
    layers = (
        *(nn.Conv3d(2, 4, 3, padding=(0, 1, 1)), nn.BatchNorm3d(4), nn.ReLU()),
        *(nn.Conv3d(4, 4, (3, 1, 1)), nn.AdaptiveAvgPool3d((None, 1, 1))),
    )
    return drawn(nn.Sequential(*layers)), clip(8)


def x3d() -> Pair:
    """The stem of X3D and the middle of its block: convolutions over space, over time channel by channel, and Swish."""
    torch.manual_seed(0)
    stem = (nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1), bias=False), nn.Conv3d(4, 4, (5, 1, 1), groups=4, bias=False))
    block = (
        nn.Conv3d(4, 6, 1, bias=False),
        nn.BatchNorm3d(6),
        nn.ReLU(),
        nn.Conv3d(6, 6, (3, 3, 3), padding=(0, 1, 1), groups=6),
    )
    return drawn(nn.Sequential(*stem, nn.BatchNorm3d(4), nn.ReLU(), *block, nn.SiLU(), nn.Conv3d(6, 4, 1))), clip(9)


def tsm() -> Pair:
    """TSM, shifted backwards only: two convolutions over space around which a quarter of the channels comes a frame late."""
    torch.manual_seed(0)
    block = (continual.TemporalShift(4), nn.Conv3d(4, 4, (1, 3, 3), padding=(0, 1, 1)), nn.BatchNorm3d(4), nn.ReLU())
    head = (continual.TemporalShift(4), nn.Conv3d(4, 4, 1), nn.AdaptiveAvgPool3d((None, 1, 1)))
    return drawn(nn.Sequential(nn.Conv3d(2, 4, 1), *block, *head)), clip(8)


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


def clip(frames: int) -> torch.Tensor:
    """A clip of two channels and 4 x 4 pixels."""
    return torch.randn(1, 2, frames, 4, 4)


def drawn(net: nn.Module) -> nn.Module:
    """With norms that are not trivial."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_(std=0.1)
    return net.eval()
