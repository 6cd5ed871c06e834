"""Tensors of the device meta: shapes without numbers. A stream may keep them; what is compared must be numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.subjects.errors import BadSubject

EXAMPLE = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))


class Delta:
    """Each frame and the one before; with a shape that it keeps for later."""

    def __init__(self) -> None:
        self.before, self.shape = None, torch.empty(3, device="meta")

    def step(self, x: torch.Tensor) -> torch.Tensor:
        self.note(x)
        before, self.before = self.before, x.clone()
        return x if before is None else x + before

    def note(self, x: torch.Tensor) -> None:
        """Nothing."""


class Last(Delta):
    """The shape of the last frame."""

    def note(self, x: torch.Tensor) -> None:
        self.shape = x.to("meta")


class Count(Delta):
    """A shape that counts the frames: wrong after so many that nobody feeds."""

    def note(self, x: torch.Tensor) -> None:
        self.shape = torch.empty(self.shape.numel() + 1, device="meta")
        if self.shape.numel() > 5000:
            self.before = None


class CountWhole(Count):
    """The same, in a tensor of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.shape = torch.empty(3, dtype=torch.int64, device="meta")


def clip(x: torch.Tensor) -> torch.Tensor:
    return x + torch.nn.functional.pad(x, (1, 0))[..., :-1]


def subject(stream: type[Delta], **options: object) -> Subject:
    return Subject(clip=options.pop("clip", clip), stream=stream, example=options.pop("example", EXAMPLE), **options)


@pytest.mark.parametrize("stream", [Delta, Last])
def test_a_shape_that_is_kept_is_memory_like_any_other(stream):
    report = verify(subject(stream), effort="quick", checks=("values", "exact"))
    assert (report.verdict.value, report.horizon) == ("proved", "all"), report.proof["state"]


@pytest.mark.parametrize("stream", [Count, CountWhole])
def test_a_shape_that_counts_is_no_finite_memory(stream):
    report = verify(subject(stream), effort="quick", checks=("values", "exact"))
    assert report.verdict.value == "proved"
    assert report.horizon != "all"


class Emits(Delta):
    """Shapes alone."""

    def step(self, x: torch.Tensor) -> torch.Tensor:
        return x.to("meta")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: subject(Emits), "an output is on the device meta, which holds no numbers"),
        (lambda: subject(Delta, clip=lambda x: clip(x).to("meta")), "an output is on the device meta"),
        (lambda: subject(Delta, example=EXAMPLE.to("meta")), "Subject.example: the input is on the device meta"),
        (lambda: subject(Delta, modules=nn.Linear(3, 3, device="meta")), "Subject.modules: `weight` is on the device meta"),
    ],
)
def test_what_holds_no_numbers_is_refused_in_a_sentence(made, says):
    with pytest.raises(BadSubject) as error:
        verify(made())
    assert says in str(error.value)
