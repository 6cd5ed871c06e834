"""Adaptive and global pooling a frame at a time: over space as they are, over time with a window of N frames.

`forward` of a module with a window slides over the clip: T frames give T - N + 1. On a clip of N frames that is torch's
layer. Where time keeps its length (`output_size` None in time) there is nothing to remember and no window is needed.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from coequal.continual import clip_modules
from coequal.continual.conversion import How, NotStreamable, needed, register, twin
from coequal.continual.streaming import State
from coequal.continual.to_torch import makes, ranked
from coequal.continual.window import Geometry, Taps, Windowed
from coequal.reference import adaptive_pool as layers

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "GlobalAvgPool",
    "GlobalMaxPool",
]

Tensor = torch.Tensor


class _Adaptive(Windowed):
    """What mean and maximum share; `frames` is the window in time, None where time keeps its length."""

    output_size: Any
    frames: int | None = None
    rank: int

    @property
    def _sizes(self) -> tuple[int | None, ...]:
        return (
            (self.output_size,) * self.rank if not isinstance(self.output_size, (tuple, list)) else tuple(self.output_size)
        )

    @property
    def geometry(self) -> Geometry:
        """The last N frames, or one."""
        return Geometry(self.frames or 1)

    def enter(self, frame: Tensor) -> Tensor:
        """The frame pooled over space."""
        if self.rank == 1:
            return frame.clone()
        return self._over_space(frame, tuple(self._sizes[1:]))

    def _over_space(self, frame: Tensor, sizes: tuple[int | None, ...]) -> Tensor:
        raise NotImplementedError

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The mean or maximum of the last frames."""
        raise NotImplementedError

    def forward(self, clip: Tensor) -> Tensor:
        """The clip pooled; with a window every N frames in a row, `T - N + 1` frames."""
        if self.frames is None:
            return super().forward(clip)  # type: ignore[misc]
        windows = [super(_Adaptive, self).forward(clip[:, :, t : t + self.frames])  # type: ignore[misc]
                   for t in range(clip.shape[2] - self.frames + 1)]  # fmt: skip
        if not windows:
            raise ValueError(
                f"{type(self).__name__}: a clip of {clip.shape[2]} frames is shorter than the window {self.frames}"
            )
        return torch.cat(windows, 2)


class _AdaptiveAvg(_Adaptive):
    def _over_space(self, frame: Tensor, sizes: tuple[int | None, ...]) -> Tensor:
        if self.rank == 2:
            return frame if sizes[0] is None else F.adaptive_avg_pool1d(frame, sizes[0])
        return F.adaptive_avg_pool2d(frame, sizes)  # type: ignore[arg-type]

    def combine(self, taps: Taps, state: State) -> Tensor:
        return functools.reduce(torch.add, taps) / len(taps)


class _AdaptiveMax(_Adaptive):
    def _over_space(self, frame: Tensor, sizes: tuple[int | None, ...]) -> Tensor:
        if self.rank == 2:
            return frame if sizes[0] is None else F.adaptive_max_pool1d(frame, sizes[0])
        return F.adaptive_max_pool2d(frame, sizes)  # type: ignore[arg-type]

    def combine(self, taps: Taps, state: State) -> Tensor:
        return functools.reduce(torch.maximum, taps, taps[0].clone())


class AdaptiveAvgPool1d(_AdaptiveAvg, nn.AdaptiveAvgPool1d):
    """torch.nn.AdaptiveAvgPool1d on `(B, C, T)`."""

    rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvg, nn.AdaptiveAvgPool2d):
    """torch.nn.AdaptiveAvgPool2d on `(B, C, T, W)`."""

    rank = 2


class AdaptiveAvgPool3d(_AdaptiveAvg, nn.AdaptiveAvgPool3d):
    """torch.nn.AdaptiveAvgPool3d on `(B, C, T, H, W)`."""

    rank = 3


class AdaptiveMaxPool1d(_AdaptiveMax, nn.AdaptiveMaxPool1d):
    """torch.nn.AdaptiveMaxPool1d on `(B, C, T)`."""

    rank = 1


