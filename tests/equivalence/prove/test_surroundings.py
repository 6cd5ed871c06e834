"""A right stream is proved for every length whatever modes of torch the caller has on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.prove.remembered import _layout
from tests.equivalence.delayed import of_two_frames

Tensor = torch.Tensor
MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "a default device": lambda: torch.device("cpu"),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_the_caller(mode: str) -> None:
    with MODES[mode]():
        report = verify(of_two_frames(nn.Conv1d(1, 2, 2), torch.randn(2, 1, 8)), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert report.horizon == "all", report.proof["state"]


def under(mode: Callable[[], AbstractContextManager[object]]) -> Tensor:
    with mode():
        return torch.zeros(2)[:]


def shown_as_an_array() -> Tensor:
    tensor = torch.zeros(2)
    tensor.numpy()
    return tensor


@pytest.mark.parametrize(
    ("one", "other"),
    [(lambda: under(torch.no_grad), lambda: under(torch.enable_grad)), (lambda: torch.zeros(2), shown_as_an_array)],
)
def test_what_decides_whether_a_write_raises_is_told(one: Callable[[], Tensor], other: Callable[[], Tensor]) -> None:
    assert _layout(one()) == _layout(one())
    assert _layout(one()) != _layout(other())
