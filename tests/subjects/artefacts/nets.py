"""Clip networks, their steps with explicit states, and how they are exported: to be imported by tests, and as a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor


class Convolutions(nn.Module):
    """Two causal convolutions with a norm between them: (B, 3, T) -> (B, 4, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 5, 3), nn.Conv1d(5, 4, 2, bias=False)
        self.norm = nn.BatchNorm1d(5)
        _drawn(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(torch.relu(self.first(nn.functional.pad(x, (2, 0)))))
        return torch.tanh(self.second(nn.functional.pad(x, (1, 0))))


class ConvolutionsStep(nn.Module):
    """Its step: frame (B, 3), past (B, 3, 2), mid (B, 5, 1)."""

    def __init__(self, net: Convolutions) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, past: Tensor, mid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.cat([past, frame[..., None]], 2)
        y = torch.cat([mid, self.net.norm(torch.relu(self.net.first(x)))], 2)
        return torch.tanh(self.net.second(y))[..., 0], x[..., 1:], y[..., 1:]


class Recurrent(nn.Module):
    """An LSTM and a layer on top: (B, 3, T) -> (B, 2, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lstm(x.permute(2, 0, 1))[0]).permute(1, 2, 0)


class RecurrentStep(nn.Module):
    """Its step: frame (B, 3), h and c (1, B, 4)."""

    def __init__(self, net: Recurrent) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (h, c) = self.net.lstm(frame[None], (h, c))
        return self.net.out(y)[0], h, c


class RingStep(nn.Module):
    """The step of one convolution, whose past is a buffer that it writes to, for two rows."""

    def __init__(self, conv: nn.Conv1d, written: bool = True) -> None:
        super().__init__()
        self.conv, self.written = conv, written
        self.register_buffer("past", torch.zeros(2, conv.in_channels, conv.kernel_size[0] - 1))

    def forward(self, frame: Tensor) -> Tensor:
        x = torch.cat([self.past, frame[..., None]], 2)
        if self.written:
            self.past.copy_(x[..., 1:])
        return self.conv(x)[..., 0]


def _drawn(module: nn.Module) -> None:
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if "norm" in name and tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape) + 0.5)


def convolutions() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(1)
    return Convolutions().eval(), torch.randn(2, 3, 8)


def recurrent() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(2)
    return Recurrent().eval(), torch.randn(2, 3, 8)


def one() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(3)
    return nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(3, 4, 3)).eval(), torch.randn(2, 3, 8)


def alone() -> tuple[nn.Module, Tensor]:
    """The convolution of `one` without its padding: the first two emissions of a step stand for no frame."""
    return one()[0][1].eval(), torch.randn(2, 3, 8)  # type: ignore[index]


def late() -> tuple[nn.Module, Tensor]:
    """Two convolutions that look ahead: the second one waits for its first frame. One weight is 2^-8."""
    torch.manual_seed(6)
    net = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.ReLU(), nn.BatchNorm1d(4), nn.Conv1d(4, 2, 3, padding=1))
    with torch.no_grad():
        net[0].weight[1, 1, 1] = 2.0**-8  # type: ignore[index]
    return net.eval(), torch.randn(2, 3, 8)


STEPS: dict[str, Any] = {
    "convolutions": (convolutions, ConvolutionsStep, ((2, 3), (2, 3, 2), (2, 5, 1)), (0, 0, 0), ("frame", "past", "mid")),
    "recurrent": (recurrent, RecurrentStep, ((2, 3), (1, 2, 4), (1, 2, 4)), (0, 1, 1), ("frame", "h", "c")),
}


def parts(name: str) -> tuple[nn.Module, tuple[Tensor, ...], dict[str, Any], list[str]]:
    """A step, its arguments, which of their sizes vary, and its names."""
    make, step, shapes, axes, names = STEPS[name]
    batch = torch.export.Dim("batch", min=1, max=64)
    varying = {n: {axis: batch} for n, axis in zip(names, axes, strict=True)}
    return step(make()[0]).eval(), tuple(torch.randn(s) for s in shapes), varying, list(names)


def pt2(name: str, path: Path, *, varying: bool = True) -> str:
    """The step as an exported program."""
    step, arguments, sizes, _ = parts(name)
    torch.export.save(torch.export.export(step, arguments, dynamic_shapes=sizes if varying else None), str(path))
    return str(path)


def ring(path: Path, *, written: bool = True) -> str:
    """The step of `one` with its past in a buffer, as an exported program."""
    step = RingStep(one()[0][1], written).eval()  # type: ignore[index]
    torch.export.save(torch.export.export(step, (torch.randn(2, 3),)), str(path))
    return str(path)


def jit(name: str, path: Path) -> str:
    """The step, traced."""
    step, arguments, *_ = parts(name)
    torch.jit.save(torch.jit.trace(step, arguments), str(path))
    return str(path)
