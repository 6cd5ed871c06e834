"""Pooling a frame at a time: what `coequal.reference.pool` computes, as torch.nn's pooling layers.

Each frame is pooled over space when it arrives; an output combines K such frames when it is due. Nothing is subtracted
from a running sum, so nothing drifts: K - 1 additions (comparisons) for each output element.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from coequal.continual.conversion import How, plainly
from coequal.continual.streaming import State
from coequal.continual.to_torch import makes, ranked
from coequal.continual.window import Geometry, Taps, Windowed, unsettled
from coequal.reference import pool as layers
from coequal.reference.pool import pooled

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]

Tensor = torch.Tensor


class _Pool(Windowed):
    """What average and maximum share: hyper-parameters an axis, the end of a stream with `ceil_mode`."""

    kernel_size: Any
    stride: Any
    padding: Any
    ceil_mode: bool
    rank: int

    def _axes(self, value: Any) -> tuple[int, ...]:
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    @property
    def geometry(self) -> Geometry:
        """Time is the first axis; the zeros of padding are never fed."""
        pad = self._axes(self.padding)[0]
        dilation = self._axes(getattr(self, "dilation", 1))[0]
        return Geometry(self._axes(self.kernel_size)[0], self._axes(self.stride)[0], dilation, pad, pad)

    def _space(self, value: Any) -> tuple[int, int]:
        """Of the axes after time, as two."""
        space = self._axes(value)[1:]
        return (1,) * (2 - len(space)) + space  # type: ignore[return-value]

    def enter(self, frame: Tensor) -> Tensor:
        """The frame pooled over space."""
        if self.rank == 1:
            return frame.clone()
        plane = frame.unsqueeze(2) if self.rank == 2 else frame
        output = self._over_space(plane)
        return output.squeeze(2) if self.rank == 2 else output

    def _over_space(self, plane: Tensor) -> Tensor:
        raise NotImplementedError

    def finish(self, state: State) -> list[Tensor]:
        """End padding; with `ceil_mode` a window may hang over it, of which only the part before is counted."""
        state, geometry = unsettled(state), self.geometry
        due = super().finish(state)
        if not self.ceil_mode or state["seen"] == 0:
            return due
        count = pooled(state["seen"], geometry.kernel, geometry.stride, geometry.start, geometry.dilation, True)
        done = max(0, (state["fed"] - geometry.reach) // geometry.stride + 1)
        ring, first = state["ring"], state["fed"] - len(state["ring"])
        for j in range(done, count):
            positions = range(j * geometry.stride, j * geometry.stride + geometry.reach, geometry.dilation)
            due.append(self._output([ring[q - first] for q in positions if first <= q < state["fed"]], state))
        return due


class _AvgPool(_Pool):
    """Means: the divisor counts the padding or does not, or is given."""

    count_include_pad: bool

    def _over_space(self, plane: Tensor) -> Tensor:
        override = 1 if self._divisor else None
        sizes = self._space(self.kernel_size), self._space(self.stride), self._space_padding
        return F.avg_pool2d(plane, *sizes, self.ceil_mode, self.count_include_pad, override)

    @property
    def _divisor(self) -> int | None:
        return getattr(self, "divisor_override", None)

    @property
    def _space_padding(self) -> tuple[int, int]:
        space = self._axes(self.padding)[1:]
        return (0,) * (2 - len(space)) + space  # type: ignore[return-value]

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The mean of the taps, of which those in the padding are zeros."""
        frames = [tap for tap in taps if tap is not None]
        total = functools.reduce(torch.add, frames)
        return total / (self._divisor or (len(taps) if self.count_include_pad else len(frames)))

    def of_ring(self, frames: Tensor, places: Tensor, state: State) -> Tensor:
        """The mean of the frames, which are all."""
        return frames.sum(2) / (self._divisor or frames.shape[2])

    def nothing(self, state: State) -> Tensor:
        """Padding is at most half of a kernel, so every window has a frame."""
        raise AssertionError("a window without a frame")


class _MaxPool(_Pool):
    """Maxima: padding is minus infinity."""

    dilation: Any

    def _over_space(self, plane: Tensor) -> Tensor:
        space = self._axes(self.padding)[1:]
        padding = (0,) * (2 - len(space)) + space
        sizes = self._space(self.kernel_size), self._space(self.stride), padding, self._space(self.dilation)
        return F.max_pool2d(plane, *sizes, self.ceil_mode)

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The maximum of the taps that are frames."""
        frames = [tap for tap in taps if tap is not None]
        return frames[0].clone() if len(frames) == 1 else functools.reduce(torch.maximum, frames)

    def of_ring(self, frames: Tensor, places: Tensor, state: State) -> Tensor:
        """The largest of the frames, or of those that dilation leaves."""
        seen = frames if frames.shape[2] == len(places) else frames.index_select(2, places)
        return seen.amax(2)

    def nothing(self, state: State) -> Tensor:
        """Minus infinity everywhere: with dilation every tap may lie in the padding."""
        return torch.full_like(self.enter(state["like"]), -torch.inf)


class AvgPool1d(_AvgPool, nn.AvgPool1d):
    """torch.nn.AvgPool1d on `(B, C, T)`."""

    rank = 1


class AvgPool2d(_AvgPool, nn.AvgPool2d):
    """torch.nn.AvgPool2d on `(B, C, T, W)`."""

    rank = 2


class AvgPool3d(_AvgPool, nn.AvgPool3d):
    """torch.nn.AvgPool3d on `(B, C, T, H, W)`."""

    rank = 3


class MaxPool1d(_MaxPool, nn.MaxPool1d):
    """torch.nn.MaxPool1d on `(B, C, T)`."""

    rank = 1


class MaxPool2d(_MaxPool, nn.MaxPool2d):
    """torch.nn.MaxPool2d on `(B, C, T, W)`."""

    rank = 2


class MaxPool3d(_MaxPool, nn.MaxPool3d):
    """torch.nn.MaxPool3d on `(B, C, T, H, W)`."""

    rank = 3


POOLS = (AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _max_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.return_indices:
        return "indices count elements of the whole clip", "leave return_indices out"
    return None


plainly({getattr(nn, kind.__name__): kind for kind in POOLS if "Avg" in kind.__name__})
plainly({getattr(nn, kind.__name__): kind for kind in POOLS if "Max" in kind.__name__}, _max_refusal)


@makes
def _(layer: layers.AvgPool) -> nn.Module:
    rank = len(layer.kernel_size)
    override = {} if rank == 1 else {"divisor_override": layer.divisor_override}
    if rank == 1 and layer.divisor_override:
        raise TypeError("regular: torch.nn.AvgPool1d has no divisor_override; use a rank of 2 or 3")
    return ranked("AvgPool", rank)(
        layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad, **override
    )


@makes
def _(layer: layers.MaxPool) -> nn.Module:
    build = ranked("MaxPool", len(layer.kernel_size))
    return build(layer.kernel_size, layer.stride, layer.padding, layer.dilation, ceil_mode=layer.ceil_mode)
