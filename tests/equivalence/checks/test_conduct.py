"""Conduct: isolation, ownership, copies. A problem is a finding with a sentence; it hides no proof and is no difference."""

from __future__ import annotations

import copy
import types
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from coequal import verify
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
EXAMPLE = torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(0))


def pairs(clip: Tensor) -> Tensor:
    """Every frame plus the one before it."""
    return clip + nn.functional.pad(clip, (1, 0))[..., :-1]


class Right:
    """What `pairs` says, a frame at a time."""

    def __init__(self) -> None:
        self.past: Any = torch.zeros(())

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x.clone()
        return y


class Keeps(Right):
    """Keeps the caller's tensor."""

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x
        return y


class Overwrites(Right):
    """Uses the caller's tensor as scratch."""

    def step(self, x: Tensor) -> Tensor:
        y, self.past = x + self.past, x.clone()
        x.zero_()
        return y


class Views(Right):
    """Hands out its own buffer."""

    out = None

    def step(self, x: Tensor) -> Tensor:
        self.out = torch.empty_like(x) if self.out is None else self.out
        self.out.copy_(x + self.past)
        self.past = x.clone()
        return self.out


class HalfReset(Right):
    """A reset that forgets nothing."""

    def reset(self) -> None:
        """Nothing at all."""


class SharesOnCopy(Right):
    """A copy that is the original's twin in memory."""

    def __init__(self) -> None:
        self.past = [torch.zeros(())]

    def step(self, x: Tensor) -> Tensor:
        y, self.past[0] = x + self.past[0], x.clone()
        return y

    def __deepcopy__(self, memo: dict) -> SharesOnCopy:
        return copy.copy(self)


class Lossy(Right):
    """A property `state` that leaves out what matters."""

    @property
    def state(self) -> dict[str, int]:
        return {}

    @state.setter
    def state(self, value: dict[str, int]) -> None:
        pass


def subject(stream: Any, **options: Any) -> Subject:
    """Pairs of frames against a stream."""
    return Subject(clip=pairs, stream=stream, example=EXAMPLE, **options)


PROBLEMS = [
    (Keeps, "input-reuse", "kept the tensor it was handed: `.clone()` it, or allow input-reuse", "ownership"),
    (Overwrites, "input-reuse", "changed the frame it was given", "ownership"),
    (Views, "output-hold", "hands out its own memory", "ownership"),
    (HalfReset, "reset", "after reset() the stream still depends", "isolation"),
    (SharesOnCopy, "fork", "a deep copy of the stream is not independent", "copies"),
    (Lossy, "fork", "lacks some of the memory", "copies"),
]


@pytest.mark.parametrize(("stream", "name", "sentence", "aspect"), PROBLEMS, ids=[p[0].__name__ for p in PROBLEMS])
def test_a_problem_is_told_and_hides_no_proof(stream, name, sentence, aspect):
    report = verify(subject(stream), effort="quick")
    assert report.verdict == "proved", report
    assert report.horizon == "all"
    assert [f.name for f in report.problems] == [name], report
    assert sentence in report.problems[0].detail
    assert report.conduct[aspect] == "problem"
    assert report.exit_code() == 1
    assert "1 problem" in str(report)


@pytest.mark.parametrize(("stream", "name", "sentence", "aspect"), PROBLEMS, ids=[p[0].__name__ for p in PROBLEMS])
def test_what_is_allowed_is_no_problem(stream, name, sentence, aspect):
    report = verify(subject(stream, allow=(name,)), effort="quick")
    assert not report.problems, report
    assert report.exit_code() == 0


def test_a_right_stream_has_none():
    report = verify(subject(Right), effort="quick")
    assert not report.problems
    assert {report.conduct[aspect] for aspect in ("isolation", "ownership", "copies")} == {"fine"}


def closure() -> Any:
    """A right stream as a closure, whose variables deep copies share."""
    past = torch.zeros(())

    def step(x: Tensor) -> Tensor:
        nonlocal past
        y, past = x + past, x.clone()
        return y

    return types.SimpleNamespace(step=step)


def test_a_copy_that_python_does_not_make_is_not_asked_for():
    report = verify(subject(closure), effort="quick")
    assert not report.problems, report
    assert "close over" in next(check.detail for check in report.checks if check.name == "fork")


class PartOfIt(Right):
    """An attribute that happens to be called `state`."""

    def __init__(self) -> None:
        self.state, self.past = 0, torch.zeros(())


def test_an_attribute_called_state_is_a_snapshot_only_if_it_leads_on():
    assert not verify(subject(PartOfIt), effort="quick").problems


class Late(Right):
    """Two emissions stand for no frame; all of the memory is shown."""

    def __init__(self) -> None:
        self.past: Any = [torch.zeros(())] * 3

    def step(self, x: Tensor) -> Tensor:
        y, self.past = self.past[0] + self.past[1], [*self.past[1:], x.clone()]
        return y

    @property
    def state(self) -> list[Tensor]:
        return self.past

    @state.setter
    def state(self, value: list[Tensor]) -> None:
        self.past = value


