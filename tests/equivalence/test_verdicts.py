"""What a verdict says: horizon, exit codes, scope; and right streams that used to be accused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.equivalence.report import Check, Finding, Report, Verdict
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
EXAMPLE = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(1))


class Framewise:
    """A function of single frames."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def step(self, x: Tensor) -> Tensor:
        return self.function(x)


class Sum:
    """The sum of all frames."""

    total: Any = 0

    def step(self, x: Tensor) -> Tensor:
        self.total = self.total + x
        return self.total


class Kept:
    """The same, of a list of all frames: a memory that is followed no further than it was run."""

    def __init__(self) -> None:
        self.frames: list[Tensor] = []

    def step(self, x: Tensor) -> Tensor:
        self.frames.append(x.clone())
        return torch.stack(self.frames).sum(0)


def cumulative(stream: Any = Sum, **options: Any) -> Subject:
    return Subject(clip=lambda x: x.cumsum(2), stream=stream, example=EXAMPLE, **options)


def doubled(**options: Any) -> Subject:
    return Subject(clip=lambda x: 2 * x, stream=lambda: Framewise(lambda x: x + x), example=EXAMPLE, **options)


# -- words and codes ------------------------------------------------------------------------------------------------------


def test_the_headline_carries_the_horizon():
    every, some = verify(doubled(), effort="quick"), verify(cumulative(Kept), effort="quick")
    assert every.headline == "proved for every length"
    assert some.headline == f"proved up to {some.horizon} frames"
    assert (every.exit_code("proved-all"), some.exit_code("proved-all"), some.exit_code("proved")) == (0, 3, 0)


def test_a_problem_makes_exit_code_1_whatever_is_proved():
    report = Report("x", Verdict.PROVED, proof={"horizon": "all"}, findings=[Finding("input-reuse", "high", "kept")])
    assert report.exit_code() == 1
    assert "proved for every length; 1 problem" in str(report)


def test_the_four_answers_are_in_the_json():
    data = json.loads(verify(doubled(), effort="quick").to_json())
    assert data["function"] == {"outcome": "proved", "horizon": "all", "text": "proved for every length"}
    assert data["conduct"]["problems"] == []
    assert {"formats", "devices", "batch_sizes", "lengths", "chunk_sizes", "mode", "globals"} <= data["scope"].keys()
    assert data["verdict"] == "proved"


def test_the_scope_names_what_was_not_drawn():
    module = nn.BatchNorm1d(2).eval()
    module.register_buffer("table", torch.ones(2))
    subject = Subject(clip=module, stream=lambda: Framewise(module), example=EXAMPLE, modules=module)
    scope = verify(subject, effort="quick").scope
    assert "table" in scope["buffers_not_drawn"]
    assert scope["mode"] == "eval"
    assert scope["formats"] == ["float32", "float64"]


# -- weights --------------------------------------------------------------------------------------------------------------


class Own:
    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def step(self, x: Tensor) -> Tensor:
        return x @ self.weight.to(x.dtype)


def test_copied_weights_are_said_and_not_called_a_difference():
    linear = nn.Linear(3, 3, bias=False)
    weight = linear.weight.detach().T.clone()
    subject = Subject(clip=linear, stream=lambda: Own(weight), example=torch.randn(1, 5, 3), time=1, modules=linear)
    report = verify(subject, effort="quick")
    assert report.verdict == "proved", report
    assert any(f.name == "own-weights" for f in report.findings)
    assert report.scope["weights"].startswith("as they came")


