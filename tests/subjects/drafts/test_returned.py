"""What comes back from a call."""

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from coequal.subjects.drafts.returned import takes

x = torch.randn(2, 3)
Pair = namedtuple("Pair", ["output", "state"])


@pytest.mark.parametrize(
    ("value", "states", "output", "kept"),
    [
        (x, (), "", ()),
        (x, ("hx",), "", ("",)),
        ((x, x), ("hx",), "[0]", ("[1]",)),
        ((x, x, x), ("h", "c"), "[0]", ("[1]", "[2]")),
        ((x, x), (), "[0]", ()),
        (SimpleNamespace(logits=x, past_key_values=(x,)), ("past_key_values",), ".logits", (".past_key_values",)),
        (Pair(x, x), ("hidden",), ".output", (".state",)),
        ({"out": x, "cache": x}, ("cache",), '["out"]', ('["cache"]',)),
    ],
)
def test_the_usual_reading_comes_first(value: Any, states: tuple[str, ...], output: str, kept: tuple[str, ...]) -> None:
    first = takes(value, states)[0]
    assert (first.output, first.states) == (output, kept)


def test_a_cache_that_is_changed_in_place() -> None:
    (only,) = takes(x, ("cache",), ({},))
    assert only.states == ()


def test_other_readings_follow() -> None:
    assert [take.output for take in takes((x, x), ("hx",))] == ["[0]", "[1]", "[0]"]


@pytest.mark.parametrize("value", [3, "text", (), {}, {1: x}, object()])
def test_what_holds_no_output(value: Any) -> None:
    assert takes(value, ("cache",)) == []


def test_an_object_without_an_output() -> None:
    assert takes(SimpleNamespace(loss=None), ("cache",)) == []
