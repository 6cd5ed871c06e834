"""What a stream without a flush keeps for itself: seen in one long stream, if fed frame by frame, else in several."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from coequal import Subject, verify
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.observe.baseline import NEVER_EMITTED, owed_of
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor


class Late:
    """Twice each frame, two frames late."""

    refuses = 1000

    def __init__(self) -> None:
        self.frames: list[Tensor] = []
        self.fed = 0

    def step(self, frame: Tensor) -> Tensor | None:
        self.fed += 1
        if self.fed > self.refuses:
            raise RuntimeError("no more")
        self.frames.append(2 * frame)
        return self.frames.pop(0) if len(self.frames) > 2 else None


class Flushed(Late):
    def flush(self) -> Tensor:
        return torch.stack(self.frames, 2)


class Chunked:
    """The same in chunks of three alone."""

    def __init__(self) -> None:
        self.inner = Late()

    def chunk(self, frames: Tensor) -> Tensor | None:
        given = [out for frame in frames.unbind(2) if (out := self.inner.step(frame)) is not None]
        return torch.stack(given, 2) if given else None


class Ends(Late):
    """It refuses frames that the longest of the streams would feed."""

    refuses = 17


class Silent(Late):
    """It stops emitting, and owes no more than it was late when it did."""

    def step(self, frame: Tensor) -> Tensor | None:
        out = super().step(frame)
        return out if self.fed < 10 else None


def owed(stream: Any, **fields: Any) -> tuple[int, set[int]]:
    """Frames, and the lengths of the streams that were played."""
    subject = Subject(clip=lambda x: 2 * x, stream=stream, example=torch.randn(1, 2, 6), **fields)
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        known = session.knowing(reach=3)
        return owed_of(known, MeasuredTiming(3, 1, 2, True)), session.ran.lengths


@pytest.mark.parametrize(
    ("stream", "fields", "expected", "lengths"),
    [
        (Late, {}, 2, {21}),
        (Flushed, {}, 0, set()),
        (Chunked, {"plan": 3}, 2, {12, 15, 18, 21}),
        (Ends, {}, 2, {13, 14, 15, 16, 17, 18, 21}),
        (Silent, {}, 3, {21}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_owed(stream: Any, fields: dict[str, Any], expected: int, lengths: set[int]) -> None:
    assert owed(stream, **fields) == (expected, lengths)


class AtTheEnd(Late):
    def flush(self) -> list[Tensor]:
        return self.frames


@pytest.mark.parametrize(("stream", "said"), [(Late, True), (AtTheEnd, False)])
def test_frames_that_never_come_are_said(stream: type[Late], said: bool) -> None:
    report = verify(
        Subject(clip=lambda x: 2 * x, stream=stream, example=torch.randn(1, 2, 8)), checks="values", effort="quick"
    )
    assert report.verdict == "tested"
    assert any(note.startswith(NEVER_EMITTED) and ": 2 at the end" in note for note in report.notes) is said
