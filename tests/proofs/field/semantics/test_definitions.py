"""Elementary functions by their definitions, where exponents add up; and programs that differ by little from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from coequal import Subject, verify
from coequal.proofs.field.elementary import DEFINITIONS

if TYPE_CHECKING:
    from tests.proofs.field.conftest import Lab

Tensor = torch.Tensor
F = torch.nn.functional
Function = Callable[[Tensor], Tensor]


RIGHT: dict[str, tuple[Function, Function]] = {
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + torch.exp(-x))),
    "its complement": (lambda x: 1 - torch.sigmoid(x), lambda x: 1 / (1 + x.exp())),
    "tanh by sigmoid": (torch.tanh, lambda x: 2 * torch.sigmoid(2 * x) - 1),
    "silu": (F.silu, lambda x: x / (1 + torch.exp(-x))),
    "cosh and sinh": (lambda x: torch.cosh(x) + torch.sinh(x), torch.exp),
    "expm1": (torch.expm1, lambda x: x.exp() - 1),
    "log sigmoid": (F.logsigmoid, lambda x: -torch.log(1 + torch.exp(-x))),
    "gelu by tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    ),
    "a sigmoid of two": (lambda x: torch.stack([x, 0 * x]).softmax(0)[0], torch.sigmoid),
}
WRONG: dict[str, tuple[Function, Function]] = {
    "a little more": (torch.sigmoid, lambda x: (1 + 1e-13) / (1 + torch.exp(-x))),
    "a little steeper": (torch.tanh, lambda x: 2 * torch.sigmoid(2 * x * (1 + 1e-13)) - 1),
    "the other sign": (torch.sigmoid, lambda x: 1 / (1 + x.exp())),
    "beyond a threshold": (F.softplus, lambda x: -F.logsigmoid(-x)),
    "an approximation": (torch.tanh, torch.erf),
    "a hard one": (F.silu, F.hardswish),
}


@pytest.mark.parametrize("what", RIGHT)
def test_definitions_are_known(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1, count=8, levels=3, definitions=DEFINITIONS)
    assert lab.equal(*lab.both(*RIGHT[what], (2, 3)))


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_so_is_told_apart(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1, count=8, levels=3, definitions=DEFINITIONS)
    assert lab.different(*lab.both(*WRONG[what], (2, 3)))


def test_they_are_read_where_the_first_reading_tells_two_streams_apart() -> None:
    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return frame / (1 + torch.exp(-frame))

    report = verify(
        Subject(clip=F.silu, stream=Stream, example=torch.randn(1, 2, 3)), effort="quick", checks=["values", "exact"]
    )
    assert report.verdict == "proved", report
    assert any("homomorphism" in assumption for assumption in report.proof["assumptions"])