class AdaptiveMaxPool2d(_AdaptiveMax, nn.AdaptiveMaxPool2d):
    """torch.nn.AdaptiveMaxPool2d on `(B, C, T, W)`."""

    rank = 2


class AdaptiveMaxPool3d(_AdaptiveMax, nn.AdaptiveMaxPool3d):
    """torch.nn.AdaptiveMaxPool3d on `(B, C, T, H, W)`."""

    rank = 3


class _Global(Windowed, nn.Module):
    """Mean or maximum over all of space and the last N frames, as a module of its own (torch.nn has none)."""

    def __init__(self, rank: int, window: int | None = None) -> None:
        super().__init__()
        self.rank, self.frames = rank, window

    @property
    def geometry(self) -> Geometry:
        """The last N frames."""
        return Geometry(self.frames or 1)


class GlobalAvgPool(_Global):
    """`(B, C, T, ...) -> (B, C, 1, ...)`, or with a window `T - N + 1` frames, each the mean of N."""

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode."""
        size = clip.shape[2] if self.frames is None else self.frames
        means = clip.mean(tuple(range(3, clip.dim())), keepdim=True) if clip.dim() > 3 else clip
        return means.unfold(2, size, 1).mean(-1)

    def enter(self, frame: Tensor) -> Tensor:
        """The mean over space."""
        return frame.mean(tuple(range(2, frame.dim())), keepdim=True) if frame.dim() > 2 else frame.clone()

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The mean of the last frames."""
        return functools.reduce(torch.add, taps) / len(taps)


class GlobalMaxPool(_Global):
    """`(B, C, T, ...) -> (B, C, 1, ...)`, or with a window `T - N + 1` frames, each the maximum of N."""

    def forward(self, clip: Tensor) -> Tensor:
        """Clip mode."""
        size = clip.shape[2] if self.frames is None else self.frames
        maxima = clip.amax(tuple(range(3, clip.dim())), keepdim=True) if clip.dim() > 3 else clip
        return maxima.unfold(2, size, 1).amax(-1)

    def enter(self, frame: Tensor) -> Tensor:
        """The maximum over space."""
        return frame.amax(tuple(range(2, frame.dim())), keepdim=True) if frame.dim() > 2 else frame.clone()

    def combine(self, taps: Taps, state: State) -> Tensor:
        """The maximum of the last frames."""
        return functools.reduce(torch.maximum, taps, taps[0].clone())


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

ADAPTIVE = [kind for kind in list(globals().values()) if isinstance(kind, type) and kind.__name__.startswith("Adaptive")]


def _adaptive(module: Any, how: How) -> Any:
    kind = globals()[type(module).__name__]
    made = twin(module, kind)
    size = made._sizes[0]
    if size is None:
        return made
    if size != 1:
        raise NotStreamable(how.path, module, f"it makes {size} frames of any clip", "use output size 1 in time, or None")
    return twin(module, kind, frames=needed(module, how, "its mean or maximum is that of the whole clip"))


for _kind in ADAPTIVE:
    register(getattr(nn, _kind.__name__))(_adaptive)


@register(clip_modules.GlobalPool)
def _(module: clip_modules.GlobalPool, how: How) -> Any:
    frames = module.frames or needed(module, how, "it needs the whole clip")
    kind = GlobalAvgPool if module.reduce == "mean" else GlobalMaxPool
    return twin(module, kind, frames=frames)


@makes
def _(layer: layers.AdaptiveAvgPool) -> nn.Module:
    return ranked("AdaptiveAvgPool", len(layer.output_size))(layer.output_size)


@makes
def _(layer: layers.AdaptiveMaxPool) -> nn.Module:
    return ranked("AdaptiveMaxPool", len(layer.output_size))(layer.output_size)


@makes
def _(layer: layers.GlobalAvgPool) -> nn.Module:
    return clip_modules.GlobalPool("mean", layer.window)


@makes
def _(layer: layers.GlobalMaxPool) -> nn.Module:
    return clip_modules.GlobalPool("max", layer.window)
