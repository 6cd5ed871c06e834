"""Skeletons a frame at a time: nothing is remembered."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, plainly
from coequal.continual.framewise import Framewise
from coequal.continual.to_torch import makes
from coequal.reference import skeleton as layers

__all__ = ["AdaptiveJointMixing", "JointMixing", "JointNorm"]


class JointMixing(Framewise, clip_modules.JointMixing):
    """`coequal.continual.clip_modules.JointMixing`, frame by frame."""


class AdaptiveJointMixing(Framewise, clip_modules.AdaptiveJointMixing):
    """`coequal.continual.clip_modules.AdaptiveJointMixing` with scope "frame"."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """A clip of one frame."""
        return super().on_frame(frame.unsqueeze(2)).squeeze(2)


class JointNorm(Framewise, clip_modules.JointNorm):
    """`coequal.continual.clip_modules.JointNorm`, frame by frame."""

    def on_frame(self, frame: torch.Tensor) -> torch.Tensor:
        """A clip of one frame."""
        return super().on_frame(frame.unsqueeze(2)).squeeze(2)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _refusal(module: nn.Module, how: How) -> tuple[str, str] | None:
    return ("in train mode its statistics are those of the batch", "call .eval() first") if module.training else None


def _of_the_clip(module: Any, how: How) -> tuple[str, str] | None:
    return ("its edges are made of the whole clip", 'take scope "frame"') if module.scope == "clip" else None


plainly({clip_modules.JointMixing: JointMixing})
plainly({clip_modules.AdaptiveJointMixing: AdaptiveJointMixing}, _of_the_clip)
plainly({clip_modules.JointNorm: JointNorm}, _refusal)


@makes
def _(layer: layers.JointMixing) -> nn.Module:
    return clip_modules.JointMixing(layer.joints)


@makes
def _(layer: layers.AdaptiveJointMixing) -> nn.Module:
    return clip_modules.AdaptiveJointMixing(layer.channels, layer.inner, layer.joints, layer.scope)


@makes
def _(layer: layers.JointNorm) -> nn.Module:
    return clip_modules.JointNorm(layer.channels, layer.joints, layer.persons, layer.eps).eval()
