"""Adapter for torch's recurrent layers: `nn.RNN`, `nn.GRU` and `nn.LSTM`, and classes derived from them.

The clip is the layer on a whole clip, the stream the same layer on a frame at a time, with the state that it returned.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "torch"
NAMES = ("GRU", "LSTM", "RNN")


def recognises(module: nn.Module) -> bool:
    """Whether a module is a recurrent layer of torch that has no step of its own."""
    return isinstance(module, nn.RNNBase) and not hasattr(module, "forward_step") and not hasattr(module, "start")


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a recurrent layer; `example` is a clip with a batch axis, as its forward takes it."""
    if module.bidirectional:
        raise BadSubject(f"{type(module).__name__} is bidirectional: it reads a clip from its end, too, and has no stream")
    if example.dim() != 3:
        raise BadSubject(f"{type(module).__name__} takes clips of three axes here, one of rows; got {tuple(example.shape)}")
    time = 1 if module.batch_first else 0
    fields: dict[str, Any] = {"clip": lambda x: module(x)[0], "stream": lambda: Carried(module, time)}
    fields |= {"time": time, "batch": 1 - time, "modules": module, "clip_state": module.forward}
    fields["name"] = type(module).__name__
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small layer, batch first unless said otherwise, for clips of this shape."""
    return getattr(nn, name)(**({"input_size": shape[-1] if shape else 3, "hidden_size": 4, "batch_first": True} | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 8, module.input_size) if module.batch_first else (8, 2, module.input_size)
