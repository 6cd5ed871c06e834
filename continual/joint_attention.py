"""Attention over the joints of a skeleton a frame at a time: nothing is remembered."""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import joint_attention as layers

__all__ = ["JointAttention"]


class JointAttention(Framewise, clip_modules.JointAttention):
    """`coequal.continual.clip_modules.JointAttention`, frame by frame."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """A clip of one frame."""
        return super().on_frame(frame.unsqueeze(2)).squeeze(2)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


plainly({clip_modules.JointAttention: JointAttention})


@makes
def _(layer: layers.JointAttention) -> nn.Module:
    return clip_modules.JointAttention(layer.channels, layer.inner, layer.num_heads)
