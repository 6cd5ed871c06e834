"""The suite of moshi: what is right passes, and what is found is found."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("moshi.models.compression", reason="moshi is not installed", exc_type=ImportError)

from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.search import Asked, examined
from coequal.equivalence.options import Options
from coequal.equivalence.suites.find import suite_of

SUITE = suite_of("moshi")
ASKED = Asked(options=Options(effort="quick", checks=("values", "chunking", "reset-rows")))
RAISES = {"cross_attending"}  # already at its simplest


def outcome(family: str, **options: Any) -> Any:
    """What becomes of the simplest configuration, but for some options."""
    one = SUITE.families[family]
    return examined(one, ASKED, 0, drawing.drawn(one.configurations, 0, 0) | options)


@pytest.mark.parametrize("family", [name for name in SUITE.families if name not in RAISES])
def test_the_simplest_configuration_is_accepted(family: str) -> None:
    assert outcome(family).outcome == "tested"


@pytest.mark.parametrize("way", ["reset", "set_exec_mask", "get_streaming_state", "pickle"])
def test_ways_of_a_module_that_is_right(way: str) -> None:
    assert outcome("conv", kernel_size=3, way=way).outcome == "tested"


@pytest.mark.parametrize(
    ("family", "options", "expected"),
    [
        ("cross_attending", {}, "problem"),
        ("attention", {"chunks": "any"}, "different"),
        ("codec", {"transformers": True, "resample": "conv"}, "different"),
        ("upsample", {"learnt": False}, "raised"),
        ("attention", {"causal": False}, "refused"),
        ("attention", {"context": None}, "refused"),
        ("projected", {"outputs": 2, "chunks": "any"}, "different"),
        ("block", {"norm": "weight_norm", "way": "deepcopy"}, "refused"),
    ],
)
def test_findings_of_the_installed_release(family: str, options: dict[str, Any], expected: str) -> None:
    assert outcome(family, **options).outcome == expected
