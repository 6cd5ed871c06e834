"""Decoders: every cache, however it is fed; rows that change places, and tokens that are taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.transformers_caches.models import (
    ARCHITECTURES,
    HELD,
    OWN_STATES,
    Beams,
    Drafts,
    Holding,
    cache_of,
    caches,
    holding,
    ids_of,
    model_of,
    ways,
)
from coequal.subjects.adapters import transformers_models as adapter
from coequal.subjects.subject import Subject

MODEL: dict[str, Any] = {
    **{"architecture": st.sampled_from(ARCHITECTURES), "num_hidden_layers": st.integers(1, 2)},
    **{"sliding_window": st.sampled_from([5, 3, 2, 1]), "attention": st.sampled_from(["sdpa", "eager"])},
}


def _held(
    cache: str, attention: str, architecture: str, way: str = "handed on", kind: type[Holding] = Holding, **options: Any
) -> Subject:
    """The stream of a decoder that is handed a cache; options of the adapter, and sizes."""
    called = {name: options.pop(name) for name in ("chunks", "positions", "padding") if name in options}
    model = model_of(architecture, **options)
    model.set_attn_implementation(attention)
    usual = adapter.subject(model, ids_of(model), **called)
    fields: dict[str, Any] = {"longest": min(usual.longest or HELD, HELD)} if cache == "StaticCache" else {}

    cache_of(cache, architecture, model)  # what cannot be made is refused here, and no failure of the stream

    def begin() -> Any:
        made = cache_of(cache, architecture, model)
        if kind is Drafts:
            made.activate_past_recording()
        return made

    return holding(usual, begin, way, kind, **fields)


@family(
    **MODEL,
    cache=caches,
    chunks=st.sampled_from(["any", "prompt", "single"]),
    positions=st.sampled_from(["counted", "counted", "given"]),
    padding=st.sampled_from(["none", "none", "left"]),
    way=ways,
)
def decoders(**options: Any) -> Subject:
    """Causal language models; `way`: the cache is handed on, used before and reset, or copied before each call."""
    return _held(**options)


@family(**MODEL, cache=caches)
def beams(**options: Any) -> Subject:
    """The same with `reorder_cache`."""
    return _held(kind=Beams, **options)


@family(**MODEL, cache=st.sampled_from(["DynamicCache(config)", "DynamicCache()"]))
def drafts(**options: Any) -> Subject:
    """The same with `activate_past_recording` and `crop`; a cache that cannot be cropped refuses."""
    return _held(kind=Drafts, **options)


@family(
    architecture=st.sampled_from(OWN_STATES),
    num_hidden_layers=st.integers(1, 2),
    conv_kernel=st.integers(2, 4),
    chunks=st.sampled_from(["prompt", "single", "any"]),
    way=ways,
)
def own_states(architecture: str, chunks: str, way: str, **options: Any) -> Subject:
    """State space models and RWKV, with the state that they return."""
    model = model_of(architecture, **options)
    if architecture != "Rwkv":
        return holding(adapter.subject(model, ids_of(model), chunks=chunks), lambda: None, way)
    # of several rows a step makes others: that is in FOUND.md, and would hide all else
    return holding(adapter.subject(model, ids_of(model)[:1], chunks=chunks, batches=(1,)), lambda: None, way)
