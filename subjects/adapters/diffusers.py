"""Adapter for diffusers' causal video autoencoders: encoder and decoder of Wan, its blocks, and causal convolutions.

`encoder(x)` is the clip; `encoder(x, feat_cache=caches, feat_idx=[0])` goes on from a list of caches, one for each causal
convolution, in the order in which they are called. CogVideoX's convolution is handed its cache, and returns it.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "diffusers"
WAN, COG = "diffusers.models.autoencoders.autoencoder_kl_wan", "diffusers.models.autoencoders.autoencoder_kl_cogvideox"
QWEN = "diffusers.models.autoencoders.autoencoder_kl_qwenimage"
LISTED = {
    **{"WanEncoder3d": WAN, "WanDecoder3d": WAN, "WanResidualBlock": WAN, "WanMidBlock": WAN},
    **{"QwenImageEncoder3d": QWEN, "QwenImageResidualBlock": QWEN},
}
HANDED = {"CogVideoXCausalConv3d": COG}
KINDS = LISTED | HANDED
NAMES = tuple(KINDS)


def _kind(module: nn.Module) -> str | None:
    return next((part.__name__ for part in type(module).__mro__ if KINDS.get(part.__name__) == part.__module__), None)


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of these."""
    return "diffusers" in sys.modules and _kind(module) is not None


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a module on clips (B, C, T, H, W)."""
    if _kind(module) in HANDED:
        fields: dict[str, Any] = {"clip": lambda x: module(x)[0], "stream": lambda: Carried(module, 2)}
    else:
        causal = [part for part in module.modules() if type(part).__name__.endswith("CausalConv3d")]

        def call(frames: Tensor, caches: list[Any]) -> tuple[Tensor, list[Any]]:
            return module(frames, feat_cache=caches, feat_idx=[0]), caches

        fields = {"clip": module, "stream": lambda: Carried(call, 2, lambda: [None] * len(causal))}
    fields |= {"time": 2, "modules": module, "name": type(module).__name__}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one; encoders and decoders without a stride in time, which go on frame by frame."""
    from importlib import import_module

    kind = getattr(import_module(KINDS[name]), name)
    channels = shape[1] if shape else 4
    sizes: dict[str, Any] = {"in_channels": channels, "out_channels": 3, "kernel_size": 3}
    if name.endswith("ResidualBlock"):
        sizes = {"in_dim": channels, "out_dim": 4}
    elif name.endswith("MidBlock"):
        sizes = {"dim": channels}
    elif name.endswith("coder3d"):
        down = name.endswith("Encoder3d")
        sizes = {"dim": 4, "z_dim": 4, "dim_mult": [1, 1], "num_res_blocks": 1, "attn_scales": []}
        sizes |= {"temperal_downsample" if down else "temperal_upsample": [False]}
        if KINDS[name] == WAN:
            sizes |= {"in_channels": channels} if down else {"out_channels": 3}
    return kind(**(sizes | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    first = next(part for part in module.modules() if isinstance(part, nn.Conv3d))
    return (1, first.in_channels, 6, 4, 4)