def test_a_branch_that_is_left_out_is_no_copy():
    """The last layer is zero as it came, so that both are equal until weights are drawn."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.out = nn.Linear(3, 3), nn.Linear(3, 3)
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.out(self.mix(x))

    block = Block()
    subject = Subject(clip=block, stream=lambda: Framewise(torch.clone), example=torch.randn(1, 5, 3), time=1, modules=block)
    assert verify(subject, effort="quick").verdict == "different"


class Cell:
    def __init__(self, lstm: nn.LSTM) -> None:
        self.cell, self.memory = nn.LSTMCell(3, 4), None
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(lstm, f"{name}_l0"))

    def step(self, x: Tensor) -> Tensor:
        self.memory = self.cell(x, self.memory)
        return self.memory[0]


def test_the_very_same_parameters_under_other_names_are_no_difference():
    lstm = nn.LSTM(3, 4, batch_first=True)
    subject = Subject(
        clip=lambda x: lstm(x)[0], stream=lambda: Cell(lstm), example=torch.randn(1, 6, 3), time=1, modules=lstm
    )
    report = verify(subject, effort="quick")
    assert report.verdict == "proved", report
    assert report.exit_code() == 0


# -- lengths ---------------------------------------------------------------------------------------------------------------


class Positions:
    def __init__(self, table: nn.Embedding) -> None:
        self.table, self.n = table, 0

    def step(self, x: Tensor) -> Tensor:
        y, self.n = x + self.table.weight[self.n].to(x.dtype), self.n + 1
        return y


def test_a_length_that_both_refuse_is_no_difference():
    table = nn.Embedding(40, 3)
    clip = lambda x: x + table(torch.arange(x.shape[1]))  # noqa: E731
    subject = Subject(clip=clip, stream=lambda: Positions(table), example=torch.randn(1, 6, 3), time=1, modules=table)
    report = verify(subject, effort="quick")
    assert report.verdict in ("proved", "tested"), report
    assert report.exit_code() == 0, report


def test_a_length_that_the_stream_alone_refuses_is_one():
    class Limited(Sum):
        seen = 0

        def step(self, x: Tensor) -> Tensor:
            self.seen += 1
            if self.seen > 12:
                raise IndexError("no more")
            return super().step(x)

    assert verify(cumulative(Limited), effort="quick").verdict == "different"


class Falters:
    """Frames in threes at first, then never again."""

    def __init__(self, until: int) -> None:
        self.until, self.seen = until, 0

    def step(self, x: Tensor) -> Tensor | None:
        self.seen += 1
        return x * 2 if self.seen <= self.until else None


@pytest.mark.parametrize("until", [3, 9, 20])
def test_a_stream_that_stops_emitting_is_found(until):
    subject = Subject(clip=lambda x: 2 * x, stream=lambda: Falters(until), example=EXAMPLE)
    assert verify(subject, effort="quick").verdict == "different"


class Windows:
    """Sums of three frames: at every second frame, some of them."""

    def __init__(self, times: Any) -> None:
        self.times, self.seen, self.frames = times, 0, list[Tensor]()

    def step(self, x: Tensor) -> Tensor | None:
        self.seen += 1
        self.frames = [*self.frames, x.clone()][-3:]
        return sum(self.frames) if self.times(self.seen) else None


@pytest.mark.parametrize(
    ("times", "right"),
    [
        (lambda t: t >= 3, True),
        (lambda t: t >= 3 and t % 2 == 1, True),
        (lambda t: t in (3, 5), False),
        (lambda t: t >= 3 and t % 2 == 1 and t < 12, False),
        (lambda t: t >= 3 and t != 9, False),
        (lambda t: t >= 3 and (t % 2 == 1 or t > 30), False),
    ],
)
def test_windows_come_equally_spaced_to_the_end(times, right):
    subject = Subject(clip=lambda x: x.sum(2), stream=lambda: Windows(times), example=EXAMPLE, window=3)
    report = verify(subject, effort="quick")
    assert (report.verdict == "different") is not right, report


def test_a_negative_offset_is_refused():
    with pytest.raises(BadSubject, match="offset"):
        verify(doubled(offset=-1))


# -- loops ----------------------------------------------------------------------------------------------------------------


class Renamed:
    """A stream whose work is done by a method of another name."""

    total: Any = 0

    def advance(self, x: Tensor) -> Tensor:
        self.total = self.total + x
        return self.total

    def step(self, x: Tensor) -> Tensor:
        return self.advance(x)


def test_a_clip_that_loops_over_the_stream_under_any_name_says_nothing():
    def clip(x: Tensor) -> Tensor:
        stream = Renamed()
        return torch.stack([stream.advance(frame) for frame in x.unbind(2)], 2)

    report = verify(Subject(clip=clip, stream=Renamed, example=EXAMPLE), effort="quick")
    assert report.verdict == "undecided", report
    assert any(f.name == "loop-clip" for f in report.findings)


def test_a_check_that_was_waived_counts_for_nothing():
    report = verify(doubled(allow=("values", "exact")), effort="quick", checks=["values", "exact"])
    assert [check.outcome for check in report.checks] == ["waived", "waived"]
    assert report.verdict == "undecided"
    assert isinstance(report.checks[0], Check)
