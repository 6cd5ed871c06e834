"""Streams that end: all their lengths are compared where there is time for it, down to the last frame."""

from __future__ import annotations

import torch

from coequal import Subject, verify
from coequal.equivalence.report import Report

Tensor = torch.Tensor
END, FEATURES = 24, 2
QUERY, KEY, VALUE = (torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(n)) for n in range(3))


def attention(x: Tensor) -> Tensor:
    scores = (x @ QUERY) @ (x @ KEY).transpose(-1, -2)
    hidden = torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool).triu(1)
    return scores.masked_fill(hidden, -torch.inf).softmax(-1) @ (x @ VALUE)


class Static:
    """A cache that was made as large as it gets; `last`: the place behind which it is full."""

    last = END - 1

    def __init__(self) -> None:
        self.keys, self.values, self.count = torch.zeros(2, END, FEATURES), torch.zeros(2, END, FEATURES), 0

    def step(self, frame: Tensor) -> Tensor:
        place = min(self.count, self.last)
        self.keys, self.values = self.keys.clone(), self.values.clone()
        self.keys[:, place], self.values[:, place] = frame @ KEY, frame @ VALUE
        scores = (frame @ QUERY).unsqueeze(-2) @ self.keys.transpose(-1, -2)
        self.count += 1
        return (scores.masked_fill(torch.arange(END) > place, -torch.inf).softmax(-1) @ self.values).squeeze(-2)


class Full(Static):
    """The last frame takes the place of the one before."""

    last = END - 2


def verified(stream: type[Static], longest: int = END) -> Report:
    example = torch.randn(2, 8, FEATURES)
    subject = Subject(clip=attention, stream=stream, example=example, time=1, longest=longest, batches=(2,))
    return verify(subject, effort="quick", checks="exact")


def test_all_lengths_of_a_stream_that_ends_are_compared() -> None:
    report = verified(Static)
    assert (report.verdict, report.horizon) == ("proved", END)
    assert "every length that there is was compared" in report.proof["state"]


def test_the_last_of_them_too() -> None:
    report = verified(Full)
    assert report.verdict == "different"


def test_a_length_that_is_never_fed_is_not_claimed() -> None:
    report = verified(Full, END - 1)
    assert (report.verdict, report.horizon) == ("proved", END - 1)
