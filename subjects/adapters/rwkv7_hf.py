"""Adapter for rwkv7-hf: RWKV-7 as a model of transformers, whose adapter says how it is called."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters import transformers_models
from coequal.subjects.subject import Subject

PACKAGE, INSTALLED = "rwkv7_hf", "rwkv7-hf"
NAMES = ("RWKV7ForCausalLM",)
SMALL = {"vocab_size": 11, "hidden_size": 16, "num_hidden_layers": 1, "head_dim": 8, "intermediate_size": 24}


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of the package's models."""
    return type(module).__module__.startswith("rwkv7_hf.") and transformers_models.recognises(module)


def subject(module: Any, example: torch.Tensor, **options: Any) -> Subject:
    """A Subject for a language model on token ids, (B, T); options as of the adapter for transformers."""
    return transformers_models.subject(module, example, **options)


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small model with random weights."""
    import rwkv7_hf

    return transformers_models.built(getattr(rwkv7_hf, name), settings, SMALL)


shape, clip = transformers_models.shape, transformers_models.clip
