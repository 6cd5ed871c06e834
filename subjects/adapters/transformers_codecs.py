"""Adapter for streaming codecs and speech encoders of transformers, whose causal convolutions keep their padding in a
cache.

`MimiEncoder(x, padding_cache=cache)`; `VibeVoiceAcousticTokenizerEncoderModel(x, padding_cache=cache, use_cache=True)`, and
its decoder; `VoxtralRealtimeEncoder(x, padding_cache=cache, past_key_values=keys)`, convolutions and a sliding window of
attention.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "transformers"
MIMI, VOXTRAL, VIBE = "MimiEncoder", "VoxtralRealtimeEncoder", "VibeVoiceAcousticTokenizer"
NAMES = (MIMI, f"{VIBE}DecoderModel", f"{VIBE}EncoderModel", VOXTRAL)
FILES = {MIMI: "mimi", VOXTRAL: "voxtral_realtime"}
LONGEST = 2048


def _kind(module: nn.Module) -> str | None:
    kinds = (part for part in type(module).__mro__ if part.__module__.startswith("transformers.models."))
    return next((part.__name__ for part in kinds if part.__name__ in NAMES), None)


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of these."""
    return "transformers" in sys.modules and _kind(module) is not None


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for an encoder or a decoder on clips (B, C, T)."""
    kind = _kind(module)
    fields: dict[str, Any] = {"time": 2, "modules": module, "name": type(module).__name__}
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv1d)]
    fields["plan"] = math.prod(part.stride[0] for part in convolutions)
    if kind == MIMI:
        fields |= {"clip": module, "stream": lambda: Carried(_mimi(module), 2, lambda: _mimi_cache(module))}
    elif kind == VOXTRAL:
        longest = module.config.max_position_embeddings
        fields |= {"clip": lambda x: module(x, use_cache=False).last_hidden_state, "output_time": 1, "longest": longest}
        fields |= {"stream": lambda: Carried(_voxtral(module), 2, lambda: (None, None), 1), "memory": layers_of_the_caches}
    else:
        axis = 1 if kind == f"{VIBE}EncoderModel" else 2
        fields |= {"clip": lambda x: module(x)[0], "stream": lambda: Carried(_vibe(module), 2, output_time=axis)}
        fields |= {"output_time": axis, "memory": layers_of_the_caches}
    return Subject(example=example, **(fields | overrides))


def layers_of_the_caches(stream: Carried) -> list[Any]:
    """What a stream remembers: all attributes of the layers of its caches, by name."""
    caches = stream.state if isinstance(stream.state, tuple) else (stream.state,)
    layers = [getattr(cache, "layers", ()) for cache in caches]
    return [vars(layer) for kept in layers for layer in (kept.values() if isinstance(kept, dict) else kept)]


def _mimi(module: Any) -> Any:
    return lambda samples, cache: (module(samples.clone(), padding_cache=cache), cache)


def _mimi_cache(module: Any) -> Any:
    from transformers.models.mimi.modeling_mimi import MimiConv1d, MimiConv1dPaddingCache

    convolutions = [part for part in module.modules() if isinstance(part, MimiConv1d)]
    return MimiConv1dPaddingCache(
        num_layers=len(convolutions),
        per_layer_padding=[part.padding_total for part in convolutions],
        per_layer_padding_mode=[part.pad_mode for part in convolutions],
        per_layer_in_channels=[part.in_channels for part in convolutions],
    )


def _vibe(module: Any) -> Any:
    def call(frames: Tensor, cache: Any) -> tuple[Tensor, Any]:
        returned = module(frames, padding_cache=cache, use_cache=True)
        return returned[0], returned.padding_cache

    return call


def _voxtral(module: Any) -> Any:
    def call(frames: Tensor, state: Any) -> tuple[Tensor, Any]:
        padding, keys = state
        options = {"use_cache": True, "use_padding_cache": True}
        returned = module(frames, padding_cache=padding, past_key_values=keys, **options)
        return returned.last_hidden_state, (returned.padding_cache, returned.past_key_values)

    return call


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one with random weights; nothing is downloaded."""
    from importlib import import_module

    file = FILES.get(name, "vibevoice_acoustic_tokenizer")
    code = import_module(f"transformers.models.{file}.modeling_{file}")
    configurations = import_module(f"transformers.models.{file}.configuration_{file}")
    if name == MIMI:
        sizes: dict[str, Any] = {"num_filters": 4, "hidden_size": 8, "upsampling_ratios": [2, 2], "num_residual_layers": 1}
        sizes |= {"kernel_size": 3, "last_kernel_size": 3, "residual_kernel_size": 3}
        return getattr(code, name)(configurations.MimiConfig(**(sizes | settings)))
    if name == VOXTRAL:
        sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 4}
        sizes |= {"num_key_value_heads": 2, "num_mel_bins": 5, "sliding_window": 4, "max_position_embeddings": LONGEST}
        return getattr(code, name)(configurations.VoxtralRealtimeEncoderConfig(**(sizes | settings)))
    sizes = {"num_filters": 4, "hidden_size": 8, "downsampling_ratios": [2, 2], "depths": [1, 1, 1], "kernel_size": 3}
    config = getattr(configurations, f"{name.removesuffix('Model')}Config")(
        **(sizes | {"layer_scale_init_value": 1.0} | settings)
    )
    return getattr(code, name)(config)


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    first = next(part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)))
    return (2, first.in_channels, 16)
