"""Frames as tokens, a frame at a time: nothing is remembered."""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import tokens as layers

__all__ = ["FirstToken", "PositionTable", "PrependToken", "TokenGrid"]


class _OfClips(Framewise):
    """A frame as a clip of one."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """The parent's forward; a copy, so that it is not the caller's."""
        return super().on_frame(frame.unsqueeze(2)).squeeze(2).clone()


class PrependToken(_OfClips, clip_modules.PrependToken):
    """`coequal.continual.clip_modules.PrependToken`, frame by frame."""


class TokenGrid(_OfClips, clip_modules.TokenGrid):
    """`coequal.continual.clip_modules.TokenGrid`, frame by frame."""


class FirstToken(_OfClips, clip_modules.FirstToken):
    """`coequal.continual.clip_modules.FirstToken`, frame by frame."""


class PositionTable(_OfClips, clip_modules.PositionTable):
    """`coequal.continual.clip_modules.PositionTable`, frame by frame."""


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.PrependToken: PrependToken, clip_modules.TokenGrid: TokenGrid})
plainly({clip_modules.FirstToken: FirstToken, clip_modules.PositionTable: PositionTable})


@makes
def _(layer: layers.PrependToken) -> nn.Module:
    return clip_modules.PrependToken(layer.channels, layer.learned)


@makes
def _(layer: layers.TokenGrid) -> nn.Module:
    return clip_modules.TokenGrid()


@makes
def _(layer: layers.FirstToken) -> nn.Module:
    return clip_modules.FirstToken()


@makes
def _(layer: layers.PositionTable) -> nn.Module:
    return clip_modules.PositionTable(layer.channels, layer.positions)
