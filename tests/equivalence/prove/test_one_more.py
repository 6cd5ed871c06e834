"""Every length of streams that remember everything, where nobody says how their clip function goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from coequal import Subject, verify

Tensor = torch.Tensor
FEATURES = 2
FAR = 100  # frames, more than any proof here looks at


def averaged(x: Tensor, more: Callable[[Tensor], Tensor] = lambda mean: mean) -> Tensor:
    """Moving averages, as one product with a matrix of powers."""
    place = torch.arange(x.shape[2], dtype=torch.float64)
    apart = place - place[:, None]
    powers = torch.where(apart >= 0, 0.5 ** apart.clamp(min=0), torch.zeros((), dtype=torch.float64))
    first = torch.where(place == 0, 1.0, 0.5)
    return more((x * first) @ powers)


class Average:
    """The same, a frame at a time; what it emits is looked at again by some of the wrong ones."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None

    def step(self, frame: Tensor) -> Tensor:
        self.mean = frame.clone() if self.mean is None else 0.5 * self.mean + 0.5 * frame
        return self.seen(self.mean, frame)

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        return mean.clone()


def averages(stream: Callable[[], Any], clip: Callable[[Tensor], Tensor] = averaged, **fields: Any) -> Subject:
    example = torch.randn(1, FEATURES, 5, generator=torch.Generator().manual_seed(0))
    return Subject(clip=clip, stream=stream, example=example, **fields)


def every_length(subject: Subject) -> Any:
    return verify(subject, effort="quick", checks=["exact"])


# -- right ones ------------------------------------------------------------------------------------------------------------


class Twice(Average):
    """Remembers its number twice."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.again = mean.clone()
        return self.again.clone()


class Selective(nn.Module):
    """A selective scan behind a window of three wider frames: how much is forgotten depends on the frame."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(FEATURES, 3)
        self.window = nn.Conv1d(3, 3, 3, groups=3)
        self.keep = nn.Linear(3, 3)

    def gates(self, wide: Tensor) -> tuple[Tensor, Tensor]:
        """What is kept of the state, and what is added; (rows, 3, frames)."""
        seen = nn.functional.silu(self.window(wide)).mT
        return -nn.functional.softplus(self.keep(seen)).mT, seen.mT

    def forward(self, x: Tensor) -> Tensor:
        log, added = self.gates(nn.functional.pad(self.wide(x.mT).mT, (2, 0)))
        total = log.cumsum(2)
        apart = total[..., :, None] - total[..., None, :]
        later = torch.ones(apart.shape[-2:]).tril().bool()
        weights = apart.masked_fill(~later, -torch.inf).exp()
        return (weights @ added[..., None])[..., 0]


class Scan:
    """The same, a frame at a time."""

    def __init__(self, module: Selective) -> None:
        self.module = module
        self.state: Tensor | None = None
        self.window: Tensor | None = None

    def step(self, frame: Tensor) -> Tensor:
        wide = self.module.wide(frame)[..., None]
        before = wide.new_zeros(len(wide), 3, 2) if self.window is None else self.window
        log, added = self.module.gates(torch.cat([before, wide], 2))
        self.window = torch.cat([before[..., 1:], wide], 2)
        kept = added if self.state is None else self.state * log.exp() + added
        self.state = kept[..., 0:1].clone()
        return self.state[..., 0].clone()


def selective() -> Subject:
    module = Selective()
    return averages(lambda: Scan(module), module, modules=module)


