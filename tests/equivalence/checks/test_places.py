"""Where a stream runs: rows, modes, formats, layouts in memory; at once, and as far as a proof followed the memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import coequal
from coequal.equivalence.checks import attempts as attempting
from coequal.equivalence.checks.attempts import Attempts
from coequal.equivalence.checks.examples import far_chunks
from coequal.equivalence.checks.run import run_once
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.run.session import Session
from coequal.report.words import scope_in_words

Tensor = torch.Tensor
LATE = 25  # frames, after which the memory of `Pairs` is as it will ever be
Where = Callable[[Any, Tensor], bool]


def pairs(clip: Tensor) -> Tensor:
    """Every frame plus the one before it."""
    return clip + torch.nn.functional.pad(clip, (1, 0))[:, :, :-1]


class Pairs:
    """The same, a frame or a chunk at a time; twice that where `wrong` says so of the stream and what it is handed."""

    late = LATE

    def __init__(self, wrong: Where) -> None:
        self.wrong, self.past, self.count = wrong, torch.zeros(1, 1, 1), 0

    def chunk(self, x: Tensor) -> Tensor:
        frames = torch.cat([self.past.to(x.dtype).expand(*x.shape[:2], 1), x], 2)
        self.past, self.count = frames[:, :, -1:].clone(), min(self.count + x.shape[2], self.late)
        y = frames[:, :, 1:] + frames[:, :, :-1]
        return 2 * y if self.wrong(self, x) else y


class Steps(Pairs):
    """A frame at a time alone."""

    def step(self, x: Tensor) -> Tensor:
        y = Pairs.chunk(self, x[:, :, None])[:, :, 0]
        return 2 * y if self.wrong(self, x) else y

    chunk = None  # type: ignore[assignment]


def subject_of(wrong: Where, kind: type = Steps, **options: Any) -> coequal.Subject:
    example = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(0))
    return coequal.Subject(clip=pairs, stream=lambda: kind(wrong), example=example, **options)


def verified(subject: coequal.Subject, *checks: str) -> coequal.Report:
    return coequal.verify(subject, checks=("values", *checks), effort="quick")


def beyond(wrong: Where, *checks: str, length: int = LATE + 3, kind: type = Steps) -> Attempts:
    """The checks as usual, all of which pass, then as far as a proof would have followed the memory."""
    session = Session(subject_of(wrong, kind), 0, Floats())
    with session.ready(), torch.no_grad():
        attempts = Attempts(session, "quick", None, None)
        attempts.run(checks)
        assert {attempt.check.outcome for attempt in attempts.made} == {"passed"}
        attempts.beyond(length)
    return attempts


# -- in every frame ------------------------------------------------------------------------------------------------------

AT_ONCE: dict[str, tuple[str, Where]] = {
    "four to seven rows": ("batch", lambda stream, x: x.dim() == 2 and x.shape[0] in (4, 5, 6, 7)),
    "seven rows": ("batch", lambda stream, x: x.dim() == 2 and x.shape[0] == 7),
    "views of a clip": ("memory-layout", lambda stream, x: x.dim() == 2 and x.storage_offset() > 0),
    "the sixth of seven": ("memory-layout", lambda stream, x: x.dim() == 2 and x.storage_offset() % 7 == 6),
    "tensors with a base": ("memory-layout", lambda stream, x: x.dim() == 2 and x._base is not None and x.stride(-1) == 9),
}


@pytest.mark.parametrize("where", AT_ONCE)
def test_a_stream_that_is_wrong_in_one_place_alone_is_different(where: str) -> None:
    check, wrong = AT_ONCE[where]
    report = verified(subject_of(wrong), check)
    assert report.counterexample is not None
    assert (report.verdict, report.counterexample.check) == ("different", check)


def test_chunks_are_views_of_a_clip_too() -> None:
    report = verified(subject_of(lambda stream, x: x.shape[2] > 1 and x.storage_offset() > 0, Pairs), "memory-layout")
    assert report.verdict == "different"


def test_a_right_stream_passes_in_all_places() -> None:
    checks = ("batch", "memory-layout", "reuse", "input-reuse")
    for kind in (Steps, Pairs):
        report = verified(subject_of(lambda stream, x: False, kind), *checks)
        assert {check.name: check.outcome for check in report.checks} == dict.fromkeys(("values", *checks), "passed")
        assert set(range(1, 9)) <= set(report.scope["batch_sizes"])


def test_a_stream_that_changes_its_frames_spoils_no_view() -> None:
    class Spoils(Steps):
        def step(self, x: Tensor) -> Tensor:
            y = super().step(x)
            x.zero_()
            return y

    assert verified(subject_of(lambda stream, x: False, Spoils), "memory-layout").verdict == "tested"


def test_rows_and_lengths_that_were_not_run_are_not_in_scope() -> None:
    scope = verified(subject_of(lambda stream, x: False, batches=(1, 2, 5)), "batch").scope
    assert "; 1, 2 and 5 rows; " in scope_in_words(scope)
    assert "; 1 row; 3 to 5 frames, in" in scope_in_words(scope | {"batch_sizes": [1], "lengths": [3, 4, 5]})
    assert "; 4 lengths from 0 to 1040 frames, in" in scope_in_words(scope | {"lengths": [0, 1, 9, 1040]})


# -- streams beside one another --------------------------------------------------------------------------------------------


def test_streams_of_other_rows_that_disturb_one_another() -> None:
    rows = [0]

    def forgets(stream: Any, x: Tensor) -> bool:
        lost, rows[0] = rows[0] != x.shape[0] and stream.count > 1, x.shape[0]
        return lost

    report = verified(subject_of(forgets), "reuse")
    assert [(finding.name, finding.severity) for finding in report.problems] == [("reuse", "high")]
    assert "streams of 2 and 3 rows that are fed in turns" in report.problems[0].detail


@pytest.mark.parametrize("batches", [(2,), (2, 4)])
def test_streams_of_other_rows_are_asked_for_where_they_are_legal(batches: tuple[int, ...]) -> None:
    refused = lambda stream, x: bool(torch.zeros(()) if x.shape[0] in batches else torch.zeros(2))  # noqa: E731
    report = verified(subject_of(refused, batches=batches), "reuse")
    assert report.checks[1].outcome == "passed"
    assert report.checks[1].examples == len(batches)


def test_a_stream_that_refuses_other_rows_disturbs_none() -> None:
    refused = lambda stream, x: bool(torch.zeros(()) if x.shape[0] == 2 else torch.zeros(2))  # noqa: E731
    assert verified(subject_of(refused), "reuse").checks[1].outcome == "passed"


def test_attributes_on_the_callers_frame_are_a_problem() -> None:
    def counts(stream: Any, x: Tensor) -> bool:
        x.fed = getattr(x, "fed", 0) + 1  # type: ignore[attr-defined]
        return x.fed > 60  # type: ignore[attr-defined]

    report = verified(subject_of(counts), "input-reuse")
    assert [finding.name for finding in report.problems] == ["input-reuse"]
    assert "leaves attributes on the frame it was handed, fed" in report.problems[0].detail


# -- as far as a proof follows the memory ---------------------------------------------------------------------------------


def late(stream: Pairs) -> bool:
    return stream.count == stream.late


def again(stream: Any, x: Tensor) -> bool:
    """Whether the stream was handed this very tensor before."""
    before, stream.handed = getattr(stream, "handed", None), id(x)
    return before == id(x)


LATER: dict[str, tuple[str, Where]] = {
    "batch": ("different", lambda stream, x: late(stream) and x.shape[0] == 3),
    "grad-mode": ("different", lambda stream, x: late(stream) and torch.is_grad_enabled()),
    "memory-layout": ("different", lambda stream, x: late(stream) and not x.is_contiguous()),
    "one-buffer": ("different", lambda stream, x: x.dim() == 2 and again(stream, x) and late(stream)),
}


@pytest.mark.parametrize("check", LATER)
def test_what_is_wrong_late_in_one_place_alone_is_found(check: str) -> None:
    outcome, wrong = LATER[check]
    (attempt,) = beyond(wrong, check).made
    assert attempt.check.outcome == outcome
    assert attempt.example is not None
    assert attempt.example.length > LATE


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_chunks_of_a_few_sizes_come_late(size: int) -> None:
    session = Session(subject_of(lambda stream, x: late(stream) and x.shape[2] == size, Pairs), 0, Floats())
    with session.ready(), torch.no_grad():
        outcomes = [run_once(session, "chunking", example) for example in far_chunks(session, [], LATE + 5)]
    assert any(isinstance(outcome, Mismatch) for outcome in outcomes)
    assert not list(far_chunks(session, [], 3))


def test_a_right_stream_is_asked_again_and_passes() -> None:
    names = ("chunking", "batch", "reuse", "input-reuse", "output-hold", "clip-between", "one-buffer", "memory-layout",
             "grad-mode", "long")  # fmt: skip
    made = beyond(lambda stream, x: False, *names, length=70, kind=Pairs).made
    assert {attempt.check.outcome for attempt in made} == {"passed"}
    assert all("also in streams of " in attempt.check.detail for attempt in made)


def test_nothing_is_asked_again_that_was_asked_far_enough() -> None:
    assert all(not a.check.detail for a in beyond(lambda stream, x: False, "batch", "memory-layout", length=5).made)


def test_what_there_was_no_time_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Iterator[int] = iter(range(100))

    @dataclasses.dataclass(frozen=True)
    class Hurried:
        @property
        def spent(self) -> bool:
            return next(counted) >= 12  # ten examples as usual, and three more

        of = classmethod(lambda cls, *_: cls())

    monkeypatch.setattr(attempting, "Budget", Hurried)
    (attempt,) = beyond(lambda stream, x: False, "batch").made
    assert attempt.check.detail.startswith("no time for 7 of 10 streams of 42 frames")
    assert attempt.check.outcome == "passed"


class Soon(Steps):
    late = 10


def test_a_proof_for_every_length_gives_way_to_a_late_difference() -> None:
    wrong, checks = LATER["batch"][1], ("batch", "exact")
    report = verified(subject_of(wrong, Soon, within=1e-3), *checks)
    assert report.verdict == "different"
    assert report.reasons[-1].startswith("not within 0.001 either")  # in streams that are as long
    assert report.counterexample is not None
    assert report.counterexample.schedule["length"] == Soon.late
    assert report.proof is not None
    assert report.proof["outcome"] == "not decided"
    assert {check.name: check.outcome for check in report.checks}["exact"] == "undecided"


def test_its_own_format_is_asked_late() -> None:
    class Later(Steps):
        late = 70

    attempts = beyond(lambda stream, x: late(stream) and x.dtype == torch.float32, "long", length=73, kind=Later)
    assert any(rounded.unexplained for rounded in attempts.noted.rounded)
