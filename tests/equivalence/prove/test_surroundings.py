"""A right stream is proved for every length whatever modes of torch the caller has on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coequal import Subject, verify

Tensor = torch.Tensor
MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "a default device": lambda: torch.device("cpu"),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
}


def subject() -> Subject:
    conv = nn.Conv1d(1, 2, 2)

    class Stream:
        def __init__(self) -> None:
            self.before = torch.zeros(())

        def step(self, x: Tensor) -> Tensor:
            before, self.before = self.before.to(x.dtype).expand(x.shape), x.clone()
            return conv(torch.stack([before, x], -1))[..., 0]  # type: ignore[no-any-return]

    return Subject(clip=lambda x: conv(F.pad(x, (1, 0))), stream=Stream, example=torch.randn(2, 1, 8), modules=conv)


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_the_caller(mode: str) -> None:
    with MODES[mode]():
        report = verify(subject(), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert report.horizon == "all", report.proof["state"]
