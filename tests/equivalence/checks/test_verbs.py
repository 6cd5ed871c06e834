"""Verbs: what a right stream does when it is told to forget rows, to put them in another order, to go back; wrong ones."""

from __future__ import annotations

import pytest
import torch

import coequal
from coequal.equivalence.checks.attempts import Attempts
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.run.session import Session

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


def verified(wrong: str, *checks: str) -> coequal.Report:
    stream = type("Stream", (Told,), {"wrong": wrong})
    example = (torch.randn(3, 8, 2), torch.randn(3, 2))
    subject = coequal.Subject(clip=clip, stream=stream, example=example, time=(1, None))
    return coequal.verify(subject, effort="quick", checks=checks or None)


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
    report = verified(wrong, "values", verb)
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


def sums(frames: Tensor) -> Tensor:
    """(B, T, C): a running sum beside the frame before."""
    return frames.cumsum(1) + torch.nn.functional.pad(frames, (0, 0, 1, 0))[:, :-1]


class Sums:
    """The same, and all verbs but crop."""

    def __init__(self) -> None:
        self.fed, self.told = 0, 0
        self.memory: tuple[Tensor, Tensor] | None = None  # the sum, and the frame before

    def step(self, frame: Tensor) -> Tensor:
        total, before = self.memory or (torch.zeros_like(frame), torch.zeros_like(frame))
        self.memory, self.fed = (total + frame, frame.clone()), self.fed + 1
        return self.memory[0] + before

    def reset(self, rows: Tensor | None = None) -> None:
        self.memory = None if rows is None else tuple(part.index_fill(0, rows, 0.0) for part in self.memory)

    def reorder(self, index: Tensor) -> None:
        self.memory = tuple(part[index] for part in self.memory)


class NotAfterForty(Sums):
    def reset(self, rows: Tensor | None = None) -> None:
        if rows is not None or self.fed <= 40:
            super().reset(rows)


class NotTheSecondTime(Sums):
    def reset(self, rows: Tensor | None = None) -> None:
        self.told += rows is None
        if rows is not None or self.told == 1:
            super().reset(rows)


class ThreeRowsAtMost(Sums):
    def reset(self, rows: Tensor | None = None) -> None:
        super().reset(None if rows is None else rows[:3])


class NotTheLastTwo(Sums):
    def reset(self, rows: Tensor | None = None) -> None:
        super().reset(rows[:1] if rows is not None and rows.tolist() == [1, 2] else rows)


class RowsOnce(Sums):
    def reset(self, rows: Tensor | None = None) -> None:
        self.told += rows is not None
        if rows is None or self.told == 1:
            super().reset(rows)


class NotAllFromOne(Sums):
    def reorder(self, index: Tensor) -> None:
        if len(set(index.tolist())) > 1:
            super().reorder(index)


class NotOneExchange(Sums):
    def reorder(self, index: Tensor) -> None:
        super().reorder(index if index.tolist() != [1, 0, 2] else torch.tensor([1, 1, 2]))


class LossyCopy(Sums):
    """A copy after every fiftieth frame has not seen the last one."""

    def __deepcopy__(self, memo: dict) -> Sums:
        twin = type(self)()
        twin.fed, twin.memory = self.fed, self.memory
        if self.fed % 50 == 0 and self.memory is not None:
            twin.memory = (self.memory[0], torch.zeros_like(self.memory[1]))
        return twin


SITUATIONS = {
    NotAfterForty: "reset",
    NotTheSecondTime: "reset",
    ThreeRowsAtMost: "reset-rows",
    NotTheLastTwo: "reset-rows",
    RowsOnce: "reset-rows",
    NotAllFromOne: "reorder",
    NotOneExchange: "reorder",
    LossyCopy: "fork",
}


def outcome_of(stream: type, *checks: str) -> coequal.Report:
    example = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(1))
    subject = coequal.Subject(clip=sums, stream=stream, example=example, time=1)
    return coequal.verify(subject, checks=("values", *checks), effort="quick")


@pytest.mark.parametrize("stream", SITUATIONS, ids=lambda stream: stream.__name__)
def test_what_is_wrong_in_one_situation_alone_is_found(stream: type) -> None:
    assert [finding.name for finding in outcome_of(stream, SITUATIONS[stream]).problems] == [SITUATIONS[stream]]


def test_the_report_says_what_was_sampled() -> None:
    report = outcome_of(Sums, "reset", "fork", "reset-rows", "reorder")
    details = {check.name: check.detail for check in report.checks}
    assert not report.problems
    assert all(details[name].startswith("in streams of ") for name in details if name != "values")
    assert "3, 5 and 8 rows: first, last, two, all, middle, but the first" in details["reset-rows"]
    assert "copy and copies" in details["fork"]


def test_a_memory_that_a_proof_follows_far_is_reset_after_as_many_frames() -> None:
    class Ring:
        """Sums of two frames, in a ring that is larger than need be; a reset clears it up to where it is written next."""

        def __init__(self) -> None:
            self.ring, self.at = torch.zeros(2, 3, 150), 0

        def step(self, frame: Tensor) -> Tensor:
            y = frame + self.ring[:, :, self.at - 1]
            self.ring = self.ring.index_copy(2, torch.tensor([self.at]), frame[:, :, None])
            self.at = (self.at + 1) % 150
            return y

        def reset(self) -> None:
            self.ring, self.at = self.ring.index_fill(2, torch.arange(self.at), 0.0), 0

    subject = coequal.Subject(
        clip=lambda x: x + torch.nn.functional.pad(x, (1, 0))[:, :, :-1],
        stream=Ring,
        example=torch.randn(2, 3, 6),
        batches=(2,),
    )
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        attempts = Attempts(session, "quick", None, None)
        attempts.run(("reset",))
        before = attempts.made[0].check.outcome
        attempts.beyond(300)
    assert (before, attempts.made[0].check.outcome) == ("passed", "problem")
