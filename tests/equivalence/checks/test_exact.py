"""The check `exact`: what it proves, what it leaves open and says so, and differences that only it can see."""

import math

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


def framewise(clip, stream, modules=None, **options) -> Subject:
    """Two functions of `(B, E)` frames as a subject on `(B, T, E)`."""

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return stream(frame)

    return Subject(clip=clip, stream=Stream, example=torch.randn(2, 4, 6), time=1, modules=modules, **options)


def exactly(subject: Subject, **options):
    return verify(subject, checks=["exact"], effort="quick", **options)


def test_a_proof_carries_bound_horizon_and_assumptions():
    linear = nn.Linear(6, 3)
    report = exactly(framewise(linear, lambda x: x @ linear.weight.T + linear.bias, linear))
    assert report.verdict == "proved"
    assert report.proof["horizon"] == "all"
    assert 0 < report.proof["bound"] < 2**-40
    assert report.proof["assumptions"]
    assert report.exit_code("proved") == 0


def test_the_bound_is_what_was_asked_for():
    norm = nn.LayerNorm(6)
    subject = framewise(norm, lambda x: norm(x.clone()), norm)
    loose, tight = exactly(subject, bound=0.5), exactly(subject, bound=2.0**-150)
    assert tight.proof["bound"] < 2.0**-150 < loose.proof["bound"]
    assert tight.proof["draws"] > loose.proof["draws"]


@pytest.mark.parametrize(
    ("what", "stream"),
    [
        ("a square of 2^-60", lambda x: x * 3 + x * x * 2.0**-60),
        ("a scale off by 2^-50", lambda x: x * (3 + 2.0**-50)),
    ],
)
def test_differences_that_no_float_shows(what, stream):
    report = verify(framewise(lambda x: x * 3, stream), effort="quick")
    assert report.verdict == "tested", report
    assert [c.outcome for c in report.checks if c.name == "exact"] == ["undecided"]
    assert report.reasons
    again = verify(framewise(lambda x: x * 3, stream), checks=["exact"], length=5)
    assert again.verdict != "proved"


def test_a_difference_comes_with_a_witness_on_floats_where_there_is_one():
    norm = nn.LayerNorm(6, eps=1e-5)
    stream = lambda x: nn.functional.layer_norm(x, (6,), norm.weight, norm.bias, 1e-6)  # noqa: E731
    report = exactly(framewise(norm, stream, norm))
    assert report.verdict == "different"
    assert report.counterexample.check == "values"
    assert isinstance(report.counterexample.got, float)


SCALES = {
    "a quotient by the root": lambda x: x / math.sqrt(32),
    "the power -1/2": lambda x: x * 32**-0.5,
}


def test_constants_stand_for_numbers():
    subject = framewise(SCALES["a quotient by the root"], SCALES["the power -1/2"])
    report = exactly(subject)
    assert report.verdict == "proved"
    assert any("stands for" in text for text in report.proof["assumptions"])


def test_taken_literally_they_differ_and_it_is_said_why():
    subject = framewise(SCALES["a quotient by the root"], SCALES["the power -1/2"])
    report = exactly(subject, literal=True)
    assert report.verdict != "different"
    assert any("constants alone" in reason for reason in report.reasons)


def test_an_identity_that_it_does_not_know_is_no_difference():
    report = verify(framewise(torch.abs, lambda x: torch.sqrt(x * x)), effort="quick")
    assert report.verdict == "tested", report
    assert any("an identity between functions" in reason for reason in report.reasons)


@pytest.mark.parametrize(
    ("regular", "by_hand"),
    [
        (nn.functional.silu, lambda x: x * torch.sigmoid(x)),
        (nn.functional.gelu, lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))),
        (nn.functional.hardswish, lambda x: x * nn.functional.relu6(x + 3) / 6),
        (nn.functional.relu, lambda x: torch.maximum(x, torch.zeros_like(x))),
        (lambda x: x.softmax(-1), lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)),
        (lambda x: x.softmax(-1), lambda x: torch.exp(x - x.amax(-1, keepdim=True)).div(
            torch.exp(x - x.amax(-1, keepdim=True)).sum(-1, keepdim=True))),
    ],
)  # fmt: skip
def test_formulas_written_out_are_known(regular, by_hand):
    report = exactly(framewise(regular, by_hand))
    assert report.verdict == "proved", report


