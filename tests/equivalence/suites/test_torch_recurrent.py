"""The suite of torch's recurrences: a few configurations of each family, and a planted bug."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.search import Asked, examined
from coequal.equivalence.options import Options
from coequal.equivalence.suites.find import suite_of
from coequal.equivalence.suites.torch_recurrent import layers

SUITE = suite_of("torch-recurrent")
ASKED = Asked(options=Options(effort="quick", checks=("values", "chunking")))


def outcome(family: str, **options: Any) -> Any:
    """What becomes of the simplest configuration, but for some options."""
    one = SUITE.families[family]
    return examined(one, ASKED, 0, drawing.drawn(one.configurations, 0, 0) | options)


def test_it_is_of_torch() -> None:
    assert (SUITE.name, SUITE.library, SUITE.version) == ("torch-recurrent", "torch", torch.__version__)
    assert list(SUITE.families) == ["cells", "layers", "without_rows"]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (
            "layers",
            {"kind": "LSTM", "hidden_size": 3, "proj_size": 1, "num_layers": 2, "batch_first": True, "begin": "given"},
        ),
        ("layers", {"kind": "GRU", "clip": "packed", "stream": "state_dict", "dropout": 0.5, "num_layers": 2}),
        ("layers", {"nonlinearity": "relu", "bias": True, "stream": "packed", "dtype": torch.bfloat16}),
        ("without_rows", {"kind": "LSTM", "hidden_size": 3, "proj_size": 2}),
        ("cells", {"kind": "LSTM", "num_layers": 2, "rows": True, "bias": True}),
        ("cells", {"kind": "GRU", "rows": False}),
    ],
)
def test_what_is_right_passes(family: str, options: dict[str, Any]) -> None:
    assert outcome(family, **options).outcome == "tested"


def test_two_directions_are_refused() -> None:
    tried = outcome("layers", bidirectional=True)
    assert tried.outcome == "refused"
    assert "bidirectional" in tried.detail


def test_a_state_that_is_weakened_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def weakened(layer: Any) -> Any:
        return lambda frames, state=None: layer(frames, None if state is None else 0.9 * state)

    monkeypatch.setitem(layers.STREAMS, "packed", weakened)
    assert outcome("layers", stream="packed", hidden_size=3).outcome == "different"
