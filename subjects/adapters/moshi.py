"""Adapter for moshi: modules with `streaming(rows)`, a context in which a call goes on from the last one.

`StreamingTransformer` keeps clips (B, T, C), convolutions and SEANet (B, C, T). A module has one stream at a time, for a
number of rows that is said when it begins.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from coequal.subjects.chunks import Plan
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "moshi"
NAMES = ("SEANetDecoder", "SEANetEncoder", "StreamingConv1d", "StreamingConvTranspose1d", "StreamingTransformer")


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of the package's that streams."""
    base = getattr(sys.modules.get("moshi.modules.streaming"), "StreamingModule", None)
    named = any(part.__name__ in NAMES for part in type(module).__mro__)
    return base is not None and isinstance(module, base) and named


class Called:
    """What a module in streaming mode is fed."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def chunk(self, frames: Tensor) -> Tensor:
        """Several frames."""
        return self.module(frames)


def states(stream: Called) -> list[dict[str, Any]]:
    """What a transformer in streaming mode remembers: all attributes of the states of its modules, by name."""
    found = [state for part in stream.module.modules() if (state := getattr(part, "_streaming_state", None)) is not None]
    return [vars(state) for state in found]


def subject(module: Any, example: Tensor, *, chunks: str = "any", **overrides: Any) -> Subject:
    """A Subject for a module, fed as many rows as the example has; a transformer in chunks of no more than its context.

    `chunks`: `any`, or `single` frames.
    """
    if chunks not in ("any", "single"):
        raise BadSubject(f"chunks={chunks!r}: a stream of {type(module).__name__} has chunks any, single")
    attends = any(type(part).__name__ == "StreamingMultiheadAttention" for part in module.modules())
    if attends and not all(getattr(part, "causal", True) for part in module.modules()):
        raise BadSubject(f"{type(module).__name__} with causal=False looks ahead as far as its clip goes: it has no stream")
    if attends and any(part.context is None for part in module.modules() if hasattr(part, "context")):
        raise BadSubject(
            f"{type(module).__name__} with context=None has no stream: the package asks for a size of its cache"
        )
    rows = example.shape[0]

    @contextlib.contextmanager
    def streaming() -> Iterator[Called]:
        with module.streaming(rows):
            yield Called(module)

    unit = math.prod(part.stride[0] for part in module.modules() if isinstance(part, nn.Conv1d))
    contexts = [part.context for part in module.modules() if isinstance(getattr(part, "context", None), int)]
    fields: dict[str, Any] = {"clip": module, "stream": streaming, "time": 1 if attends else 2, "modules": module}
    fields |= {"batches": (rows,), "streams": "one at a time", "clip_between": False, "name": type(module).__name__}
    fields["plan"] = Plan(unit, maximum=min(contexts, default=None)) if chunks == "any" else "single"
    fields |= {"memory": states} if attends else {}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one, for clips of this shape."""
    from moshi.modules import conv, seanet, transformer

    if name == "StreamingTransformer":
        sizes: dict[str, Any] = {
            "d_model": shape[-1] if shape else 16,
            "num_heads": 2,
            "num_layers": 1,
            "dim_feedforward": 24,
        }
        sizes |= {"causal": True, "context": 4, "positional_embedding": "rope"}
        return transformer.StreamingTransformer(**(sizes | settings))
    if name.startswith("SEANet"):
        sizes = {
            "channels": 1,
            "dimension": 8,
            "n_filters": 4,
            "n_residual_layers": 1,
            "ratios": [2, 2],
            "pad_mode": "constant",
        }
        sizes |= {"kernel_size": 3, "last_kernel_size": 3, "residual_kernel_size": 3, "causal": True, "norm": "none"}
        return getattr(seanet, name)(**(sizes | settings))
    sizes = {"in_channels": shape[1] if shape else 2, "out_channels": 3, "kernel_size": 3, "causal": True}
    sizes |= {"kernel_size": 4, "stride": 2} if name == "StreamingConvTranspose1d" else {"pad_mode": "constant"}
    return getattr(conv, name)(**(sizes | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    if hasattr(module, "positional_embedding"):
        return (2, 8, module.layers[0].norm1.weight.shape[-1])
    first = next(part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)))
    return (2, first.in_channels, 24)
