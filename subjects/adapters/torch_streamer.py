"""Adapter for torch-streamer: a network of torch's own layers inside of `Sequential1dStream`, fed in pieces, the last
one marked.

The package's streams keep no network to compare with, so that one is asked for by name, `torchstreamer:Sequential1dStream`,
or by `fed_by(network, example)`. Pieces have no rows; that a piece is the last one is known when the stream ends, so that
one frame is held back. Padding is ignored by the package, by its documentation: a network with padding is refused here.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "torchstreamer", "torch-streamer"
NAMES = ("Sequential1dStream",)


class Fed(nn.Module):
    """A network, and that torch-streamer feeds it."""

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The whole clip, (C, T)."""
        return self.network(x[None])[0]


class Pieces:
    """A stream of single frames that holds one back."""

    def __init__(self, network: nn.Sequential) -> None:
        from torchstreamer import Sequential1dStream

        self.inner = Sequential1dStream(network)
        self.held: Tensor | None = None

    def step(self, frame: Tensor) -> list[Tensor]:
        """One frame: the one before is fed."""
        before, self.held = self.held, frame[..., None]
        return [] if before is None else self._emitted(self.inner(before))

    def flush(self) -> list[Tensor]:
        """The last frame, marked."""
        return [] if self.held is None else self._emitted(self.inner(self.held, final=True))

    @staticmethod
    def _emitted(output: Tensor | None) -> list[Tensor]:
        return [] if output is None else list(output.unbind(-1))


def recognises(module: nn.Module) -> bool:
    """Whether a module is a network that torch-streamer is to feed."""
    return isinstance(module, Fed)


def fed_by(network: nn.Sequential, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a network of torch's layers on clips (C, T)."""
    return subject(Fed(network), example, **overrides)


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """The same for `Fed(network)`."""
    for name, part in module.network.named_modules():
        padding = getattr(part, "padding", 0)
        if any(padding if isinstance(padding, tuple) else (padding,)):
            raise BadSubject(f"{name} has padding={padding!r}, which torch-streamer ignores, by its documentation")
    fields: dict[str, Any] = {"clip": module, "stream": lambda: Pieces(module.network), "time": 1, "batch": None}
    fields |= {"modules": module.network, "name": "Sequential1dStream"}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, *, layers: str = "convolutions", **settings: Any) -> nn.Module:
    """Two convolutions, or other `layers`: strided, transposed, down_and_up."""
    known = {
        "convolutions": lambda: (nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Conv1d(3, 2, 5, dilation=2)),
        "strided": lambda: (nn.Conv1d(2, 3, 4, stride=2), nn.ELU()),
        "transposed": lambda: (nn.ConvTranspose1d(2, 3, 4, stride=2),),
        "down_and_up": lambda: (nn.Conv1d(2, 3, 3, stride=4), nn.ConvTranspose1d(3, 2, 4, stride=2)),
    }
    if settings or layers not in known:
        raise ValueError(f"the only option is layers, one of {', '.join(known)}")
    return Fed(nn.Sequential(*known[layers]()))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 24)
