"""A row of tokens back to a square, a frame at a time: nothing is remembered."""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import token_grid as layers

__all__ = ["TokenGrid"]


class TokenGrid(Framewise, clip_modules.TokenGrid):
    """`coequal.continual.clip_modules.TokenGrid`, frame by frame."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """The parent's forward; a copy, so that it is not the caller's."""
        return super().on_frame(frame.unsqueeze(2)).squeeze(2).clone()


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.TokenGrid: TokenGrid})


@makes
def _(layer: layers.TokenGrid) -> nn.Module:
    return clip_modules.TokenGrid()
