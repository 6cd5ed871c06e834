"""Streams that are wrong only after many frames, and the premise that each violates; and right ones, far beyond n + P."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from torch.nn import functional

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.proofs.theorems.induction import Claim, right, violated

Tensor = torch.Tensor
F64 = torch.float64
LONG = 61  # frames: far beyond what the induction looks at


@pytest.fixture
def exact() -> Exact:
    return Exact(Field.drawn(5), Symbols(5))


@pytest.fixture
def running(exact: Exact) -> Iterator[Exact]:
    with exact.running():
        yield exact


def weights(exact: Exact, n: int = 3) -> Tensor:
    with exact.suspended():
        return exact.store.symbols.fresh(torch.empty(n, dtype=F64))


def frames_of(exact: Exact):
    def frames(n: int) -> Tensor:
        with exact.suspended():
            return exact.store.symbols.fresh(torch.empty(n, 2, dtype=F64))

    return frames


# -- clip functions: three taps, centred, of each feature; every S-th frame ------------------------------------------------


def clip_of(w: Tensor, stride: int = 1):
    def clip(x: Tensor) -> Tensor:
        padded = functional.pad(x.T[:, None], (1, 1))  # (features, 1, frames)
        return functional.conv1d(padded, w[None, None], stride=stride)[:, 0].T

    return clip


class Centred:
    """Right: a ring of three frames, written at `count % 3`; one frame late; the flush emits the last one."""

    def __init__(self, w: Tensor, stride: int = 1) -> None:
        self.w, self.stride = w, stride
        self.memory, self.count = [torch.zeros(3, 2, dtype=F64)], 0

    def taps(self) -> Tensor:
        now = self.count % 3  # the newest is at (count - 1) % 3
        ring = self.memory[0]
        return torch.stack([ring[now], ring[(now + 1) % 3], ring[(now + 2) % 3]])

    def output(self) -> list[Tensor]:
        return [(self.w[:, None] * self.taps()).sum(0)]

    def step(self, frame: Tensor) -> list[Tensor]:
        self.memory[0][self.count % 3] = frame
        self.count = self.count + 1
        if self.count >= 2 and self.count % self.stride == 0:
            return self.output()
        return []

    def flush(self) -> list[Tensor]:
        if (self.count + 1) % self.stride:
            return []
        return self.output_of_the_end()

    def output_of_the_end(self) -> list[Tensor]:
        now = self.count % 3
        ring = self.memory[0]
        return [self.w[0] * ring[(now + 1) % 3] + self.w[1] * ring[(now + 2) % 3]]


class Strided(Centred):
    """Right: frames 0, 2, 4, ... of the output; output j is due when frame 2 j + 1 has come."""

    def __init__(self, w: Tensor) -> None:
        super().__init__(w, 2)


class Late(Centred):
    """Other weights from frame 40 on."""

    def output(self) -> list[Tensor]:
        return [y * 2 for y in super().output()] if self.count >= 40 else super().output()


class Leaks(Centred):
    """A running sum that is only looked at every 57 frames."""

    def __init__(self, w: Tensor) -> None:
        super().__init__(w)
        self.memory.append(torch.zeros(2, dtype=F64))

    def step(self, frame: Tensor) -> list[Tensor]:
        self.memory[1] = self.memory[1] + frame
        return super().step(frame)

    def output(self) -> list[Tensor]:
        return [self.memory[1]] if self.count % 57 == 56 else super().output()


class Grows(Centred):
    """A part of the memory that is not the same a period later, though it depends on no data: it wears off by and by."""

    def __init__(self, w: Tensor) -> None:
        super().__init__(w)
        self.memory.append(torch.zeros((), dtype=F64))

    def step(self, frame: Tensor) -> list[Tensor]:
        self.memory[1] = self.memory[1] + 1
        return super().step(frame)

    def output(self) -> list[Tensor]:
        left = torch.clamp(self.memory[1] - 50, min=0.0)  # of a constant: zero for 50 frames
        return [y + left for y in super().output()]


class SlowPhase(Centred):
    """Wrong once in 48 frames."""

    def output(self) -> list[Tensor]:
        return [-y for y in super().output()] if self.count % 48 == 47 else super().output()


class WrongEnd(Centred):
    """Wrong only where the stream ends at a multiple of 19 frames."""

    def output_of_the_end(self) -> list[Tensor]:
        return [-y for y in super().output_of_the_end()] if self.count % 19 == 0 else super().output_of_the_end()


class CountsEmissions(Strided):
    """A counter that grows by one in two frames, looked at modulo 8: it repeats after 16 frames, not after 8."""

    def __init__(self, w: Tensor) -> None:
        super().__init__(w)
        self.frames, self.count = self.count, 0

    def step(self, frame: Tensor) -> list[Tensor]:
        emissions, self.count = self.count, self.frames
        out = super().step(frame)
        self.frames, self.count = self.count, emissions
        if out:
            wrong = self.count % 8 == 7
            self.count = self.count + 1
            return [-y for y in out] if wrong else out
        return out

    def flush(self) -> list[Tensor]:
        emissions, self.count = self.count, self.frames
        out = super().flush()
        self.count = emissions
        return out


class HiddenMemory(Centred):
    """Remembers outside of itself."""

    ticks: ClassVar[list[int]] = []

    def __init__(self, w: Tensor) -> None:
        super().__init__(w)
        self.ticks.clear()

    def output(self) -> list[Tensor]:
        self.ticks.append(1)
        return [-y for y in super().output()] if len(self.ticks) >= 50 else super().output()


CLAIM = Claim(remembers=3, start=6, period=6)
WRONG = {Late: {"C"}, Leaks: {"M", "P", "C"}, Grows: {"P"}, SlowPhase: {"C"}, WrongEnd: {"C"}}


@pytest.mark.parametrize(("machine", "stride"), [(Centred, 1), (Strided, 2)])
def test_right_streams_satisfy_all_and_are_right_far_beyond(running: Exact, machine: type, stride: int) -> None:
    w, frames = weights(running), frames_of(running)
    assert violated(running, lambda: machine(w), clip_of(w, stride), frames, CLAIM) == set()
    for length in (13, 30, LONG - 1, LONG):
        assert right(running, lambda: machine(w), clip_of(w, stride), frames(length))


@pytest.mark.parametrize("machine", WRONG, ids=[m.__name__ for m in WRONG])
def test_streams_that_are_wrong_after_many_frames(running: Exact, machine: type) -> None:
    """All are right at every length that the induction plays; the premises that it violates say that this is not enough."""
    w, frames = weights(running), frames_of(running)
    assert violated(running, lambda: machine(w), clip_of(w), frames, CLAIM) == WRONG[machine]
    assert not all(right(running, lambda: machine(w), clip_of(w), frames(n)) for n in (57, LONG))


def test_a_counter_must_grow_by_a_multiple_of_its_modulus(running: Exact) -> None:
    """That the modulus 8 divides the period of 8 frames is not enough for a counter of emissions."""
    w, frames = weights(running), frames_of(running)
    claim = Claim(remembers=3, start=6, period=24)
    short = Claim(remembers=3, start=6, period=6)
    assert violated(running, lambda: CountsEmissions(w), clip_of(w, 2), frames, short) == {"C"}
    assert "C" in violated(running, lambda: CountsEmissions(w), clip_of(w, 2), frames, claim)  # grows by 12
    assert not right(running, lambda: CountsEmissions(w), clip_of(w, 2), frames(40))


@pytest.mark.parametrize(("claim", "expected"), [(Claim(2, 6, 6), {"M"}), (Claim(3, 6, 4), {"P", "C"})])
def test_claims_that_are_too_bold(running: Exact, claim: Claim, expected: set[str]) -> None:
    """Too short a memory, a period that is none: said, though the stream is right."""
    w, frames = weights(running), frames_of(running)
    found = violated(running, lambda: Centred(w), clip_of(w), frames, claim)
    assert expected <= found
    assert "E" not in found


def test_a_wrong_stream_violates_the_premise_of_every_length(running: Exact) -> None:
    w, frames = weights(running), frames_of(running)
    assert violated(running, lambda: Centred(2 * w), clip_of(w), frames, CLAIM) == {"E"}


def test_hidden_memory_is_an_assumption(running: Exact) -> None:
    """Nothing that is checked is violated, and the stream is wrong: why (W) is listed."""
    w, frames = weights(running), frames_of(running)
    assert violated(running, lambda: HiddenMemory(w), clip_of(w), frames, CLAIM) == set()
    assert not right(running, lambda: HiddenMemory(w), clip_of(w), frames(LONG))


def test_a_clip_function_that_treats_lengths_differently_is_an_assumption(running: Exact) -> None:
    """Nothing that is checked is violated, and the stream is wrong: why (A) is listed."""
    w, frames = weights(running), frames_of(running)

    def moody(x: Tensor) -> Tensor:
        return clip_of(w)(x) * (2 if len(x) > 40 else 1)

    assert violated(running, lambda: Centred(w), moody, frames, CLAIM) == set()
    assert not right(running, lambda: Centred(w), moody, frames(LONG))
