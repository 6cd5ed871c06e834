"""Depthwise convolution a frame at a time: the last K frames in one tensor, in which the newest takes the oldest's place.

Nothing moves: the weights, which are few, are turned to match the frames. A window `(B, C, K, H, W)` lies in memory as
`(B, H, K, W, C)`, so that the rows of its frames take turns and `sum_k W_k * x[t - K + 1 + k]` is one convolution over
space, K times as high and K times as far a stride, for which oneDNN has its fastest kernel (channels last). Where that does
not apply (other precisions, gradients, dilation in space, no space at all) the window is convolved as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from coequal.continual.streaming import State
from coequal.continual.window import Windowed

Tensor = torch.Tensor


def onednn(x: Tensor) -> bool:
    """Whether oneDNN's kernels may be called by name: there, not switched off, and in single precision on CPU."""
    there = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return bool(there) and x.dtype == torch.float32 and x.device.type == "cpu"


def plus(total: Tensor, more: Tensor) -> Tensor:
    """`total + more`, in the memory of `total`, which nobody else holds, unless gradients are recorded."""
    if torch.is_grad_enabled() and (total.requires_grad or more.requires_grad):
        return total + more
    return total.add_(more)


class Depthwise(Windowed):
    """Mixin: convolutions whose channels keep to themselves; others go past it."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: Any
    weight: Tensor
    bias: Tensor | None

    @property
    def depthwise(self) -> bool:
        """Every channel by itself."""
        raise NotImplementedError

    @property
    def pads(self) -> list[tuple[int, int]]:
        """`(before, after)` of every axis."""
        raise NotImplementedError

    @property
    def plain_padding(self) -> tuple[int, ...]:
        """Padding in space that the convolution does itself: zeros, the same at both sides."""
        raise NotImplementedError

    def space_padded(self, x: Tensor) -> Tensor:
        """Padding in space that it does not."""
        raise NotImplementedError

    def push(self, frame: Any, state: State) -> tuple[list[Tensor], State]:
        """One frame, or None for one of zeros."""
        return (
            self._turn(frame, state)
            if "turning" not in state and self._turns(frame)
            else super().push(frame, _unturned(state))
        )

    def finish(self, state: State) -> list[Tensor]:
        """End padding."""
        return super().finish(_unturned(state))

    def settled(self, state: State) -> State:
        """The window as a ring like others'."""
        return super().settled(_unturned(state))

    def _turns(self, frame: Any) -> bool:
        return self.depthwise and self.geometry.dilation == 1 and frame is not None and not self._recording(frame)

    def _recording(self, x: Tensor) -> bool:
        return torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)

    def _turn(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """Write the frame into its slot; the weights are turned to match."""
        window, kernel = state.get("window"), self.kernel_size[0]
        if window is None:
            due, state = super().push(frame, state)
            ring = state["ring"]
            if len(ring) == kernel and all(tap is not None for tap in ring):
                state["window"], state["slot"], state["ring"] = self._side_by_side(ring), 0, []
            return due, state
        window.select(2, state["slot"]).copy_(frame)
        state["slot"] = (state["slot"] + 1) % kernel
        state["seen"], state["fed"] = state["seen"] + 1, state["fed"] + 1
        if (state["fed"] - kernel) % self.stride[0]:
            return [], state
        return [self.of_window(window, self.weight.roll(state["slot"], 2))], state

    def _side_by_side(self, ring: list[Tensor]) -> Tensor:
        """The window `(B, C, K, ...)`, in the order of memory that suits the convolution."""
        if not self._interleaves(ring[0]):
            return torch.stack(ring, 2)
        last = [frame.movedim(1, -1) for frame in ring]  # (B, H, ..., C)
        return torch.stack(last, 2).movedim(-1, 1).transpose(2, 3)

    def _interleaves(self, x: Tensor) -> bool:
        """Whether oneDNN convolves it, rows of all frames in turns."""
        plain = self.padding_mode == "zeros" and len(self.kernel_size) > 1 and self.dilation[1] == 1
        return plain and onednn(x) and not self._recording(x) and not self._pointwise and self.space_padded(x) is x

    @property
    def _pointwise(self) -> bool:
        """No extent in space: every position by itself."""
        space = zip(self.kernel_size[1:], self.stride[1:], self.pads[1:], strict=True)
        return all(axis == (1, 1, (0, 0)) for axis in space)

    def of_window(self, clip: Tensor, weight: Tensor) -> Tensor:
        """The one output frame of a window `(B, C, K, ...)`."""
        if self._pointwise:
            products = torch.matmul(weight.flatten(2), clip.flatten(3) if clip.dim() > 3 else clip.unsqueeze(-1))
            total = products.view(*clip.shape[:2], *clip.shape[3:])
            return total if self.bias is None else plus(total, self.bias.view(1, -1, *[1] * (total.dim() - 2)))
        if self._interleaves(clip):
            return self._of_rows(clip, weight)
        return self._of_frames(self.space_padded(clip), weight)

    def _of_rows(self, clip: Tensor, weight: Tensor) -> Tensor:
        """Rows `h K + k` of one high picture: kernel `(K_h K, K_w)`, stride `(S_h K, S_w)`, padding `(P_h K, P_w)`."""
        count, flat = clip.shape[2], clip.dim() == 4  # without W: an axis of length one
        rows = clip.transpose(2, 3).movedim(1, -1).flatten(1, 2).movedim(-1, 1)  # (B, C, H K, W), channels last in memory
        kernel = weight.transpose(2, 3).flatten(2, 3)
        stride, padding, dilation = self.stride[1:], self.plain_padding, self.dilation[1:]
        if flat:
            rows, kernel = rows.unsqueeze(-1), kernel.unsqueeze(-1)
            stride, padding, dilation = (*stride, 1), (*padding, 0), (*dilation, 1)
        stride, padding = (stride[0] * count, stride[1]), (padding[0] * count, padding[1])
        output = torch.mkldnn_convolution(rows, kernel, self.bias, padding, stride, dilation, self.groups)
        return output.squeeze(-1) if flat else output

    def _of_frames(self, clip: Tensor, weight: Tensor) -> Tensor:
        """torch's depthwise kernel, a convolution over time and space; without H an axis of length one."""
        stride, padding, dilation = self.stride[1:], self.plain_padding, self.dilation[1:]
        flat = clip.dim() == 4
        if flat:
            clip, weight = clip.unsqueeze(3), weight.unsqueeze(3)
            stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
        output = F.conv3d(clip, weight, self.bias, (1, *stride), (0, *padding), (1, *dilation), self.groups).squeeze(2)
        return output.squeeze(2) if flat else output


def _unturned(state: State) -> State:
    """Back to a list of frames, oldest first."""
    window = state.pop("window", None)
    if window is not None:
        frames = window.unbind(2)
        state["ring"] = [*frames[state["slot"] :], *frames[: state["slot"]]]
    return state
