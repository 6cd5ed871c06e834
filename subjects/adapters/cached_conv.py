"""Adapter for cached-conv: networks of its convolutions, built without the flag `use_cached_conv`.

The package builds two networks, one with the flag off, which is the clip, and one with it on, which streams; weights are
copied. The second is made here from the first, module by module, and shares its weights. Networks whose convolutions look
ahead are refused: their streams are late, and their ends are not the clip's, by design. Containers whose branches are
aligned by delays of their own (`AlignBranches`) and transposed convolutions are refused: the first network does not hold
what the second would be built with.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import copy
import sys
from importlib import import_module
from typing import Any

import torch
from torch import nn

from coequal.subjects.chunks import Plan
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "cached_conv", "cached-conv"
NAMES = ("Conv1d", "Sequential")


def recognises(module: nn.Module) -> bool:
    """Whether a module is, or holds, a convolution of the package that is not cached."""
    if PACKAGE not in sys.modules:
        return False
    return any(type(part).__module__ == "cached_conv.convs" and type(part).__name__ == "Conv1d" for part in module.modules())


class Cached:
    """A network with caches, which shares the weights of one without."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.delay = cached(module)

    def chunk(self, frames: Tensor) -> Tensor:
        """Several frames."""
        return self.module(frames)


def cached(module: nn.Module, delay: int = 0) -> tuple[nn.Module, int]:
    """A network with caches, and how late it is, `delay` having come before; it shares its weights with `module`."""
    from cached_conv.convs import CachedConv1d

    kind = type(module)
    if kind.__module__ == "cached_conv.convs" and kind.__name__ == "Conv1d":
        options = {name: getattr(module, name)[0] for name in ("kernel_size", "stride", "dilation")}
        options |= {"groups": module.groups, "bias": module.bias is not None, "padding": module._pad}  # type: ignore[assignment]
        twin = CachedConv1d(module.in_channels, module.out_channels, cumulative_delay=delay, **options)
        twin.weight, twin.bias = module.weight, module.bias
        return twin, int(twin.cumulative_delay)
    if isinstance(module, nn.Sequential):
        parts = []
        for part in module:
            twin, delay = cached(part, delay)
            parts.append(twin)
        return nn.Sequential(*parts), delay
    if any(True for _ in module.children()) or isinstance(module, (nn.modules.conv._ConvNd, nn.RNNBase)):
        raise BadSubject(f"{kind.__name__} inside of a network of cached-conv: only its Conv1d, in sequence, streams here")
    return copy.deepcopy(module, {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}), delay


def subject(module: nn.Module, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a network on clips (B, C, T)."""
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv1d)]
    unit = 1
    for part in convolutions:
        unit *= part.stride[0]
    reach = max((part.kernel_size[0] - 1) * part.dilation[0] for part in convolutions)
    late = Cached(module).delay
    if late:
        raise BadSubject(
            f"{type(module).__name__} looks ahead by {late} frames: the package's stream is late by as many, and"
            " pads neither its start nor its end as the clip does, so that only networks with causal padding are compared"
        )
    fields: dict[str, Any] = {"clip": module, "stream": lambda: Cached(module), "time": 2, "modules": module}
    fields |= {"plan": Plan(unit, minimum=max(1, reach) * unit), "name": type(module).__name__}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, *, mode: str = "causal", **settings: Any) -> nn.Module:
    """A convolution, or two with a rectifier between them; `mode` of the padding: causal, centered."""
    cached_conv: Any = import_module(PACKAGE)
    cached_conv.use_cached_conv(False)
    channels = shape[1] if shape else 2

    def convolution(before: int, after: int, kernel: int) -> nn.Module:
        sizes: dict[str, Any] = {"padding": cached_conv.get_padding(kernel, mode=mode)}
        return cached_conv.Conv1d(before, after, kernel, **(sizes | settings))

    if name == "Conv1d":
        return convolution(channels, 3, 3)
    return nn.Sequential(convolution(channels, 4, 3), nn.LeakyReLU(0.2), convolution(4, 2, 5))


def shape(module: nn.Module) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, next(part.in_channels for part in module.modules() if isinstance(part, nn.Conv1d)), 16)
