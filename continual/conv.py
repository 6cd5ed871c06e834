"""Convolution a frame at a time: what `coequal.reference.conv` computes, weight-compatible with torch.nn.Conv1d/2d/3d.

Two forms of a step, of the same multiply-adds: `C_out C_in / G` times the taps that are frames, times kernel and output in
space.

    ring of inputs    y[j] = sum_k W_k * x[j S + k D - P]         the last K frames side by side as channels, one convolution
    sums of outputs   a[j] += W_k * x[t]  where j + k = t + P     all taps side by side as output channels, one convolution

The first moves `(K + 1) C_in` numbers for each position, the second `3 K C_out`; the cheaper one is taken (`form`), the
second only with stride and dilation 1 and zero padding. Zero padding in time is never multiplied.
Source: Hedegaard & Iosifidis, "Continual 3D convolutional neural networks for real-time processing of videos", ECCV 2022
(sums of outputs).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from coequal.continual.conversion import How, plainly
from coequal.continual.depthwise import Depthwise, onednn, plus
from coequal.continual.streaming import State
from coequal.continual.to_torch import makes, ranked
from coequal.continual.window import Geometry, Taps
from coequal.reference import conv as layers

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

Tensor = torch.Tensor
LARGE = 4_000_000  # multiply-adds, above which oneDNN wins (benchmarks/step_time.py, one thread)
CONVOLUTIONS = {0: F.conv1d, 1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """A convolution over space. torch takes the slower of its two kernels for one row on one thread; this takes oneDNN's.

    In single precision, on CPU, without gradients and where there is work to do; small ones are better off with the other.
    """
    plain = x.dim() == 4 and groups == 1 and onednn(x)
    recording = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if plain and not recording and weight.numel() * x[0, 0].numel() > LARGE:
        return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
    return CONVOLUTIONS[x.dim() - 2](x, weight, bias, stride, padding, dilation, groups)


class _Conv(Depthwise):
    """What the three ranks share."""

    in_channels: int
    out_channels: int
    padding: Any

    @property
    def geometry(self) -> Geometry:
        """Time is the first axis."""
        start, end = self.pads[0]
        return Geometry(self.kernel_size[0], self.stride[0], self.dilation[0], start, end, self.padding_mode)

    @property
    def pads(self) -> list[tuple[int, int]]:
        """`(before, after)` of every axis; "same" puts the odd element after, as torch does."""
        if self.padding == "valid":
            return [(0, 0)] * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(p, p) for p in self.padding]

    @property
    def form(self) -> str:
        """ "inputs" or "outputs": the ring or the sums."""
        g = self.geometry
        simple = (g.stride, g.dilation, g.mode, self.groups) == (1, 1, "zeros", 1) and g.kernel > 1 and g.start < g.kernel
        return "outputs" if simple and 3 * g.kernel * self.out_channels < (g.kernel + 1) * self.in_channels else "inputs"

    @property
    def depthwise(self) -> bool:
        """Every channel by itself."""
        return self.groups == self.in_channels == self.out_channels

    def enter(self, frame: Tensor) -> Tensor:
        """A copy of the frame, unless no later output sees it."""
        g = self.geometry
        return frame if (g.kernel, g.start, g.end) == (1, 0, 0) else super().enter(frame)

    def copied(self, frame: Tensor) -> Tensor:
        """The frame."""
        return frame

    # -- ring of inputs ------------------------------------------------------------------------------------------------

    def combine(self, taps: Taps, state: State) -> Tensor:
        """One spatial convolution of all taps that are frames."""
        present = [k for k, tap in enumerate(taps) if tap is not None]
        frames = [taps[k] for k in present]
        weight = self.weight if len(present) == len(taps) else self.weight[:, :, present]
        if self.depthwise:
            return self.of_window(torch.stack(frames, 2), weight)
        stacked = frames[0] if len(frames) == 1 else torch.stack(frames, 2).flatten(1, 2)  # (B, C_in taps, ...)
        return self._spatial(stacked, weight.flatten(1, 2))

    def of_ring(self, frames: Tensor, places: Tensor, state: State) -> Tensor:
        """The same of frames in a ring: they are put in order, or the weights in theirs, whichever are fewer numbers."""
        weight = self.weight
        if frames.shape[2] == weight.shape[2] and (self.depthwise or weight.numel() < frames.numel()):
            weight = weight.index_select(2, places)
        else:
            frames = frames.index_select(2, places)
        return (
            self.of_window(frames, weight) if self.depthwise else self._spatial(frames.flatten(1, 2), weight.flatten(1, 2))
        )

    def _spatial(self, x: Tensor, weight: Tensor) -> Tensor:
        """A convolution without time."""
        if x.dim() == 2 and self.groups == 1:
            return F.linear(x, weight.flatten(1), self.bias)
        if x.dim() == 2:
            return F.conv1d(x.unsqueeze(-1), weight.unsqueeze(-1), self.bias, groups=self.groups).squeeze(-1)
        x = self.space_padded(x)
        return convolve(x, weight, self.bias, self.stride[1:], self.plain_padding, self.dilation[1:], self.groups)

    @property
    def plain_padding(self) -> tuple[int, ...]:
        """Padding in space that the convolution does itself: zeros, the same at both sides."""
        plain = self.padding_mode == "zeros" and all(before == after for before, after in self.pads)
        return tuple(before if plain else 0 for before, _ in self.pads[1:])

    def space_padded(self, x: Tensor) -> Tensor:
        """Padding in space that it does not."""
        pads = self.pads[1:]
        plain = self.padding_mode == "zeros" and all(before == after for before, after in self.pads)
        if plain or not any(before or after for before, after in pads):
            return x
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        flat = [side for pair in reversed(pads) for side in pair]
        if x.dim() == len(pads) + 3:  # a stack of frames: time is not padded
            folded = x.transpose(1, 2).flatten(0, 1)
            return F.pad(folded, flat, mode).unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
        return F.pad(x, flat, mode)

    def nothing(self, state: State) -> Tensor:
        """The bias, everywhere."""
        like = state["like"]
        extent = [
            (n + sum(pads) - d * (k - 1) - 1) // s + 1
            for n, pads, k, s, d in zip(
                like.shape[2:], self.pads[1:], self.kernel_size[1:], self.stride[1:], self.dilation[1:], strict=True
            )
        ]
        output = like.new_zeros((like.shape[0], self.out_channels, *extent))
        return output if self.bias is None else output + self.bias.view(1, -1, *[1] * len(extent))

    # -- sums of outputs -----------------------------------------------------------------------------------------------

    def begin(self, frame: Tensor) -> State:
        """A ring of inputs, or sums of the outputs to come."""
        if self.form == "inputs":
            return super().begin(frame)
        return {"sums": [], "next": -self.geometry.start, "seen": 0}

    def settled(self, state: State) -> State:
        """A ring in one tensor, or the sums as they are."""
        return state if "sums" in state else super().settled(state)

    def push(self, frame: Any, state: State) -> tuple[list[Tensor], State]:
        """One frame, or None for one of zeros."""
        if "sums" in state:
            return self._add(frame, state)
        return super().push(frame, state)

    def _add(self, frame: Any, state: State) -> tuple[list[Tensor], State]:
        """All taps of one frame; output `t - k + P` gets tap k. Outputs before the first are not computed."""
        kernel = self.kernel_size[0]
        taps = min(kernel, state["seen"] + self.geometry.start + 1)
        parts: list[Any] = [None] * taps if frame is None else self._parts(frame, taps)
        state["seen"] += 1
        sums = state["sums"]
        sums += [None] * (taps - len(sums))
        for i, part in enumerate(reversed(parts)):  # the oldest output gets the last tap
            if part is not None:
                sums[i] = part if sums[i] is None else plus(sums[i], part)
        if taps < kernel:
            return [], state
        return [self._biased(sums.pop(0), state)], state

    def _parts(self, frame: Tensor, taps: int) -> list[Tensor]:
        weight = self.weight[:, :, :taps].transpose(1, 2).transpose(0, 1).flatten(0, 1)  # (taps C_out, C_in, ...)
        if frame.dim() == 2:
            return list(F.linear(frame, weight.flatten(1)).chunk(taps, 1))
        x = self.space_padded(frame)
        y = convolve(x, weight, None, self.stride[1:], self.plain_padding, self.dilation[1:], 1)
        return list(y.chunk(taps, 1))

    def _biased(self, total: Any, state: State) -> Tensor:
        if total is None:
            return self.nothing(state)
        return total if self.bias is None else plus(total, self.bias.view(1, -1, *[1] * (total.dim() - 2)))

    def finish(self, state: State) -> list[Tensor]:
        """End padding."""
        if "sums" not in state:
            return super().finish(state)
        due: list[Tensor] = []
        if state["seen"]:
            for _ in range(self.geometry.end):
                due += self._add(None, state)[0]
        return due


class Conv1d(_Conv, nn.Conv1d):
    """torch.nn.Conv1d on signals `(B, C, T)`, frames `(B, C)`."""


class Conv2d(_Conv, nn.Conv2d):
    """torch.nn.Conv2d on `(B, C, T, W)`, frames `(B, C, W)`: time is the first of its two axes."""


class Conv3d(_Conv, nn.Conv3d):
    """torch.nn.Conv3d on video `(B, C, T, H, W)`, frames `(B, C, H, W)`."""


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.padding_mode == "circular" and module._reversed_padding_repeated_twice[-1]:
        return "circular padding in time shows the end of a clip at its start", "use another padding mode in time"
    return None


plainly({getattr(nn, kind.__name__): kind for kind in (Conv1d, Conv2d, Conv3d)}, _refusal)


@makes
def _(layer: layers.Conv) -> nn.Module:
    return ranked("Conv", len(layer.kernel_size))(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups,
        layer.bias, layer.padding_mode,
    )  # fmt: skip
