"""Adapter for minGRU-pytorch: `minGRU`, `minLSTM` and `minLM`, which hand their hidden states on.

`model(x)` is a parallel scan; `model(x, prev_hidden, return_next_prev_hidden=True)` goes on from a state. A `minLM` that is
given hidden states looks at the last token alone, so that it takes a prompt and then single tokens.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.chunks import Plan
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "minGRU_pytorch", "minGRU-pytorch"
NAMES = ("minGRU", "minLM", "minLSTM")
VOCABULARY = 11


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of the package's that keeps a hidden state."""
    names = {(part.__module__.partition(".")[0], part.__name__) for part in type(module).__mro__}
    return PACKAGE in sys.modules and any((PACKAGE, name) in names for name in NAMES)


def _is_a_language_model(module: Any) -> bool:
    return hasattr(module, "token_emb")


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a recurrence on clips (B, T, C), or a language model on token ids (B, T)."""
    if _is_a_language_model(module) and not module.can_cache:
        raise BadSubject("minLM with enable_conv=True keeps no hidden states: it has no stream")

    def call(frames: Tensor, state: Any) -> tuple[Tensor, Any]:
        if _is_a_language_model(module):
            return module(frames, return_prev_hiddens=True, prev_hiddens=state)
        return module(frames, state, return_next_prev_hidden=True)

    fields: dict[str, Any] = {"clip": module, "stream": lambda: Carried(call, 1), "time": 1, "modules": module}
    fields |= {"name": type(module).__name__}
    if _is_a_language_model(module):
        fields["plan"] = Plan(maximum=1, prompt=True)
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one; `dim` is that of clips of this shape."""
    from minGRU_pytorch.minGRU import minGRU
    from minGRU_pytorch.minLM import minLM
    from minGRU_pytorch.minLSTM import minLSTM

    if name == "minLM":
        return minLM(**({"num_tokens": VOCABULARY, "dim": 8, "depth": 1, "ff_mult": 2} | settings))
    kind = {"minGRU": minGRU, "minLSTM": minLSTM}[name]
    return kind(**({"dim": shape[-1] if shape else 4} | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    if _is_a_language_model(module):
        return (2, 8)
    first = module.to_hidden_and_gate if hasattr(module, "to_hidden_and_gate") else module.to_hidden_and_f_i_gate
    return (2, 8, first.in_features)


def clip(module: Any, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers, or token ids."""
    if _is_a_language_model(module):
        return torch.randint(0, module.token_emb.num_embeddings, shape, generator=generator)
    return torch.randn(shape, generator=generator)
