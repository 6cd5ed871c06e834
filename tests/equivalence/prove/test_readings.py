"""Constants that are computed in two ways, angles that add up, masks that are finite: proved; and what is off by next to
nothing is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.report import Report
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
OFF = 1 + 1e-13
TAPS = 6
RATE = 0.8712345678901234  # no simple number


def filtered(weights: Callable[[torch.dtype], Tensor]) -> Callable[[Tensor], Tensor]:
    """A filter over the last frames, newest first."""

    def clip(x: Tensor) -> Tensor:
        past = nn.functional.pad(x, (TAPS - 1, 0)).unfold(-1, TAPS, 1)
        return (past * weights(x.dtype).flip(0)).sum(-1)

    return clip


def ring(weights: Callable[[], list]) -> type:
    class Ring:
        def __init__(self) -> None:
            self.past: list[Tensor] = []

        def step(self, x: Tensor) -> Tensor:
            self.past = [x.clone(), *self.past][:TAPS]
            return sum(w * frame for w, frame in zip(weights(), self.past, strict=False))  # type: ignore[return-value]

    return Ring


def multiplied(rate: float, off: float = 1.0) -> list[float]:
    """The same powers, one by one in Python."""
    powers = [1.0]
    while len(powers) < TAPS:
        powers.append(powers[-1] * rate)
    return [power * off for power in powers]


def places(dtype: torch.dtype) -> Tensor:
    return torch.arange(TAPS, dtype=dtype)


def as_tensors(values: Callable[[Tensor], Tensor]) -> Callable[[], list]:
    return lambda: list(values(torch.arange(TAPS, dtype=torch.float64)).unbind(0))


def decay(dtype: torch.dtype) -> Tensor:
    return RATE ** places(dtype)


def exponentials(dtype: torch.dtype) -> Tensor:
    return torch.exp(-RATE * places(dtype))


def waves(dtype: torch.dtype) -> Tensor:
    return torch.cos(RATE * places(dtype))


def double_angle(n: Tensor) -> Tensor:
    return 2 * torch.cos(RATE * n / 2) ** 2 - 1


SAME = {
    "powers by torch and by Python": (decay, lambda: multiplied(RATE)),
    "powers of an exponential": (
        exponentials,
        as_tensors(lambda n: torch.exp(torch.tensor(-RATE, dtype=torch.float64)) ** n),
    ),
    "powers, by products": (decay, as_tensors(lambda n: torch.full_like(n, RATE).cumprod(0) / RATE)),
    "an angle in two parts": (waves, as_tensors(lambda n: torch.cos((0.25 * RATE) * n + (0.75 * RATE) * n))),
    "cosine of twice an angle": (waves, as_tensors(double_angle)),
    "one less a constant": (
        lambda dtype: 1 - decay(dtype),
        as_tensors(lambda n: (1 - RATE**n / 2) - RATE**n / 2),
    ),
}


def decided(clip: Callable[[torch.dtype], Tensor], stream: Callable[[], list]) -> Report:
    """By the checks that numbers decide: how a stream is held does not depend on its weights."""
    subject = Subject(clip=filtered(clip), stream=ring(stream), example=torch.randn(1, 2, 12))
    return verify(subject, effort="quick", checks=["values", "exact"])


@pytest.mark.parametrize("what", SAME)
def test_the_same_constants_are_proved(what):
    clip, stream = SAME[what]
    report = decided(clip, stream)
    assert report.verdict == "proved", report
    assert report.horizon == "all", report


OTHERS = {
    "powers, a little off": (decay, lambda: multiplied(RATE, OFF)),
    "another rate": (decay, lambda: multiplied(RATE * OFF)),
    "an exponential, a little off": (exponentials, as_tensors(lambda n: torch.exp(-RATE * OFF * n))),
    "an angle, a little off": (waves, as_tensors(lambda n: torch.cos(RATE * OFF * n))),
    "another power": (decay, as_tensors(lambda n: RATE ** (n + 1e-12))),
    "the sine of twice an angle": (
        lambda dtype: torch.sin(RATE * places(dtype)),
        as_tensors(lambda n: 2 * torch.sin(RATE * n / 2) * torch.cos(RATE * n / 2) * OFF),
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_others_are_not(what):
    clip, stream = OTHERS[what]
    report = decided(clip, stream)
    assert report.verdict in ("different", "tested", "undecided"), report


def written(change: Callable[[Tensor], object]) -> Callable[[], list]:
    """The same powers, of which somebody changes one a little after they were computed."""

    def weights() -> list:
        powers = RATE ** places(torch.float64)
        changed = change(powers)
        return list((changed if isinstance(changed, Tensor) else powers).unbind(0))

    return weights


WRITES: dict[str, Callable[[Tensor], object]] = {
    "in place": lambda w: w[2].mul_(OFF) is None,
    "an element": lambda w: w.__setitem__(2, w[2] * OFF),
    "its data": lambda w: w.data[1:3].mul_(OFF) is None,
    "through a view": lambda w: w.view(-1)[3:].add_(1e-13) is None,
    "as a result": lambda w: torch.mul(w, OFF, out=w) is None,
    "by a copy": lambda w: w.copy_(w * OFF) is None,
    "in a list of tensors": lambda w: torch._foreach_mul_([w], OFF),
    "through NumPy": lambda w: w.numpy().__setitem__(2, w.numpy()[2] * (1 + 1e-9)),
    "adding at a place": lambda w: (
        w.index_put_((torch.tensor([1]),), torch.tensor([1e-13]).double(), accumulate=True) is None
    ),
    "one that is near a whole number": lambda w: w * (1 + 1e-14),
    "one of another storage": lambda w: setattr(w, "data", w * OFF),
}


@pytest.mark.parametrize("how", WRITES)
def test_what_is_written_to_is_not_what_was_computed(how):
    report = decided(decay, written(WRITES[how]))
    assert report.verdict in ("different", "tested", "undecided"), report


# -- attention --------------------------------------------------------------------------------------------------------


def rotated(x: Tensor, place: Tensor) -> Tensor:
    angles = place[:, None] / 100 ** (torch.arange(0, 4, 2, dtype=x.dtype) / 4)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1).flatten(-2)


def attending(fill: float = -math.inf, turn: float = 1.0) -> Callable[[Tensor], Tensor]:
    def clip(x: Tensor) -> Tensor:
        keys = rotated(x, turn * torch.arange(x.shape[1], dtype=x.dtype))
        allowed = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return (keys @ keys.transpose(1, 2)).masked_fill(~allowed, fill).softmax(-1) @ x

    return clip


def cached(start: float, turn: float = 1.0, *, turn_values: bool = False) -> type:
    class Cached:
        def __init__(self) -> None:
            self.n, self.keys, self.values = start, [], []

        def step(self, x: Tensor) -> Tensor:
            x = x[:, None].clone()
            key = rotated(x, torch.tensor([turn * self.n], dtype=x.dtype))
            self.keys, self.values = [*self.keys, key], [*self.values, key if turn_values else x]
            self.n += 1
            scores = key @ torch.cat(self.keys, 1).transpose(1, 2)
            return (scores.softmax(-1) @ torch.cat(self.values, 1))[:, 0]

    return Cached


def subject(clip: Callable, stream: type) -> Subject:
    return Subject(clip=clip, stream=stream, example=torch.randn(1, 5, 4), time=1)


RELATIVE = {
    "from the same start": (attending(), cached(0.0)),
    "from another start": (attending(), cached(7.0)),
    "a mask of -1e9": (attending(-1e9), cached(0.0)),
}


def related(clip: Callable, stream: type) -> Report:
    return verify(subject(clip, stream), checks=["values", "exact"], effort="quick")


@pytest.mark.parametrize("what", RELATIVE)
def test_only_differences_of_places_matter(what):
    report = related(*RELATIVE[what])
    assert report.verdict == "proved", report


def test_what_is_assumed_is_said():
    report = related(attending(-1e4), cached(3.0))
    assert report.verdict == "proved", report
    said = " ".join(report.proof["assumptions"])
    assert "-10000 stands for minus infinity" in said
    assert "sum of angles" in said


ABSOLUTE = {
    "another speed": (attending(), cached(0.0, OFF)),
    "values are turned, too": (attending(), cached(7.0, turn_values=True)),
    "a mask that is none": (attending(-8.0), cached(0.0)),
}


@pytest.mark.parametrize("what", ABSOLUTE)
def test_all_else_does(what):
    report = related(*ABSOLUTE[what])
    assert report.verdict in ("different", "tested", "undecided"), report


def padded(there: int, here: int) -> Subject:
    """An embedding that is zero where an id is the padding: one id of the clip's, one of the stream's."""
    table = nn.Embedding(5, 4).double()

    def embedded(ids: Tensor, pad: int) -> Tensor:
        return table(ids).masked_fill((ids == pad).unsqueeze(-1), 0.0)

    class Stream:
        def step(self, ids: Tensor) -> Tensor:
            return embedded(ids, here)

    return Subject(
        clip=lambda ids: embedded(ids, there),
        stream=Stream,
        example=torch.randint(0, 5, (2, 6), generator=torch.Generator().manual_seed(0)),
        time=1,
        modules=table,
    )


@pytest.mark.parametrize(
    ("there", "here", "verdict"), [(2, 2, "proved"), (17, 17, "tested"), (17, 18, "tested"), (2, 17, "different")]
)
def test_an_id_that_is_never_drawn_is_not_proved(there, here, verdict):
    report = verify(padded(there, here), effort="quick")
    assert report.verdict == verdict, report
    if verdict == "tested":
        assert "all of those drawn gave the same answer" in str(report)
