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


class Nearly(Average):
    """Remembers another number besides, a little less each time."""

    again: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.again = frame.clone() if self.again is None else 0.5 * (1 - 1e-13) * self.again + 0.5 * frame
        return mean.clone()


class Unseen(Average):
    """Lets no gradient through, which nobody asks for."""

    def step(self, frame: Tensor) -> Tensor:
        with torch.no_grad():
            return super().step(frame)


class HalfSeen(Average):
    """Remembers its number again, by what has no gradient."""

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        self.again = mean + mean.detach()
        return mean.clone()


class Inferring(Average):
    """Makes what it remembers where no gradients are."""

    @torch.inference_mode()
    def step(self, frame: Tensor) -> Tensor:
        return super().step(frame)


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
    "another number besides": lambda: averages(Nearly),
    "no gradients": lambda: averages(Unseen),
    "half a gradient": lambda: averages(HalfSeen),
    "inference mode": lambda: averages(Inferring),
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


class Counting(Average):
    """Counts beside its number, in the same tensor, and adds what is nothing for the first FAR counts."""

    state: Tensor | None = None
    unit, size = 2.0**-43, 1.0

    def step(self, frame: Tensor) -> Tensor:
        mean, count = (frame, 0 * frame.detach()) if self.state is None else (self.state[0] / self.size, self.state[1])
        mean = frame.clone() if self.state is None else 0.5 * mean + 0.5 * frame
        count = self.counted(count + self.unit, frame)
        self.state = torch.stack([mean * self.size, count])
        apart = count[..., None] / self.unit - torch.arange(1, FAR, dtype=frame.dtype)
        return mean + (apart / 36).prod(-1)

    def counted(self, count: Tensor, frame: Tensor) -> Tensor:
        return count


class Detached(Counting):
    """The same, with a gradient that is none."""

    def counted(self, count: Tensor, frame: Tensor) -> Tensor:
        return count + self.unit * (frame - frame.detach())


class BesideLarge(Detached):
    """The same, beside large numbers."""

    unit, size = 1.0, 2.0**45


class Rounded(Counting):
    """The same, beside a third number that is a rounded nothing."""

    def step(self, frame: Tensor) -> Tensor:
        emitted = super().step(frame)
        nothing = ((frame * 0.1) * 0.7) * 0.3 - ((frame * 0.3) * 0.7) * 0.1
        self.state = torch.stack([self.state[0], self.state[1], nothing])
        return emitted


class Curved(Average):
    """Counts beside the square of its number: in no plane, and in one direction. Nobody asks for the count."""

    count: Tensor | None = None

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        count = 0 * mean if self.count is None else self.count[0] - self.count[1] ** 2
        self.count = torch.stack([count + 1 + mean**2, mean])
        return mean.clone()


class Bits(Average):
    """Keeps its number seven times, and counts in the form in which it does."""

    kept: tuple[Tensor, ...] = ()

    def seen(self, mean: Tensor, frame: Tensor) -> Tensor:
        count = 1 + sum(self.read(x) << i for i, x in enumerate(self.kept))
        self.kept = tuple(self.written(mean, count >> i & 1) for i in range(7))
        return mean + frame if count == FAR else mean.clone()

    def read(self, kept: Tensor) -> int:
        raise NotImplementedError

    def written(self, mean: Tensor, bit: int) -> Tensor:
        raise NotImplementedError


class Formats(Bits):
    """In double or in single precision."""

    def read(self, kept: Tensor) -> int:
        return int(kept.dtype == torch.float32)

    def written(self, mean: Tensor, bit: int) -> Tensor:
        return mean.to(torch.float32 if bit else torch.float64, copy=True)


class Shapes(Bits):
    """As a row or as a column."""

    def read(self, kept: Tensor) -> int:
        return int(kept.shape[0] == FEATURES)

    def written(self, mean: Tensor, bit: int) -> Tensor:
        return mean.reshape(-1, 1).clone() if bit else mean.reshape(1, -1).clone()


class Views(Bits):
    """As a view or not."""

    def read(self, kept: Tensor) -> int:
        return int(kept._is_view())

    def written(self, mean: Tensor, bit: int) -> Tensor:
        return mean.clone()[:] if bit else mean.clone()


class Holders(Bits):
    """In a list or in a tuple."""

    def read(self, kept: Any) -> int:
        return int(kept.__class__ is list)

    def written(self, mean: Tensor, bit: int) -> Any:
        return [mean.clone()] if bit else (mean.clone(),)


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
    "a long line": (lambda: averages(Lagging), "frames are needed to move 202 numbers"),
    "a small count beside it": (lambda: averages(Counting), "fewer directions than its numbers may"),
    "a count with a gradient": (lambda: averages(Detached), "fewer directions than its numbers may"),
    "a count beside large numbers": (lambda: averages(BesideLarge), "fewer directions than its numbers may"),
    "a rounded nothing": (lambda: averages(Rounded), "fewer directions than its numbers may"),
    "a count beside a square": (lambda: averages(Curved), "fewer directions than its numbers may"),
    "a count in formats": (lambda: averages(Formats), "has another form"),
    "a count in shapes": (lambda: averages(Shapes), "has another form"),
    "a count in views": (lambda: averages(Views), "has another form"),
    "a count in lists": (lambda: averages(Holders), "__class__ is another function"),
    "a part of a tensor": (lambda: averages(Inside), "a part of a larger tensor"),
    "what is not analytic": (rectified, "relu is not analytic"),
    "a division": (divided, "a division is taken of what is not known to be positive"),
    "whole numbers": (whole_numbers, "frames are no floats"),
}


WRONG = (Counting, Detached, BesideLarge, Rounded, Formats, Shapes, Views, Holders)


@pytest.mark.parametrize("stream", WRONG, ids=lambda stream: stream.__name__)
def test_streams_that_count_beside_what_they_remember_are_wrong_late(stream: type[Average]) -> None:
    x = torch.randn(1, FEATURES, FAR + 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    one, emitted = stream(), []
    for t in range(FAR + 1):
        emitted.append(one.step(x[..., t]))
    apart = (torch.stack(emitted, -1) - averaged(x)).abs().amax((0, 1))
    assert float(apart[: FAR - 1].max()) < 1e-6
    assert float(apart[FAR - 1]) > 1e-3


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
