"""Differences in words."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal import verify
from coequal.equivalence.counterexample.explain import in_words
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
WANT = list(torch.randn(20, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64))


def same(a: Tensor, b: Tensor) -> bool:
    return bool(((a - b).abs() < 1e-9).all())


def changed(*frames: int) -> list[Tensor]:
    return [frame + 1 if i in frames else frame for i, frame in enumerate(WANT)]


ZERO = torch.zeros(2, 3, dtype=torch.float64)
SAID = {
    "one frame late throughout": [ZERO, *WANT[:-1]],
    "3 frames late throughout": [ZERO, ZERO, ZERO, *WANT[:-3]],
    "2 frames early throughout": [*WANT[2:], ZERO, ZERO],
    "equal after the first 3 frames": changed(0, 1, 2),
    "different at the last 2 frames alone": changed(18, 19),
    "equal up to frame 4, different ever after": changed(*range(5, 20)),
    "different at every 4th frame from frame 3 on": changed(3, 7, 11, 15, 19),
    "2 times the clip's throughout": [2 * frame for frame in WANT],
    "the sign is turned throughout": [-frame for frame in WANT],
    "the stream gives zeros throughout": [ZERO] * 20,
    "the stream gives NaN throughout": [ZERO * torch.nan] * 20,
    "row 0 is the clip's row 1": [frame.flip(0) for frame in WANT],
    "half precision inside?": [frame.half().double() for frame in WANT],
    "bfloat16 inside?": [frame.bfloat16().double() for frame in WANT],
    "single precision inside?": [frame.float().double() for frame in WANT],
    "4 frames for the clip's 20": WANT[:4],
}


@pytest.mark.parametrize("words", SAID)
def test_what_is_seen_is_said(words):
    assert any(words in sentence for sentence in in_words(SAID[words], WANT, same)), in_words(SAID[words], WANT, same)


def test_of_equal_frames_nothing_is_said():
    assert in_words(WANT, WANT, same) == []


@given(st.integers(1, 10), st.booleans())
def test_any_delay(frames, early):
    got = [*WANT[frames:], *[ZERO] * frames] if early else [*[ZERO] * frames, *WANT[:-frames]]
    (sentence,) = in_words(got, WANT, same)
    assert sentence.endswith(f"{'early' if early else 'late'} throughout")
    assert sentence.startswith("one frame" if frames == 1 else str(frames))


class Late:
    past = None

    def step(self, x: Tensor) -> Tensor:
        y, self.past = (torch.zeros_like(x) if self.past is None else self.past * 2), x.clone()
        return y


def test_a_report_has_the_words():
    report = verify(Subject(clip=lambda x: x * 2, stream=Late, example=torch.randn(1, 2, 6)), effort="quick")
    assert report.counterexample is not None
    assert "one frame late throughout" in report.counterexample.words


def test_a_step_that_returns_its_state_too_is_told_so():
    class Pair:
        total: Tensor | None = None

        def step(self, x: Tensor) -> tuple[Tensor, Tensor]:
            self.total = x.clone() if self.total is None else self.total + x
            return self.total * 1, self.total

    report = verify(Subject(clip=lambda x: x.cumsum(2), stream=Pair, example=torch.randn(1, 2, 6)), effort="quick")
    assert report.counterexample is not None
    assert any("(output, state)" in sentence for sentence in report.counterexample.words)


def test_a_clip_that_looks_ahead_is_told_so():
    class Now:
        def step(self, x: Tensor) -> Tensor:
            return x * 1

    def clip(x: Tensor) -> Tensor:
        return x + torch.nn.functional.pad(x, (0, 1))[..., 1:]

    report = verify(Subject(clip=clip, stream=Now, example=torch.randn(1, 2, 6)), effort="quick")
    assert report.counterexample is not None
    assert any("not causal" in sentence for sentence in report.counterexample.words)
