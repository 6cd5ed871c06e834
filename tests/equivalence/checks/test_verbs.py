"""Verbs: what a right stream does when it is told to forget rows, to put them in another order, to go back; wrong ones."""

from __future__ import annotations

import pytest
import torch

import coequal

Tensor = torch.Tensor


def clip(frames: Tensor, speaker: Tensor) -> Tensor:
    """(B, T, C) and (B, C): a running sum beside the speaker, and the number of frames."""
    count = torch.arange(1, frames.shape[1] + 1, dtype=frames.dtype)
    return frames.cumsum(1) + speaker[:, None] + count[:, None]


class Told:
    """The same; `wrong` names what it does wrong."""

    wrong = ""

    def __init__(self) -> None:
        self.past: list[tuple[Tensor, Tensor]] = []
        self.speaker: Tensor | None = None

    def step(self, frame: Tensor, speaker: Tensor) -> Tensor:
        if self.speaker is None or self.wrong != "keeps the speaker":
            self.speaker = speaker.clone()
        last, count = self.past[-1] if self.past else (torch.zeros_like(frame), torch.zeros_like(frame[:, :1]))
        self.past.append((frame + last, count + 1))
        return self.past[-1][0] + self.speaker + self.past[-1][1]

    def reset(self, rows: Tensor) -> None:
        if self.wrong == "not in the first frame" and len(self.past) == 1:
            return
        if self.wrong == "not the last row":
            rows = rows[rows < self.past[-1][0].shape[0] - 1]
        rows = rows[:1] if self.wrong == "one row alone" else rows
        rows = torch.cat([rows, (rows + 1) % self.past[-1][0].shape[0]]) if self.wrong == "the next row too" else rows
        self.past = [(total.index_fill(0, rows, 0.0), count.index_fill(0, rows, 0.0)) for total, count in self.past]

    def reorder(self, index: Tensor) -> None:
        self.told = getattr(self, "told", 0) + 1
        if self.wrong != "does not reorder" and not (self.wrong == "reorders once" and self.told > 1):
            rows = torch.argsort(index) if self.wrong == "the inverse" else index
            old = self.past[:-1] if self.wrong == "the newest alone" else []
            counts = slice(None) if self.wrong == "not the counts" else rows
            self.past = [*old, *((total[rows], count[counts]) for total, count in self.past[len(old) :])]

    def crop(self, frames: int) -> None:
        if (self.wrong == "not to nothing" and not frames) or (
            self.wrong == "drops more than three alone" and len(self.past) - frames <= 3
        ):
            return
        at = max(frames, 2) if self.wrong == "two frames at least" else frames
        if not (self.wrong == "crops once" and getattr(self, "cropped", False)):
            self.past = self.past[:at]
        self.cropped = True


def verified(wrong: str) -> coequal.Report:
    stream = type("Stream", (Told,), {"wrong": wrong})
    example = (torch.randn(3, 8, 2), torch.randn(3, 2))
    subject = coequal.Subject(clip=clip, stream=stream, example=example, time=(1, None))
    return coequal.verify(subject, effort="quick")


def doubled(stream: type) -> coequal.Report:
    return coequal.verify(coequal.Subject(clip=lambda x: x * 2, stream=stream, example=torch.randn(2, 3, 6)), effort="quick")


def test_a_right_one_does_as_it_is_told() -> None:
    report = verified("")
    outcomes = {check.name: check.outcome for check in report.checks}
    assert (outcomes["reset-rows"], outcomes["reorder"], outcomes["crop"]) == ("passed",) * 3, report
    assert report.exit_code() == 0


@pytest.mark.parametrize(
    ("wrong", "verb"),
    [
        ("not the last row", "reset-rows"),
        ("one row alone", "reset-rows"),
        ("the next row too", "reset-rows"),
        ("keeps the speaker", "reset-rows"),
        ("does not reorder", "reorder"),
        ("the inverse", "reorder"),
        ("two frames at least", "crop"),
        ("crops once", "crop"),
        ("not to nothing", "crop"),
        ("drops more than three alone", "crop"),
        ("reorders once", "reorder"),
        ("not the counts", "reorder"),
        ("the newest alone", "reorder"),
        ("not in the first frame", "reset-rows"),
    ],
)
def test_a_wrong_one_is_found(wrong: str, verb: str) -> None:
    report = verified(wrong)
    assert next(check for check in report.checks if check.name == verb).outcome == "problem", report
    assert verb in [finding.name for finding in report.problems]


def test_verbs_that_are_not_there_are_not_asked_for() -> None:
    class Plain:
        def step(self, frame: Tensor) -> Tensor:
            return frame * 2

    report = doubled(Plain)
    details = {check.name: check.detail for check in report.checks if check.outcome == "skipped"}
    assert details["reset-rows"] == "the stream has no reset(rows)"
    assert details["reorder"] == "the stream has no reorder(index)"
    assert details["crop"] == "the stream has no crop(frames)"


def test_a_verb_that_raises_is_a_problem() -> None:
    class Raises:
        def step(self, frame: Tensor) -> Tensor:
            return frame * 2

        def crop(self, frames: int) -> None:
            raise NotImplementedError("no going back")

    report = doubled(Raises)
    check = next(check for check in report.checks if check.name == "crop")
    assert (check.outcome, "no going back" in check.detail) == ("problem", True)


def test_a_clip_call_that_clears_the_memory() -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            self.total = None
            return x.cumsum(2)

    network = Network()

    class Stream:
        def __init__(self) -> None:
            network.total = None

        def step(self, frame: Tensor) -> Tensor:
            network.total = frame.clone() if network.total is None else network.total + frame
            return network.total.clone()

    fields = {"clip": network, "stream": Stream, "example": torch.randn(2, 3, 6), "modules": network}
    report = coequal.verify(coequal.Subject(**fields, streams="one at a time"), effort="quick")
    assert [finding.name for finding in report.problems] == ["clip-between"]
    said = coequal.verify(coequal.Subject(**fields, streams="one at a time", clip_between=False), effort="quick")
    assert said.exit_code() == 0, said
