"""More channels, all of them zero, and some of the channels, a frame at a time: nothing is remembered.

Channels are axis 1 of a frame as they are of a clip.
"""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import channels as layers

__all__ = ["SelectChannels", "ZeroChannels"]


class ZeroChannels(Framewise, clip_modules.ZeroChannels):
    """`coequal.continual.clip_modules.ZeroChannels`, frame by frame."""


class SelectChannels(Framewise, clip_modules.SelectChannels):
    """`coequal.continual.clip_modules.SelectChannels`, frame by frame."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """A copy: channels of the caller's frame are the caller's."""
        return super().on_frame(frame).clone()


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.ZeroChannels: ZeroChannels, clip_modules.SelectChannels: SelectChannels})


@makes
def _(layer: layers.ZeroChannels) -> nn.Module:
    return clip_modules.ZeroChannels(layer.in_channels, layer.out_channels)


@makes
def _(layer: layers.SelectChannels) -> nn.Module:
    return clip_modules.SelectChannels(layer.start, layer.stop)
