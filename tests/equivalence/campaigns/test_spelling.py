"""Configurations are written so that they can be read again."""

from __future__ import annotations

import fractions
import math

import pytest
import torch

from coequal.equivalence.campaigns.spelling import read, spelled
from coequal.subjects.errors import BadSubject


@pytest.mark.parametrize(
    "configuration",
    [
        {"kernel_size": 4, "stride": -2, "bias": True, "padding": None, "scale": 1e-3},
        {"name": "a, b=[c]'\"", "shape": (1, 2), "sizes": [1, [2]], "more": {"a": 1}},
        {"dtype": torch.float32, "kind": torch.nn.Conv1d, "function": math.sqrt, "nested": fractions.Fraction.from_float},
        {},
    ],
)
def test_what_is_written_is_read(configuration: dict) -> None:
    assert read(spelled(configuration)) == configuration


def test_a_word_stands_for_itself() -> None:
    assert read("cache=static, size=3, on=True") == {"cache": "static", "size": 3, "on": True}


@pytest.mark.parametrize(
    "text", ["4", "k=", "**k", "k=4)", "k=__import__('os')", "k=no.such.name", "k=<object>", "k=lambda: 1"]
)
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(BadSubject):
        read(text)
