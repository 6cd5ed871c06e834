"""Where one of clip and stream is undefined for real inputs that the other takes: exact arithmetic does not see it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from coequal import Subject, verify

EXAMPLE = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))


class Framewise:
    """A function of single frames."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def step(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def subject(clip: Any, stream: Any) -> Subject:
    return Subject(clip=clip, stream=lambda: Framewise(stream), example=EXAMPLE)


# the same wherever both are numbers; where the stream's is none no input of ordinary size leads
UNDEFINED = {
    "a root and its inverse": (lambda x: x, lambda x: x * (x + 9).rsqrt() * (x + 9).sqrt()),
    "the square of a root": (lambda x: x + 40, lambda x: (x + 40).sqrt() ** 2),
    "the exponential of a logarithm": (lambda x: x + 9, lambda x: (x + 9).log().exp()),
    "a logarithm taken away": (lambda x: x, lambda x: x + (x + 9).log() - (x + 9).log()),
    "a logarithm times zero": (lambda x: x, lambda x: x + 0 * (x + 9).log()),
    "the logarithm of a square": (lambda x: ((x + 9) ** 2).log(), lambda x: 2 * (x + 9).log()),
    "halves of powers": (lambda x: x + 9, lambda x: (x + 9) ** 0.5 * (x + 9) ** 0.5),
    "an arc sine and that of the negative": (lambda x: x, lambda x: x + (x / 9).asin() + (-x / 9).asin()),
    "an arc cosine taken away": (lambda x: x, lambda x: x + (x / 5000).acos() - (x / 5000).acos()),
    "the logarithm of nothing": (lambda x: x, lambda x: x + (x + 9).relu().log() - (x + 9).relu().log()),
    "nothing times its logarithm": (lambda x: x, lambda x: x + 0 * (x + 9).relu().log()),
    "near zero alone": (lambda x: x, lambda x: x + (x * x - 1e-5).log() - (x * x - 1e-5).log()),
}
# another function of finite numbers, where what is asked comes true
ASKED = {
    "where a root is none": (lambda x: x, lambda x: torch.where(torch.isnan((x + 40).sqrt()), x + 1, x)),
    "finite": (lambda x: x, lambda x: torch.where(torch.isfinite((x + 40).log()), x, x + 1)),
    "a number for NaN": (lambda x: x, lambda x: x + torch.nan_to_num((x + 40).log() - (x + 40).log(), nan=1.0)),
    "minus infinity": (lambda x: x, lambda x: torch.where(torch.isneginf((x + 40).relu().log()), x + 1, x)),
    "in a branch": (lambda x: x, lambda x: x + 1 if bool(torch.isnan((x + 40).sqrt()).any()) else x),
    "a maximum that leaves NaN out": (
        lambda x: torch.maximum(x - 1, x),
        lambda x: torch.fmax(x - 1, x + (x + 40).sqrt() - (x + 40).sqrt()),
    ),
    "sorted last": (
        lambda x: torch.minimum(x, x + 1),
        lambda x: torch.stack([x + (x + 40).sqrt() - (x + 40).sqrt(), x + 1]).sort(0)[0][0],
    ),
    "both ask": (
        lambda x: torch.where(torch.isnan((x + 40).sqrt()), x + 2, x),
        lambda x: torch.where(torch.isnan((x + 40).sqrt()), x + 1, x),
    ),
}
# where no input leads that is tried, or only what overflows
UNSEEN = {
    "too far": (lambda x: x, lambda x: torch.where(torch.isnan((x + 1e12).sqrt()), x + 1, x)),
    "an overflow": (lambda x: x, lambda x: torch.where(torch.isinf(x.exp()), x + 1, x)),
    "the overflow of a product": (lambda x: x, lambda x: torch.where(torch.isinf(1e20 * x), 2 * x, x)),
}
GUARDED = {
    "a softmax": (lambda x: x.softmax(1), lambda x: torch.nan_to_num(x.softmax(1))),
    "numbers that are none": (
        lambda x: torch.where(torch.isnan(x), 0.0, x),
        lambda x: x.masked_fill(torch.isnan(x), 0.0),
    ),
    "a root in both": (
        lambda x: torch.nan_to_num((x + 40).sqrt()) + x,
        lambda x: x + torch.nan_to_num((x + 40).sqrt()),
    ),
    "a norm": (lambda x: x / (x * x + 1e-5).sqrt(), lambda x: torch.nan_to_num(x * (x * x + 1e-5).rsqrt())),
    "a branch": (lambda x: 2 * x, lambda x: x + x if bool(torch.isfinite(x).all()) else None),
}
DEFINED = {
    "norms": (lambda x: x / (x * x + 1e-5).sqrt(), lambda x: x * (x * x + 1e-5).rsqrt()),
    "softplus": (lambda x: x + (1 + x.exp()).log(), lambda x: (1 + x.exp()).log() + x),
    "undefined in both": (lambda x: (x + 9).log() + x, lambda x: x + (9 + x).log()),
    "masked": (
        lambda x: x * x.masked_fill(x < -1e9, -torch.inf).softmax(1).sqrt(),
        lambda x: x.masked_fill(x < -1e9, -torch.inf).softmax(1).sqrt() * x,
    ),
    "a variance of squares": (
        lambda x: x - (x * x).mean(1, keepdim=True).sub(x.mean(1, keepdim=True) ** 2).add(1e-5).sqrt(),
        lambda x: x - (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt(),
    ),
    "whole powers": (lambda x: x**3, lambda x: x * x * x),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_stream_that_is_undefined_where_the_clip_is_a_number_is_found(name):
    report = verify(subject(*UNDEFINED[name]), checks=("domain",))
    assert report.verdict.value == "different"
    assert report.counterexample.got != report.counterexample.got
    assert "is undefined there in the stream, at inputs" in report.counterexample.detail


def test_a_clip_that_is_undefined_where_the_stream_is_a_number_is_found():
    stream, clip = UNDEFINED["a logarithm taken away"]
    report = verify(subject(clip, stream), checks=("domain",))
    assert report.verdict.value == "different"
    assert "log is undefined there in the clip, at inputs" in report.counterexample.detail


@pytest.mark.parametrize("name", DEFINED)
def test_what_is_defined_alike_is_not_accused(name):
    report = verify(subject(*DEFINED[name]), checks=("domain",))
    assert report.verdict.value != "different", report.counterexample.detail


def test_it_is_not_proved_and_the_line_repeats_it():
    found = subject(*UNDEFINED["a root and its inverse"])
    report = verify(found, effort="quick")
    assert (report.verdict.value, report.exit_code()) == ("different", 1)
    assert report.counterexample.check == "domain"
    schedule = {key: report.counterexample.schedule[key] for key in ("length", "batch", "seed")}
    assert verify(found, checks=["domain"], **schedule).verdict.value == "different"


def test_what_is_assumed_of_domains_is_listed():
    report = verify(subject(*DEFINED["undefined in both"]), checks=("values", "domain", "exact"), effort="quick")
    assert report.verdict.value == "proved"
    assert "logarithms are taken of positive numbers" in report.proof["assumptions"]
    assert {check.name: check.outcome for check in report.checks}["domain"] == "passed"


def test_it_is_skipped_where_nothing_is_undefined():
    report = verify(subject(*DEFINED["whole powers"]), checks=("values", "domain"), effort="quick")
    assert report.checks[1].detail == "no function in it is undefined for some numbers"


@pytest.mark.parametrize("name", ASKED)
def test_a_stream_that_is_another_one_where_it_finds_no_number_is_found(name):
    report = verify(subject(*ASKED[name]), checks=("domain",))
    assert report.verdict.value == "different"
    assert "is undefined there on the way, at inputs" in report.counterexample.detail


@pytest.mark.parametrize("name", UNSEEN)
def test_a_question_whose_other_answer_was_not_seen_is_not_proved(name):
    report = verify(subject(*UNSEEN[name]), checks=("values", "exact"), effort="quick")
    assert report.verdict.value == "tested"
    assert "the program asks" in report.reasons[0]


@pytest.mark.parametrize("name", GUARDED)
def test_a_guard_keeps_its_proof_which_says_what_was_asked_and_where(name):
    report = verify(subject(*GUARDED[name]), checks=("values", "domain", "exact"), effort="quick")
    assert report.verdict.value == "proved"
    assert any(
        "the program asks for it: " in text and "test_domain.py, line" in text for text in report.proof["assumptions"]
    )


def test_without_the_check_domain_a_question_is_seen_all_the_same():
    report = verify(subject(*ASKED["where a root is none"]), checks=("values", "exact"), effort="quick")
    assert report.verdict.value == "tested"
    assert "the program asks whether numbers are finite" in report.reasons[0]


class InChunks(Framewise):
    """Another function in chunks, where a root is none."""

    def chunk(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.isnan((x + 40).sqrt()), x + 1, x)


class Late(Framewise):
    """Another function after 30 frames, where a root is none."""

    seen = 0

    def step(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        return torch.where(torch.isnan((x + 40).sqrt()), x + 1, x) if self.seen > 30 else x


def test_a_question_that_chunks_alone_ask_is_found():
    found = Subject(clip=lambda x: x, stream=lambda: InChunks(lambda x: x), example=EXAMPLE)
    assert verify(found, checks=("domain",)).verdict.value == "different"


def test_a_question_that_was_never_met_on_floats_is_not_proved():
    found = Subject(clip=lambda x: x, stream=lambda: Late(None), example=EXAMPLE)
    report = verify(found, checks=("values", "exact"), effort="quick")
    assert report.verdict.value == "tested"
    assert "the program asks whether what may be undefined is finite (test_domain.py, line" in report.reasons[0]


SATURATES = {
    "one less a sigmoid": (lambda x: (1 - x.sigmoid()).log(), lambda x: torch.nn.functional.logsigmoid(-x)),
    "one less a squared tangent": (
        lambda x: (1 - x.tanh() ** 2).log(),
        lambda x: (1 / x.cosh() ** 2).clamp(min=1e-300).log(),
    ),
}


@pytest.mark.parametrize("name", SATURATES)
def test_what_is_one_only_since_it_is_rounded_makes_nothing_undefined(name: str) -> None:
    report = verify(subject(*SATURATES[name]), checks="domain", effort="quick")
    assert report.verdict.value != "different", report.counterexample.detail
