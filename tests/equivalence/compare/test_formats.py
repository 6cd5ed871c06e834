"""The subject's own format: what it shows is a difference, what double precision alone shows is one only where exact
arithmetic tells the functions apart, too.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
LINEAR = nn.Linear(8, 8)


def framewise(clip: Any, stream: Any, dtype: torch.dtype = torch.float32, **options: Any) -> Subject:
    """A function of one frame against another, features last."""

    class Stream:
        def step(self, x: Tensor) -> Tensor:
            return stream(x)

    example = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(3)).to(dtype)
    return Subject(clip=clip, stream=Stream, example=example, time=1, **options)


def under_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return LINEAR(x).to(x.dtype)


class HalfRing:
    """The last two frames in bfloat16, in any run that is not in double precision."""

    def __init__(self) -> None:
        self.past: Tensor | None = None

    def step(self, x: Tensor) -> Tensor:
        y = x if self.past is None else x + self.past.to(x.dtype)
        self.past = x.to(torch.bfloat16) if x.dtype == torch.float32 else x.clone()
        return y


def pairs(x: Tensor) -> Tensor:
    return x + nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]


WRONG = {
    "autocast": framewise(LINEAR, under_autocast, modules=LINEAR),
    "a ring in bfloat16": Subject(clip=pairs, stream=HalfRing, example=torch.randn(1, 6, 8), time=1),
    "half precision inside, single outside": framewise(torch.tanh, lambda x: torch.tanh(x).half().float()),
    "another format than the clip's": framewise(torch.tanh, lambda x: torch.tanh(x).to(torch.float64)),
    "overflows in half precision": framewise(
        lambda x: x * 300, lambda x: (x * 300) * 300 / 300 if x.dtype == torch.float16 else x * 300, torch.float16
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_the_own_format_shows_is_a_difference(what):
    report = verify(WRONG[what], effort="quick")
    assert report.verdict == "different", report
    schedule = report.counterexample.schedule
    given = {key: schedule[key] for key in ("length", "batch", "seed", "scale", "format") if key in schedule}
    assert verify(WRONG[what], checks=[report.counterexample.check], **given).verdict == "different"


TENTH = torch.tensor(0.1)
DECAY = 0.9 ** torch.arange(8, dtype=torch.float64)


def decayed(x: Tensor) -> Tensor:
    """The same powers, one by one."""
    powers = [1.0]
    for _ in range(7):
        powers.append(powers[-1] * 0.9)
    return x * torch.tensor(powers, dtype=x.dtype)


TABLE, BAG = nn.Embedding(9, 3), nn.EmbeddingBag(9, 3, mode="sum")
BAG.weight.data = TABLE.weight.data


class Rows:
    """Looks up in a module of its own, which only shares the numbers."""

    def step(self, tokens: Tensor) -> Tensor:
        return BAG(tokens[:, None])


RIGHT = {
    "a constant in single precision": framewise(lambda x: x * 0.1, lambda x: x * TENTH),
    "powers by torch and by Python": framewise(lambda x: x * DECAY.to(x.dtype), decayed),
    "a table in single precision": framewise(
        lambda x: x + torch.arange(1, 9).float().log().to(x.dtype), lambda x: x + torch.arange(1, 9).to(x.dtype).log()
    ),
    "single precision, whatever comes": framewise(torch.tanh, lambda x: torch.tanh(x).float()),
    "weights beside the modules": Subject(
        clip=TABLE, stream=Rows, example=torch.randint(0, 9, (2, 6)), time=1, modules=TABLE
    ),
    "bfloat16 throughout": framewise(torch.tanh, lambda x: torch.tanh(x.to(torch.bfloat16)).to(x.dtype), torch.bfloat16),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_double_precision_alone_shows_is_not(what):
    report = verify(RIGHT[what], effort="quick")
    assert report.verdict in ("proved", "tested"), report
    assert report.exit_code() == 0, report


def test_unless_exact_arithmetic_tells_the_functions_apart():
    norm = nn.LayerNorm(8, eps=1e-5)
    other = framewise(norm, lambda x: nn.functional.layer_norm(x, (8,), norm.weight, norm.bias, 1e-6), modules=norm)
    assert verify(other, effort="quick").verdict == "different"


def summed(x: Tensor) -> Tensor:
    return nn.functional.pad(x, (0, 0, 3, 0)).unfold(1, 4, 1).sum(-1)


class Running:
    def __init__(self) -> None:
        self.total, self.past = torch.zeros(()), [torch.zeros(())] * 4

    def step(self, x: Tensor) -> Tensor:
        self.total = self.total + x * 1e6 - self.past[0] * 1e6
        self.past = [*self.past[1:], x.clone()]
        return self.total / 1e6


def test_what_no_rounding_explains_is_a_finding():
    scaled = framewise(torch.tanh, lambda x: torch.tanh(x) * (1.001 if x.dtype == torch.float32 else 1))
    report = verify(scaled, effort="quick")
    assert "own-format" in [f.name for f in report.findings], report
    assert report.exit_code() == 1


def test_what_rounding_explains_is_not():
    report = verify(Subject(clip=summed, stream=Running, example=torch.randn(1, 6, 8), time=1), effort="quick")
    assert report.verdict == "proved", report
    assert "own-format" not in [f.name for f in report.findings], report


def test_nan_at_the_same_places_agrees():
    clip = lambda x: x / x.abs().sum(-1, keepdim=True)  # noqa: E731
    assert verify(framewise(clip, clip), effort="quick").verdict == "proved"


def test_nan_where_the_clip_has_a_number_does_not():
    def stream(x: Tensor) -> Tensor:
        return torch.where(x == 0, math.nan, x)

    assert verify(framewise(lambda x: x.clone(), stream), effort="quick").verdict == "different"


def test_inputs_that_the_subject_draws_are_the_only_ones():
    def inputs(length: int, batch: int, seed: int) -> Tensor:
        return torch.randn(batch, length, 2, generator=torch.Generator().manual_seed(seed)).softmax(-1)

    class Complement:
        def step(self, x: Tensor) -> Tensor:
            assert bool(((x.sum(-1) - 1).abs() < 1e-3).all()), "no probabilities"
            return 1 - x[:, 1:]

    subject = Subject(clip=lambda x: x[..., :1].clone(), stream=Complement, example=inputs(6, 1, 0), time=1, inputs=inputs)
    report = verify(subject, effort="quick")
    assert report.verdict == "tested", report
    assert report.exit_code() == 0, report


def test_quality_says_which_format_it_was_measured_in():
    report = verify(framewise(torch.tanh, torch.tanh, torch.bfloat16), effort="quick")
    assert report.quality.get("precision", "bfloat16") == "bfloat16"
    assert set(report.scope["formats"]) == {"float64", "bfloat16"}
