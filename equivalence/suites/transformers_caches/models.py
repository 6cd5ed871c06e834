"""Tiny models, the caches that they are handed, and streams that hold one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from hypothesis import strategies as st

from coequal.subjects.adapters import transformers_models as adapter
from coequal.subjects.adapters.transformers_sizes import DECODERS, sizes_of
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
hf: Any = import_module("transformers")
HELD = 64  # tokens of a cache of a fixed size
OWN_STATES = ("FalconMamba", "Mamba", "Mamba2", "Rwkv")
ARCHITECTURES = (
    *("Llama", "Mistral", "Gemma2", "Gemma3", "Qwen2", "Qwen3", "GPT2", "GptOss", "Cohere2", "Phi3", "OPT"),
    *("Lfm2", "Bamba", "Jamba", "MiniMax", "GPTNeo", "Bloom", "Falcon", "Olmo3", "Exaone4"),
)
assert {*OWN_STATES, *ARCHITECTURES} <= {*DECODERS, "GPT2"}
SLIDING: dict[str, dict[str, Any]] = {
    name: {"use_sliding_window": True, "max_window_layers": 0} for name in ("Qwen2", "Qwen3")
}

CACHES: dict[str, Callable[[Any], Any]] = {
    "returned": lambda config: None,
    "DynamicCache()": lambda config: hf.DynamicCache(),
    "DynamicCache(config)": lambda config: hf.DynamicCache(config=config),
    "StaticCache": lambda config: hf.StaticCache(config=config, max_cache_len=HELD),
}
RECURRENT = ("Lfm2", "Bamba", "Jamba")  # with layers that keep no keys and values, which a cache learns from a configuration
WAYS = ("handed on", "reset", "deepcopy")
caches, ways = st.sampled_from(list(CACHES)), st.sampled_from(WAYS)


def model_of(architecture: str, **settings: Any) -> Any:
    """A causal language model in eval mode, with those of the settings that its configuration has."""
    name = "GPT2LMHeadModel" if architecture == "GPT2" else f"{architecture}ForCausalLM"
    known = sizes_of(getattr(hf, name).config_class, name)
    kept = {key: value for key, value in settings.items() if key in known}
    if known.get("num_hidden_layers") != 1:  # layers of several kinds, which it has a number of its own for
        kept.pop("num_hidden_layers", None)
    return adapter.tiny(name, None, **SLIDING.get(architecture, {}), **kept).eval()


def cache_of(cache: str, architecture: str, model: Any) -> Any:
    """A new cache of this kind. NotImplementedError: it has no layers of the kinds that the architecture has."""
    if cache == "DynamicCache()" and architecture in RECURRENT:
        raise NotImplementedError("a cache that is not told the configuration has layers of keys and values alone")
    if cache != "returned" and architecture == "MiniMax":
        raise NotImplementedError("MiniMax takes a cache of its own class alone")
    return CACHES[cache](model.config)


def ids_of(model: Any) -> Tensor:
    """A clip of two rows."""
    return adapter.clip(model, adapter.shape(model), torch.Generator().manual_seed(0))


class Holding:
    """A stream of the adapter, which holds a cache that is not its own."""

    def __init__(self, stream: Any, way: str) -> None:
        self.stream, self.way, self.seen = stream, way, 0

    def chunk(self, ids: Tensor, *more: Tensor, **named: Tensor) -> Any:
        """Several tokens."""
        if self.way == "reset" and self.seen == 0:
            self.stream.chunk(ids.flip(1), *more, **named)
            self.stream.state.reset()
        if self.way == "deepcopy" and self.seen:
            self.stream.state = copy.deepcopy(self.stream.state)
        self.seen += ids.shape[1]
        return self.stream.chunk(ids, *more, **named)


class Beams(Holding):
    """Rows change places, as in a search of beams."""

    def reorder(self, index: Tensor) -> None:
        """By `reorder_cache`."""
        self.stream.state.reorder_cache(index)


class Drafts(Holding):
    """Tokens are taken back, as in assisted decoding: the cache records its past."""

    def crop(self, frames: int) -> None:
        """By `crop` with a number of tokens to remove."""
        self.stream.state.crop(frames - self.seen)
        self.seen = frames


def holding(
    usual: Subject, begin: Callable[[], Any], way: str = "handed on", kind: type[Holding] = Holding, **fields: Any
) -> Subject:
    """A subject of the adapter, whose stream begins with another cache.

    Args:
        usual: What the adapter makes of a model.
        begin: Makes the cache.
        way: One of `WAYS`.
        kind: What the stream can do besides.
        **fields: Of the subject.

    Returns:
        The subject.
    """

    def stream() -> Holding:
        own = usual.stream()
        own.state = begin()
        return kind(own, way)

    if way == "deepcopy":  # tensors with a history cannot be copied: torch says so
        fields["allow"] = (*usual.allow, "grad-mode")
    return replace(usual, stream=stream, **fields)