RIGHT = {
    "moving averages": lambda: averages(Average),
    "moving averages, remembered twice": lambda: averages(Twice),
    "a selective scan": selective,
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_recurrence_is_proved_for_every_length(what: str) -> None:
    report = every_length(RIGHT[what]())
    assert report.verdict == "proved", report
    assert report.horizon == "all", report.proof
    assert any("tells early" in text for text in report.proof["assumptions"])


# -- each but for one premise ------------------------------------------------------------------------------------------


class Late(Average):
    """A little more, from frame 700 on."""

    count = 0

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.count += 1
        return mean * (1 + 1e-13) if self.count > 700 else mean.clone()


class Saturating(Average):
    """The same, by a count that goes no further than that."""

    count = 0

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.count = min(self.count + 1, 700)
        return mean * (1 + 1e-13) if self.count == 700 else mean.clone()


class Now(Average):
    """Now and then another frame, by a count that begins again."""

    count = 0

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.count = (self.count + 1) % 700
        return mean + frame if self.count == 699 else mean.clone()


class Weakening(Average):
    """Half as large a number after each frame: what is added is nothing once it underflows."""

    weight: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.weight = torch.ones((), dtype=torch.float64) if self.weight is None else self.weight / 2
        return mean + frame * (self.weight / self.weight) - frame


class Doubling(Average):
    """Counts in what it remembers of its first frame: that frame, and beside it 2^t times that frame."""

    first: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        if self.first is None:
            self.first = self.doubled = frame.clone()
        twice = 0.5 ** torch.arange(FAR, dtype=frame.dtype)
        extra = (self.doubled[..., None] * twice - self.first[..., None]).prod(-1)
        self.doubled = 2 * self.doubled
        return mean + extra


class Lagging(Average):
    """Adds the frame of long ago."""

    line: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        if self.line is None:
            self.line = torch.zeros(*frame.shape, FAR, dtype=frame.dtype)
        self.line = torch.cat([self.line[..., 1:], frame[..., None]], -1)
        return mean + self.line[..., 0]


class Nearly(Average):
    """Remembers its number twice, one of them a little less each time."""

    again: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.again = frame.clone() if self.again is None else 0.5 * (1 - 1e-13) * self.again + 0.5 * frame
        return mean.clone()


class Unseen(Average):
    """Lets no gradient through."""

    def step(self, frame: Tensor) -> Tensor:
        with torch.no_grad():
            return super().step(frame)


class HalfSeen(Average):
    """Remembers its number again, by what has no gradient."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.again = mean + mean.detach()
        return mean.clone()


class Inside(Average):
    """Keeps its number as a part of a larger tensor."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.mean = torch.stack([mean, frame])[0]
        return self.mean.clone()


class Rectified(Average):
    """Emits what is positive."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        return mean.relu()


class Whole(Average):
    """Emits a fraction."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        return frame / mean


def rectified() -> Subject:
    return averages(Rectified, lambda x: averaged(x, torch.relu))


def divided() -> Subject:
    return averages(Whole, lambda x: averaged(x, lambda mean: x / mean))


def whole_numbers() -> Subject:
    table = nn.Embedding(9, FEATURES)

    class Ids(Average):
        def step(self, frame: Tensor) -> Tensor:
            return super().step(table(frame).double())

    ids = torch.arange(5)[None]
    return Subject(clip=lambda x: averaged(table(x).double().mT).mT, stream=Ids, example=ids, time=1, modules=table)


OPEN = {
    "a late factor": (lambda: averages(Late), "compares its frame number with 700"),
    "a count that saturates": (lambda: averages(Saturating), "compares its frame number with 700"),
    "a count that begins again": (lambda: averages(Now), "a watched number does not stay there"),
    "a weight that underflows": (lambda: averages(Weakening), "stream.weight is another function"),
    "a count in what it remembers": (lambda: averages(Doubling), "directions"),
    "a long line": (lambda: averages(Lagging), "goes on moving in other directions"),
    "nearly the same twice": (lambda: averages(Nearly), "moves in fewer directions than its numbers may"),
    "no gradients": (lambda: averages(Unseen), "has no gradient"),
    "half a gradient": (lambda: averages(HalfSeen), "moves otherwise than its gradient says"),
    "a part of a tensor": (lambda: averages(Inside), "a part of a larger tensor"),
    "what is not analytic": (rectified, "relu is not analytic"),
    "a division": (divided, "a division is taken of what is not known to be positive"),
    "whole numbers": (whole_numbers, "frames are no floats"),
}


@pytest.mark.parametrize("what", OPEN)
def test_a_premise_that_fails_is_said(what: str) -> None:
    subject, why = OPEN[what]
    report = every_length(subject())
    assert report.horizon != "all", report.proof
    assert report.proof is not None, report
    assert why in report.proof["state"], report.proof["state"]


def test_a_clip_function_that_looks_far_back_is_found() -> None:
    def echoing(x: Tensor) -> Tensor:
        return averaged(x) + nn.functional.pad(x, (60, 0))[..., : x.shape[2]]

    report = every_length(averages(Average, echoing))
    assert report.verdict == "different", report
