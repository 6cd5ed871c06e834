"""Adapter for yet-another-retnet: `RetNet` in its three forms, parallel, in chunks, and a token at a time.

The caller counts the tokens: `forward_chunkwise(ids, start, states)` and `forward_recurrent(ids, index, states)`.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "yet_another_retnet", "yet-another-retnet"
NAMES = ("RetNet",)
SMALL = {"num_tokens": 11, "d_model": 16, "nhead": 2, "num_layers": 1, "dim_feedforward": 16}


def recognises(module: nn.Module) -> bool:
    """Whether a module is a RetNet of the package."""
    kind = getattr(sys.modules.get("yet_another_retnet.retnet"), "RetNet", None)
    return kind is not None and isinstance(module, kind)


class Retained:
    """A stream through the recurrence and through chunks, which share their states."""

    def __init__(self, module: Any) -> None:
        self.module, self.seen, self.state = module, 0, list[Tensor]()

    def chunk(self, frames: Tensor) -> Tensor:
        """Several tokens."""
        output, self.state = self.module.forward_chunkwise(frames, self.seen, self.state)
        self.seen += frames.shape[1]
        return output

    def step(self, frame: Tensor) -> Tensor:
        """One token."""
        output, self.state = self.module.forward_recurrent(frame, self.seen, self.state)
        self.seen += 1
        return output


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a language model on token ids, (B, T)."""
    fields: dict[str, Any] = {
        "clip": module.forward_parallel,
        "stream": lambda: Retained(module),
        "time": 1,
        "modules": module,
    }
    fields["name"] = type(module).__name__
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one."""
    from yet_another_retnet.retnet import RetNet

    return RetNet(**(SMALL | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 7)


def clip(module: Any, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random token ids."""
    return torch.randint(0, module.embedding.num_embeddings, shape, generator=generator)
