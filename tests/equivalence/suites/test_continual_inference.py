"""The suite of continual-inference: its families build, what is right passes, and what is found is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("continual", reason="continual-inference is not installed")

from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.search import Asked, examined
from coequal.equivalence.options import Options
from coequal.equivalence.suites.find import suite_of

SUITE = suite_of("continual-inference")
ASKED = Asked(options=Options(effort="quick", checks=("values",)))
WRONG_AT_ONCE = {"retroactive_attention", "retroactive_layer", "conditional"}  # already at their simplest


def simplest(family: str) -> dict[str, Any]:
    """The first configuration of a family."""
    return drawing.drawn(SUITE.families[family].configurations, 0, 0)


def outcome(family: str, **options: Any) -> Any:
    """What becomes of the simplest configuration, but for some options."""
    configuration = simplest(family) | options
    return examined(SUITE.families[family], ASKED, 0, configuration)


def test_every_public_class_of_the_library_is_in_a_family() -> None:
    import continual as co
    from coequal.equivalence.suites import continual_inference

    texts = "".join(path.read_text() for path in _files(continual_inference))
    public = {name for name in dir(co) if name[0].isupper()} - {"CoModule", "PaddingMode"}
    by_rank = {re.sub(r"[123]d$", "", name) for name in public}  # as the families put them together
    stems = {"Adaptive" if name.startswith("Adaptive") else name.removesuffix("Pool") for name in by_rank}
    assert {name for name in stems if name not in texts} == set()


def _files(package: Any) -> Iterator[Any]:
    return Path(package.__path__[0]).glob("*.py")


@pytest.mark.parametrize("family", [name for name in SUITE.families if name not in WRONG_AT_ONCE])
def test_the_simplest_configuration_is_accepted_or_refused(family: str) -> None:
    assert outcome(family).outcome in ("tested", "refused")


WRONG = [
    ("conv", {"kernel_size": 2, "padding": 2}, "other numbers"),
    ("max_pool", {"kernel_size": 2, "dilation": 2}, "other numbers"),
    ("max_pool", {"rank": 2, "kernel_size": 3, "padding": 1}, "other numbers"),
    ("avg_pool", {"kernel_size": 3, "padding": 1, "count_include_pad": False}, "other numbers"),
    ("converted_norm", {"norm": "GroupNorm"}, "other numbers"),
    ("converted_recurrent", {"bidirectional": True}, "shape"),
    ("converted_encoder", {"norm_first": True, "sequence_len": 2, "bias": True}, "other numbers"),
    ("single_output_layer", {"query_index": 0, "sequence_len": 2}, "other numbers"),
    ("residual", {"part": "activation"}, "KeyError"),
    ("conditional", {}, "depend on what ran before"),
    ("recurrent", {"way": "deepcopy"}, ""),
]


@pytest.mark.parametrize(
    ("family", "options", "says"), WRONG, ids=[f"{name} {', '.join(options)}" for name, options, _ in WRONG]
)
def test_findings_of_the_installed_release(family: str, options: dict[str, Any], says: str) -> None:
    tried = outcome(family, **options)
    if not says:
        assert tried.outcome == "tested"
        return
    assert tried.outcome in ("different", "raised", "problem")
    assert says in str(tried.cause)


@pytest.mark.parametrize(
    "way", ["call_mode", "update_state=False", "get_state, set_state", "pad_end", "pickle", "flat_state_dict"]
)
def test_ways_of_a_module_that_is_right(way: str) -> None:
    assert outcome("conv", kernel_size=3, padding=1, rank=2, way=way).outcome == "tested"