def test_emissions_that_do_not_count_are_counted_again_where_a_state_is_put_back():
    report = verify(subject(Late, ignore=2), effort="quick", checks=("values", "fork"))
    assert (report.verdict, report.problems) == ("tested", []), report


class Full(Late):
    """It has room for twelve frames."""

    def __init__(self) -> None:
        self.past = [torch.zeros(()), torch.zeros(())]

    def step(self, x: Tensor) -> Tensor:
        if self.past[1] == 12:
            raise IndexError("no room")
        y, self.past = x + self.past[0], [x.clone(), self.past[1] + 1]
        return y


def test_a_stream_that_ends_is_fed_no_more_frames_than_it_takes():
    report = verify(subject(Full, longest=12), effort="quick", checks=("values", "fork"))
    assert (report.verdict, report.problems) == ("tested", []), report


class Network(nn.Module):
    """Memory in an attribute of the one network."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(2, 2)
        self.block.past = None

    def one(self, x: Tensor) -> Tensor:
        z = self.block(x)
        y, self.block.past = (z if self.block.past is None else z + self.block.past), z
        return y


class InTheModule:
    """Resets the memory of the module that all streams use."""

    def __init__(self, net: Network) -> None:
        self.net, net.block.past = net, None

    def step(self, x: Tensor) -> Tensor:
        return self.net.one(x)


def test_shared_memory_has_a_name():
    net = Network()

    def clip(x: Tensor) -> Tensor:
        z = net.block(x)
        return z + torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], 1)

    report = verify(
        Subject(clip=clip, stream=lambda: InTheModule(net), example=torch.randn(1, 5, 2), time=1, modules=net),
        effort="quick",
    )
    assert report.verdict == "proved", report
    assert [f.name for f in report.problems] == ["reuse"]
    assert "attribute `past` of module `block`" in report.problems[0].detail


class Never(Right):
    """Memory of the class, which nothing resets."""

    shared: ClassVar[dict[str, Tensor]] = {}

    def step(self, x: Tensor) -> Tensor:
        past = self.shared.get("past")
        self.shared["past"] = x.clone()
        return x if past is None or past.shape != x.shape else x + past


def test_streams_that_depend_on_earlier_ones_are_not_called_different():
    Never.shared.clear()
    report = verify(subject(Never), effort="quick")
    assert report.verdict in ("tested", "undecided"), report
    assert report.exit_code() == 1
    assert any(name in ("isolation", "reset", "reuse") for name in (f.name for f in report.problems))


class SameObject(Right):
    """Takes the same tensor object for the same frame."""

    last = out = None

    def step(self, x: Tensor) -> Tensor:
        if x is not self.last:
            self.last, self.out = x, super().step(x)
        return self.out.clone()


class LongChunks(Right):
    """Loses a frame of a chunk that is longer than its buffer."""

    def chunk(self, frames: Tensor) -> Tensor:
        return torch.stack([self.step(x) for x in frames[..., -64:].unbind(-1)], -1)


class EqualChunks(Right):
    """Starts anew where a large chunk follows one of its size."""

    size = 0

    def chunk(self, frames: Tensor) -> Tensor:
        if frames.shape[-1] == self.size > 9:
            self.__init__()  # type: ignore[misc]
        self.size = frames.shape[-1]
        return torch.stack([self.step(x) for x in frames.unbind(-1)], -1)


@pytest.mark.parametrize("stream", [LongChunks, EqualChunks])
def test_large_chunks_are_fed_too(stream):
    assert verify(subject(stream), effort="quick").verdict == "different"


class EvenRows(Right):
    """Turns the rows round where there are many."""

    def step(self, x: Tensor) -> Tensor:
        y = super().step(x)
        return y if x.shape[0] < 6 else y.flip(0)


def test_many_rows_are_fed_too():
    report = verify(subject(EvenRows), effort="quick")
    assert report.verdict == "different"
    assert report.counterexample.check == "batch"


class KeepsFrames:
    """The right function, but frames are kept as they were handed over."""

    def step(self, x):
        before, self.before = getattr(self, "before", None), x
        return torch.zeros_like(x) if before is None else before


def test_what_is_no_difference_of_functions_counts_in_no_region():
    """A stream that keeps the caller's frames is wrong when they are refilled: that is a problem of ownership."""
    report = verify(
        Subject(
            clip=lambda x: torch.cat([torch.zeros_like(x[..., :1]), x[..., :-1]], -1),
            stream=KeepsFrames,
            example=torch.randn(2, 3, 8),
        ),
        effort="quick",
    )
    assert report.verdict == "proved", report
    assert any(finding.name == "input-reuse" for finding in report.problems)
    assert all(region.different == 0 for region in report.regions.values()), report.regions


def test_one_buffer_that_is_refilled_is_a_legal_way_to_feed():
    report = verify(subject(SameObject), effort="quick")
    assert report.verdict == "different", report
    assert report.counterexample.check == "one-buffer"
    again = verify(subject(SameObject), checks=["one-buffer"], length=report.counterexample.schedule["length"])
    assert again.verdict == "different"
