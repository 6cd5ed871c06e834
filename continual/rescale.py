"""Factors, a frame at a time: nothing is remembered."""

from __future__ import annotations

from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import rescale as layers

__all__ = ["ChannelScale", "Rescale"]


class ChannelScale(Framewise, clip_modules.ChannelScale):
    """`coequal.continual.clip_modules.ChannelScale`, frame by frame."""


class Rescale(Framewise, clip_modules.Rescale):
    """`coequal.continual.clip_modules.Rescale`, frame by frame."""

    time = None


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.ChannelScale: ChannelScale, clip_modules.Rescale: Rescale})


@makes
def _(layer: layers.ChannelScale) -> nn.Module:
    return clip_modules.ChannelScale(layer.channels)


@makes
def _(layer: layers.Rescale) -> nn.Module:
    return clip_modules.Rescale(layer.factor, layer.offset)
