"""einops remembers nothing between two calls but what it makes of its patterns."""

from __future__ import annotations

import pytest
import torch

from tests.equivalence.delayed import Delayed, delayed, report_of

einops = pytest.importorskip("einops")
from einops.layers.torch import Rearrange  # noqa: E402

Tensor = torch.Tensor


def clip(x: Tensor) -> Tensor:
    return torch.relu(delayed(x))


class Called(Delayed):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return einops.rearrange(torch.relu(einops.rearrange(out, "m n -> m 1 n")), "m k n -> m (k n)")


class Held(Called):
    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = Rearrange("m n -> m 1 n"), Rearrange("m k n -> m (k n)")

    def then(self, out: Tensor, x: Tensor) -> Tensor:
        return self.back(torch.relu(self.there(out)))  # type: ignore[no-any-return]


class Counts(Held):
    def then(self, out: Tensor, x: Tensor) -> Tensor:
        self.there.count = getattr(self.there, "count", 0) + 1
        return super().then(out, x) * (0 if self.there.count > 10**6 else 1)


@pytest.mark.parametrize(("stream", "every"), [(Called, True), (Held, True), (Counts, False)])
def test_streams_that_use_it_are_followed(stream: type[Delayed], every: bool) -> None:
    report = report_of(stream, clip)
    assert report.verdict == "proved"
    assert (report.horizon == "all") is every
