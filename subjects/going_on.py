"""How networks of torch's recurrent layers go on from where a clip ended, by the layers' own forward."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor
GoingOn = Callable[[Tensor, Any], tuple[Tensor, Any]]
KINDS = (nn.RNN, nn.LSTM, nn.GRU)
FRAMEWISE = (  # of the last axis, or element by element: such layers remember nothing
    *(nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Identity, nn.Dropout, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU),
    *(nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Softplus, nn.Softsign, nn.Mish),
)


def going_on(module: Any) -> GoingOn | None:
    """`(frames, state) -> (outputs, state)`, state None at the beginning, of a recurrent layer, or of such and layers
    that remember nothing in a row; None for anything else. See `Subject.clip_state`.
    """
    if isinstance(module, KINDS):
        kind = next(kind for kind in KINDS if isinstance(module, kind))
        return None if module.bidirectional else functools.partial(kind.forward, module)
    if not isinstance(module, nn.Sequential) or not all(isinstance(part, (*KINDS, *FRAMEWISE)) for part in module):
        return None
    steps = [going_on(part) if isinstance(part, KINDS) else part for part in module]
    if None in steps or not any(isinstance(part, KINDS) for part in module):
        return None
    return functools.partial(_in_a_row, steps, [isinstance(part, KINDS) for part in module])


def _in_a_row(layers: list[Any], remembers: list[bool], frames: Tensor, state: Any) -> tuple[Tensor, tuple[Any, ...]]:
    before, after = iter(state if state is not None else [None] * sum(remembers)), []
    for layer, recurrent in zip(layers, remembers, strict=True):
        if recurrent:
            frames, left = layer(frames, next(before))
            after.append(left)
        else:
            frames = layer(frames)
    return frames, tuple(after)


def outputs_of(module: nn.Module) -> Callable[[Tensor], Any]:
    """A module as a clip function: of torch's recurrent layers the outputs alone, as a step of theirs emits them."""
    return functools.partial(_first, module) if type(module) in KINDS else module


def _first(module: nn.Module, clip: Tensor) -> Any:
    return module(clip)[0]
