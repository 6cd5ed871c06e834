"""einops remembers nothing between two calls but what it makes of its patterns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from coequal import Subject, verify

einops = pytest.importorskip("einops")
from einops.layers.torch import Rearrange  # noqa: E402

Tensor = torch.Tensor


def clip(x: Tensor) -> Tensor:
    return torch.relu(x + F.pad(x, (1, 0))[..., :-1])


class Called:
    def __init__(self) -> None:
        self.last = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        y, self.last = x + self.last, x.clone()
        return self.turned(y)

    def turned(self, y: Tensor) -> Tensor:
        return einops.rearrange(torch.relu(einops.rearrange(y, "n -> 1 n")), "m n -> (m n)")


class Held(Called):
    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = Rearrange("n -> 1 n"), Rearrange("m n -> (m n)")

    def turned(self, y: Tensor) -> Tensor:
        return self.back(torch.relu(self.there(y)))


class Counts(Held):
    def turned(self, y: Tensor) -> Tensor:
        self.there.count = getattr(self.there, "count", 0) + 1
        return super().turned(y) * (0 if self.there.count > 10**6 else 1)


@pytest.mark.parametrize(("stream", "every"), [(Called, True), (Held, True), (Counts, False)])
def test_streams_that_use_it_are_followed(stream: Any, every: bool) -> None:
    report = verify(Subject(clip=clip, stream=stream, example=torch.randn(2, 9), time=1), effort="quick", checks="exact")
    assert report.verdict == "proved"
    assert (report.horizon == "all") is every
