"""Streams that are proved for every length: rings larger than need be, frame numbers in all kinds of use, rates, long
fields. And their twins that are wrong far away, which are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
W = 3


def total(clip: Tensor) -> Tensor:
    return nn.functional.pad(clip, (W - 1, 0)).unfold(-1, W, 1).sum(-1)


class Total:
    """The last W frames in a list; `after` is what becomes of their sum, t frames fed."""

    after: Callable[[Any, Tensor], Tensor] = staticmethod(lambda t, y: y)  # type: ignore[assignment]

    def __init__(self) -> None:
        self.t, self.past = 0, [torch.zeros(())] * W

    def step(self, x: Tensor) -> Tensor:
        self.past = [*self.past[1:], x.clone()]
        self.t += 1
        return self.after(self.t, sum(self.past))  # type: ignore[arg-type]


def using(after: Callable[[Any, Any], Any]) -> type:
    return type("Using", (Total,), {"after": staticmethod(after)})


def ring(size: int) -> type:
    class Ring:
        def __init__(self) -> None:
            self.t, self.held = 0, None

        def step(self, x: Tensor) -> Tensor:
            held = x.new_zeros(*x.shape, size) if self.held is None else self.held.clone()
            held[..., self.t % size] = x
            self.t, self.held = self.t + 1, held
            return held[..., (self.t - 1) % size] + held[..., (self.t - 2) % size] + held[..., (self.t - 3) % size]

    return Ring


class InATensor:
    """The position is a tensor; so is the comparison with it."""

    def __init__(self) -> None:
        self.n, self.held = torch.zeros((), dtype=torch.long), None

    def step(self, x: Tensor) -> Tensor:
        held = x.new_zeros(*x.shape, W) if self.held is None else self.held
        self.held = torch.where(torch.arange(W) == self.n % W, x[..., None], held)
        self.n = self.n + 1
        return self.held.sum(-1)


def each(size: int, rows: int = 1) -> tuple[Callable, type, Tensor]:
    """The sum of every `size` frames."""

    class Sums:
        def __init__(self) -> None:
            self.held: list[Tensor] = []

        def step(self, x: Tensor) -> Tensor | None:
            self.held.append(x.clone())
            if len(self.held) < size:
                return None
            y, self.held = torch.stack(self.held, -1).sum(-1), []
            return y

    def clip(x: Tensor) -> Tensor:
        return x[..., : x.shape[-1] // size * size].unflatten(-1, (-1, size)).sum(-1)

    return clip, Sums, torch.randn(rows, 2, 3 * size)


class EveryFourth:
    def __init__(self) -> None:
        self.t = 0

    def step(self, x: Tensor) -> Tensor | None:
        self.t += 1
        return None if (self.t - 1) % 4 else x * 2


class Twice:
    def step(self, x: Tensor) -> list[Tensor]:
        return [x * 1.0, x * 2]


def filtered(taps: int) -> tuple[Callable, type, Tensor]:
    weight = torch.randn(1, 1, taps)

    class Filter:
        def __init__(self) -> None:
            self.past = torch.zeros(1, 1, taps)

        def step(self, x: Tensor) -> Tensor:
            self.past = torch.cat([self.past[..., 1:], x[..., None]], -1)
            return (self.past * weight.to(x.dtype)).sum(-1)

    return (
        lambda c: nn.functional.conv1d(nn.functional.pad(c, (taps - 1, 0)), weight.to(c.dtype)),
        Filter,
        torch.randn(1, 1, 9),
    )


class InPairs:
    """Frames come out in pairs: after the second nothing is held."""

    def __init__(self) -> None:
        self.first: Tensor | None = None

    def step(self, x: Tensor) -> list[Tensor]:
        if self.first is None:
            self.first = x.clone()
            return []
        both, self.first = self.first + x, None
        return [both * 1.0, both * 2]


def in_pairs(clip: Tensor) -> Tensor:
    both = clip[..., : clip.shape[-1] // 2 * 2].unflatten(-1, (-1, 2)).sum(-1)
    return torch.stack([both, both * 2], -1).flatten(-2)


def background(clip: Tensor) -> Tensor:
    return (clip - clip[..., :1]).abs()


class Background:
    """Each frame less the first; `again`: after so many frames another takes its place."""

    again: int | None = None

    def __init__(self) -> None:
        self.first: Tensor | None = None
        self.t = 0

    def step(self, x: Tensor) -> Tensor:
        if self.first is None or self.t == self.again:
            self.first = x.clone()
        self.t += 1
        return (x - self.first).abs()


SINKS, LAST = 2, 3


def with_sinks(clip: Tensor) -> Tensor:
    """The first two frames times the last three, for as long as it takes."""
    age = torch.arange(clip.shape[-1])[:, None] - torch.arange(clip.shape[-1])
    seen = (age >= 0) & ((age < LAST) | (torch.arange(clip.shape[-1]) < SINKS))
    scores = (clip[..., None] * clip[..., None, :]).masked_fill(~seen, -torch.inf)
    return (scores.softmax(-1) * clip[..., None, :]).sum(-1)


class Sinks:
    """The same with the frames that it needs; `turns`: after so many frames the newest takes the place of the first."""

    turns: int | None = None

    def __init__(self) -> None:
        self.kept: list[Tensor] = []
        self.t = 0

    def step(self, x: Tensor) -> Tensor:
        self.t += 1
        self.kept = [*self.kept, x.clone()]
        if len(self.kept) > SINKS + LAST:
            del self.kept[SINKS]
        if self.t == self.turns:
            self.kept[0] = self.kept[-1]
        kept = torch.stack(self.kept, -1)
        return ((x[..., None] * kept).softmax(-1) * kept).sum(-1)


EXAMPLE = torch.randn(1, 2, 10)
RIGHT: dict[str, tuple[Callable, type, Tensor]] = {
    "a ring of 16 for 3": (total, ring(16), EXAMPLE),
    "a ring of 23 for 3": (total, ring(23), EXAMPLE),
    "a position in a tensor": (total, InATensor, EXAMPLE),
    "half the count": (total, using(lambda t, y: y + 0 * ((t >> 1) % 3)), EXAMPLE),
    "quotient and remainder": (total, using(lambda t, y: y + 0 * (divmod(t, 4)[0] % 2)), EXAMPLE),
    "a whole part that is passed": (total, using(lambda t, y: y if t // 2 >= 2 else y * 1.0), EXAMPLE),
    "every fourth frame": (lambda c: c[..., ::4] * 2, EveryFourth, EXAMPLE),
    "two for one": (lambda c: torch.stack([c, c * 2], -1).flatten(-2), Twice, EXAMPLE),
    "one for 64": each(64),
    "a field of 70": filtered(70),
    "in pairs": (in_pairs, InPairs, EXAMPLE),
    "a background": (background, Background, EXAMPLE),
    "attention sinks": (with_sinks, Sinks, EXAMPLE[:, :1]),
}


@pytest.mark.parametrize("what", RIGHT)
def test_every_length(what):
    clip, stream, example = RIGHT[what]
    report = verify(Subject(clip=clip, stream=stream, example=example), checks=["exact"], effort="quick")
    assert report.verdict == "proved", report
    assert report.horizon == "all", report.proof


WRONG = {
    "half the count, far away": lambda t, y: y * 2 if t >> 1 == 3000 else y,
    "a whole part, far away": lambda t, y: y * 2 if t // 7 > 1000 else y,
    "the remainder of a whole part": lambda t, y: y * 2 if (t // 50) % 97 == 90 else y,
    "quotient, far away": lambda t, y: y * 2 if divmod(t, 9)[0] == 700 else y,
    "a shift of a shift": lambda t, y: y * 2 if (t >> 3) >> 3 == 77 else y,
    "a whole part as a number": lambda t, y: y + (t // 5000),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_far_away_is_not(what):
    subject = Subject(clip=total, stream=using(WRONG[what]), example=EXAMPLE)
    report = verify(subject, checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof


@pytest.mark.parametrize("size", [16, 37])
def test_a_ring_that_loses_a_frame_far_away_is_not(size):
    class Loses(ring(size)):  # type: ignore[misc]
        def step(self, x: Tensor) -> Tensor:
            if self.t // size == 400 and self.held is not None:
                self.held = self.held * 0
            return super().step(x)

    report = verify(Subject(clip=total, stream=Loses, example=EXAMPLE), checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof


FIRST = {
    "another background far away": (background, type("Again", (Background,), {"again": 1500})),
    "another sink far away": (with_sinks, type("Turning", (Sinks,), {"turns": 1500})),
}


@pytest.mark.parametrize("what", FIRST)
def test_first_frames_that_are_not_kept_for_ever_are_not(what):
    clip, stream = FIRST[what]
    report = verify(Subject(clip=clip, stream=stream, example=EXAMPLE[:, :1]), checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof


def test_what_is_hidden_at_every_frame_of_a_period_is_missed():
    subject = Subject(clip=in_pairs, stream=InPairs, example=EXAMPLE, memory=lambda stream: [])
    report = verify(subject, checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof
    assert "memory is hidden" in report.proof["state"]


class Table:
    """All frames so far in a table of 24; `late`: its last frame counts twice."""

    late = False

    def __init__(self) -> None:
        self.held, self.t = torch.zeros(24, dtype=torch.float64), 0

    def step(self, x: Tensor) -> Tensor:
        self.held = self.held.expand(*x.shape, 24).clone()
        self.held[..., self.t] = x
        self.t += 1
        return self.held.sum(-1) + (x if self.late and self.t == 24 else 0)


def test_of_streams_that_end_every_length_is_compared():
    subject = Subject(clip=lambda x: x.cumsum(-1), stream=Table, example=EXAMPLE.double(), longest=24)
    report = verify(subject, checks=["exact"], effort="quick")
    assert report.horizon == 24, report.proof
    assert "every length that there is" in report.proof["state"]
    late = Subject(clip=subject.clip, stream=type("Late", (Table,), {"late": True}), example=EXAMPLE.double(), longest=24)
    assert verify(late, checks=["exact"], effort="quick").verdict == "different"


def test_a_length_at_which_nothing_is_due_is_no_gap():
    clip, _, example = each(4)

    class Integrated:
        """Differences of running sums, which have no end."""

        def __init__(self) -> None:
            self.total, self.before, self.t = torch.zeros(()), torch.zeros(()), 0

        def step(self, x: Tensor) -> Tensor | None:
            self.total, self.t = self.total + x, self.t + 1
            if self.t % 4:
                return None
            out, self.before = self.total - self.before, self.total
            return out

    report = verify(Subject(clip=clip, stream=Integrated, example=example), checks=["exact"], effort="quick")
    assert report.verdict == "proved", report
    assert report.horizon >= 19