def test_what_has_no_meaning_is_left_open_by_name_and_line():
    report = verify(framewise(lambda x: x.floor(), lambda x: x.floor()), effort="quick")
    assert report.verdict == "tested"
    assert any("aten.floor: it rounds data (test_exact.py, line" in reason for reason in report.reasons)
    assert report.exit_code("proved") == 3


def test_integers_that_are_computed_with_are_only_sampled():
    table = nn.Embedding(7, 3)

    def subject(look_up) -> Subject:
        class Stream:
            def step(self, token: Tensor) -> Tensor:
                return look_up(token)

        return Subject(clip=look_up, stream=Stream, example=torch.randint(0, 7, (2, 6)), time=1, modules=table)

    assert exactly(subject(table)).verdict == "proved"
    report = exactly(subject(lambda token: table(token) * (token > 0)[..., None]))
    assert report.verdict == "undecided"
    assert any("computes with its integer inputs (aten.gt" in reason for reason in report.reasons)


def test_a_coarser_state_is_found_although_casts_count_as_exact():
    class Stream:
        total = None

        def step(self, frame: Tensor) -> Tensor:
            self.total = frame if self.total is None else self.total.float().to(frame.dtype) + frame
            return self.total

    subject = Subject(clip=lambda x: x.cumsum(1), stream=Stream, example=torch.randn(2, 6, 3), time=1)
    assert exactly(subject).verdict == "proved"
    report = verify(subject, effort="quick")
    told = {finding.name: finding.detail for finding in report.problems}
    assert "coarser format" in told["precision"], report


def test_it_can_be_waived():
    report = verify(framewise(lambda x: x, lambda x: x * 1, allow=("exact",)), effort="quick")
    assert report.verdict == "tested"
    assert [c.outcome for c in report.checks if c.name == "exact"] == ["waived"]


def test_location_says_which_frames_are_used():
    class Late:
        def __init__(self) -> None:
            self.frames: list[Tensor] = []

        def step(self, frame: Tensor) -> Tensor | None:
            self.frames = [*self.frames, frame.clone()][-3:]
            return None if len(self.frames) < 3 else self.frames[0] + self.frames[1]

    clip = lambda x: x[:, 1:-1] + x[:, 2:]  # noqa: E731
    report = verify(Subject(clip=clip, stream=Late, example=torch.randn(1, 6, 2), time=1), effort="quick")
    assert report.verdict == "different"
    assert report.counterexample.uses == "the clip's frame depends on the input frames 1 and 2, the stream's on 0 and 1"


class InTheEnd:
    """All frames at once, which must be four at least."""

    def __init__(self, factor: float) -> None:
        self.factor, self.frames = factor, []

    def step(self, frame: torch.Tensor) -> None:
        self.frames.append(frame.clone())

    def flush(self) -> list[torch.Tensor]:
        return list((four_at_least(torch.stack(self.frames, 2)) * self.factor).unbind(2))


def four_at_least(x: torch.Tensor) -> torch.Tensor:
    if x.shape[2] < 4:
        raise ValueError("four frames at least")
    return x * 2 + x.mean(2, keepdim=True)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "proved"), (1.0001, "different")])
def test_lengths_that_clip_and_stream_refuse_are_no_reason_to_decide_nothing(factor, verdict):
    subject = Subject(clip=four_at_least, stream=lambda: InTheEnd(factor), example=torch.randn(1, 2, 5))
    report = verify(subject, effort="quick")
    assert report.verdict == verdict, report
    assert not any("refuse" in finding.detail or "raised" in finding.detail for finding in report.findings)
