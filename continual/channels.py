"""More channels, all of them zero, a frame at a time: nothing is remembered.

Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.3, option A.
"""

from __future__ import annotations

from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import channels as layers

__all__ = ["ZeroChannels"]


class ZeroChannels(Framewise, clip_modules.ZeroChannels):
    """`coequal.continual.clip_modules.ZeroChannels`, whose channels are axis 1 of a frame as they are of a clip."""


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.ZeroChannels: ZeroChannels})


@makes
def _(layer: layers.ZeroChannels) -> nn.Module:
    return clip_modules.ZeroChannels(layer.in_channels, layer.out_channels)
