"""A causal, strided convolution over time."""

from __future__ import annotations

import torch
from torch import nn

BLOCK = 2  # outputs that are computed at a time


class CausalConv1d(nn.Module):
    """Clips `(B, C, T)`; output i sees the `kernel_size` frames up to frame `stride * i`, zeros before the first."""

    def __init__(self, channels: int, out_channels: int, kernel_size: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise NotImplementedError(f"strides of 1 and 2 are supported, not {stride}")
        if stride > kernel_size:
            raise ValueError(f"a stride of {stride} leaves frames out with a kernel of {kernel_size}")
        self.conv = nn.Conv1d(channels, out_channels, kernel_size, stride=stride, bias=bias)
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """A clip `(B, C, T)` in, one of `ceil(T / stride)` frames out."""
        return self.conv(nn.functional.pad(clip, (self.kernel_size - 1, 0)))

    def stream(self) -> ConvStream:
        """A fresh stream."""
        return ConvStream(self)


class ConvStream:
    """The frames that the next output needs, as far as they are there."""

    def __init__(self, module: CausalConv1d) -> None:
        self.module = module
        self.kept: torch.Tensor | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor | None:
        """A frame `(B, C)`; every stride-th gives an output."""
        out = self.chunk(frame[:, :, None])
        return None if out is None else out[:, :, 0]

    def chunk(self, frames: torch.Tensor) -> torch.Tensor | None:
        """Frames `(B, C, n)`, and the outputs that they complete."""
        kernel, stride = self.module.kernel_size, self.module.stride
        before = frames.new_zeros(*frames.shape[:2], kernel - 1) if self.kept is None else self.kept
        frames = torch.cat([before, frames], dim=2)
        count = (frames.shape[2] - kernel) // stride + 1
        self.kept = frames[:, :, max(0, count) * stride :]
        return self._outputs(frames, count) if count > 0 else None

    def _outputs(self, frames: torch.Tensor, count: int) -> torch.Tensor:
        """A block at a time, so that a long chunk takes no more memory than a short one."""
        kernel, stride = self.module.kernel_size, self.module.stride
        width = kernel + (BLOCK - 1) * stride  # frames of a block
        shared = (kernel - 1) // stride  # of those, what the block before has, too
        frames = nn.functional.pad(frames, (0, width))  # the last block is full: outputs that see this are dropped
        starts = [i * (width - shared) for i in range(-(-count // BLOCK))]
        return torch.cat([self.module.conv(frames[:, :, i : i + width]) for i in starts], dim=2)[:, :, :count]
