"""What happens beside frames: clips that run in between, streams that begin anew in one module. None of it is a length,
and whoever counts it is proved for no length that was not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from coequal import Subject, verify
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor
LATE = 10**6


class Layer(nn.Module):
    """This frame and the last one; `tables`: made for the longest clip so far."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.clips, self.table = nn.Linear(2, 2), 0, torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return y + F.pad(y, (0, 0, 1, 0))[:, :-1]


class Counts(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.clips += 1
        return super().forward(x)


class Tabulates(Layer):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] > self.table.shape[0]:
            self.table = torch.zeros(x.shape[1])
        return super().forward(x)


class Stream:
    def __init__(self, layer: Layer) -> None:
        self.layer, self.last = layer, torch.zeros(())

    def step(self, frame: Tensor) -> Tensor:
        y = self.layer.linear(frame)
        out, self.last = y + self.last, y
        return out * 0 if self.layer.clips > LATE or self.layer.table.shape[0] > LATE else out


def horizon(layer: Layer, stream: Callable[[], Any], **fields: Any) -> Any:
    subject = Subject(clip=layer, stream=stream, modules=layer, example=torch.randn(2, 9, 2), time=1, **fields)
    report = verify(subject, effort="quick", checks="exact")
    assert report.verdict == "proved", report.notes
    return report.horizon


@pytest.mark.parametrize(("kind", "every"), [(Layer, True), (Tabulates, True), (Counts, False)])
def test_how_often_a_clip_ran_is_no_frame(kind: type[Layer], every: bool) -> None:
    layer = kind()
    assert (horizon(layer, lambda: Stream(layer)) == "all") is every


# -- streams that live in their module, one at a time -----------------------------------------------------------------------


class Living(Layer):
    """The stream is the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(()))
        self.frames = self.begun = 0

    @torch.no_grad()
    def begin(self) -> Living:
        self.last, self.frames, self.begun = torch.zeros(()), 0, 1
        return self

    def step(self, frame: Tensor) -> Tensor:
        y = self.linear(frame)
        out, self.last = y + self.last, y
        return self.bent(out)

    def bent(self, out: Tensor) -> Tensor:
        return out


class CountsFrames(Living):
    def bent(self, out: Tensor) -> Tensor:
        self.frames += 1
        return out * 0 if self.frames > LATE else out


class CountsStreams(Living):
    def begin(self) -> Living:
        before = self.begun
        super().begin()
        self.begun = before + 1
        return self

    def bent(self, out: Tensor) -> Tensor:
        return out * 0 if self.begun > LATE else out


class RemembersTheLongest(Living):
    """A stream that comes after a long one is another."""

    longest = 0

    def begin(self) -> Living:
        self.longest = max(self.longest, self.frames)
        super().begin()
        return self

    def bent(self, out: Tensor) -> Tensor:
        self.frames += 1
        return out * 0 if self.longest > LATE else out


class CountsBehindDisabled(Living):
    @torch.compiler.disable
    def bent(self, out: Tensor) -> Tensor:
        self.frames += 1
        return out * 0 if self.frames > LATE else out


class Disabled(Living):
    @torch.compiler.disable
    def bent(self, out: Tensor) -> Tensor:
        return out


class Context:
    """A `with` block around the module."""

    def __init__(self, layer: Living) -> None:
        self.layer = layer

    def __enter__(self) -> Living:
        return self.layer.begin()

    def __exit__(self, *error: object) -> None:
        self.layer.begin()


WRONG = (CountsFrames, CountsStreams, RemembersTheLongest, CountsBehindDisabled)
KINDS = [(Living, True), (Disabled, True), *((kind, False) for kind in WRONG)]


@pytest.mark.parametrize(("kind", "every"), KINDS)
def test_a_stream_that_lives_in_its_module_is_followed(kind: type[Living], every: bool) -> None:
    layer = kind()
    assert (horizon(layer, layer.begin, streams="one at a time") == "all") is every


@pytest.mark.parametrize(("kind", "every"), KINDS[::2])
def test_so_is_one_within_a_context(kind: type[Living], every: bool) -> None:
    layer = kind()
    assert (horizon(layer, lambda: Context(layer)) == "all") is every


def test_two_of_them_are_never_fed_at_a_time() -> None:
    layer, example = Living().double(), torch.randn(2, 9, 2)
    subject = Subject(clip=layer, stream=layer.begin, example=example, time=1, streams="one at a time")
    session = Session(subject, 0, Floats())
    first, x = session.player(), session.random(3, 2, 0)
    session.player().feed(x)
    with pytest.raises(RuntimeError, match="after another one began"):
        first.feed(x)
