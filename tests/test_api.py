"""`coequal.verify` and `coequal.subject` from Python."""

import pytest
import torch

import coequal


class Delayed:
    """The frame before this one."""

    def __init__(self) -> None:
        self.last: torch.Tensor | None = None

    def step(self, frame: torch.Tensor) -> torch.Tensor | None:
        last, self.last = self.last, frame
        return last

    def flush(self) -> torch.Tensor | None:
        return self.last


def make(**more) -> coequal.Subject:
    return coequal.Subject(clip=lambda clip: clip, stream=Delayed, example=torch.randn(1, 2, 6), **more)


def test_a_subject() -> None:
    report = coequal.verify(make(), effort="quick", checks=["values"])
    assert report.verdict == coequal.Verdict.TESTED
    assert report.timing.delay == 1


def test_a_window_given_later_does_not_change_the_subject() -> None:
    subject = make()
    report = coequal.verify(subject, window=1, effort="quick", checks=["values"])
    assert (report.relation.kind, report.relation.window) == ("window", 1)
    assert subject.window is None


def test_a_module_without_an_example() -> None:
    with pytest.raises(coequal.BadSubject, match=r"^verify: the module Linear needs an example clip: verify\(module"):
        coequal.verify(torch.nn.Linear(2, 2))


def test_neither_subject_nor_module() -> None:
    with pytest.raises(coequal.BadSubject, match=r"^verify: expected a coequal.Subject or a torch.nn.Module, got str"):
        coequal.verify("subject")  # type: ignore[arg-type]


def test_a_module_of_a_library_that_is_recognised() -> None:
    continual = pytest.importorskip("continual")
    module = continual.AvgPool1d(3)
    example = torch.randn(1, 4, 10)
    assert isinstance(coequal.subject(module, example=example), coequal.Subject)
    report = coequal.verify(module, example=example, effort="quick", checks=["values"])
    assert report.timing.receptive_field == 3


def test_a_module_that_nobody_recognises() -> None:
    with pytest.raises(coequal.BadSubject, match="Linear"):
        coequal.subject(torch.nn.Linear(2, 2), example=torch.randn(1, 4, 2))


def test_a_stream_that_keeps_the_frame_of_the_caller() -> None:
    """The aside in README.md."""

    class RunningMax:
        best = None

        def step(self, frame: torch.Tensor) -> torch.Tensor:
            self.best = frame if self.best is None else torch.maximum(self.best, frame)
            return self.best

    subject = coequal.Subject(clip=lambda clip: clip.cummax(2).values, stream=RunningMax, example=torch.randn(1, 4, 10))
    report = coequal.verify(subject, effort="quick")
    assert report.counterexample is not None
    assert report.counterexample.check == "input-reuse"
