"""The suite of transformers' caches: each family builds, and what is right passes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("transformers", reason="transformers is not installed")

from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.search import Asked, examined
from coequal.equivalence.options import Options
from coequal.equivalence.suites.find import suite_of

SUITE = suite_of("transformers-caches")
ASKED = Asked(options=Options(effort="quick", checks=("values", "reorder", "crop")))


def outcome(family: str, **options: Any) -> Any:
    """What becomes of the simplest configuration, but for some options."""
    one = SUITE.families[family]
    return examined(one, ASKED, 0, drawing.drawn(one.configurations, 0, 0) | options)


@pytest.mark.parametrize("family", list(SUITE.families))
def test_the_simplest_configuration_is_accepted(family: str) -> None:
    assert outcome(family).outcome == "tested"


@pytest.mark.parametrize("kind", ["DynamicLayer", "StaticLayer", "DynamicSlidingWindowLayer", "StaticSlidingWindowLayer"])
def test_layers_of_caches(kind: str) -> None:
    assert outcome("layers", kind=kind, window=2, used=True).outcome == "tested"


@pytest.mark.parametrize("cache", ["DynamicCache()", "DynamicCache(config)", "StaticCache"])
def test_caches_of_a_sliding_window(cache: str) -> None:
    assert outcome("decoders", architecture="Mistral", cache=cache, sliding_window=3, way="reset").outcome == "tested"


@pytest.mark.parametrize(
    ("architecture", "cache"), [("Jamba", "DynamicCache()"), ("Lfm2", "DynamicCache()"), ("MiniMax", "StaticCache")]
)
def test_a_cache_without_the_layers_of_an_architecture_is_refused(architecture: str, cache: str) -> None:
    for family in ("decoders", "beams"):
        assert outcome(family, architecture=architecture, cache=cache).outcome == "refused"


def test_a_local_layer_in_a_cache_of_a_fixed_size_is_found() -> None:
    """FOUND.md: GPTNeo counts the positions of its mask from the end of the keys."""
    assert outcome("decoders", architecture="GPTNeo", cache="DynamicCache()").outcome == "tested"
    assert outcome("decoders", architecture="GPTNeo", cache="StaticCache").outcome == "different"


@pytest.mark.parametrize("chunks", ["any", "single"])
def test_padding_is_fed_in_the_first_call_where_layers_recur(chunks: str) -> None:
    """Lfm2 masks what its convolutions see of a prompt, and nothing later."""
    assert outcome("decoders", architecture="Lfm2", padding="left", chunks=chunks).outcome == "tested"
