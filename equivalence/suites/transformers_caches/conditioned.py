"""Decoders that also look at what an encoder saw: two caches in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.transformers_caches.models import HELD, hf, holding, ids_of, ways
from coequal.subjects.adapters import transformers_models as adapter
from coequal.subjects.subject import Subject

PAIRS: dict[str, Callable[[Any], Any]] = {
    "returned": lambda config: None,
    "dynamic": lambda config: hf.EncoderDecoderCache(hf.DynamicCache(config=config), hf.DynamicCache(config=config)),
    "without config": lambda config: hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache()),
    "static": lambda config: hf.EncoderDecoderCache(
        hf.StaticCache(config=config, max_cache_len=HELD), hf.StaticCache(config=config, max_cache_len=5)
    ),
}
CLASSES = (
    "BartForConditionalGeneration",
    "T5ForConditionalGeneration",
    "MarianMTModel",
    "PegasusForConditionalGeneration",
)


@family(
    architecture=st.sampled_from(CLASSES),
    cache=st.sampled_from(list(PAIRS)),
    chunks=st.sampled_from(["any", "prompt", "single"]),
    attention=st.sampled_from(["sdpa", "eager"]),
    way=ways,
)
def encoder_decoders(architecture: str, cache: str, chunks: str, attention: str, way: str) -> Subject:
    """`EncoderDecoderCache`; what the encoder saw has five positions, and does not move with time."""
    model: Any = adapter.tiny(architecture, None).eval()
    model.set_attn_implementation(attention)
    usual = adapter.subject(model, ids_of(model), chunks=chunks)
    fields: dict[str, Any] = {"longest": HELD} if cache == "static" else {}
    return holding(usual, lambda: PAIRS[cache](model.config), way, **fields)
