"""Several outputs and inputs through the whole harness: leaves by name, what is drawn, what is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch

import coequal

Tensor = torch.Tensor


@dataclass
class Both:
    """A frame, and how many there were."""

    double: Tensor
    count: Tensor


def clip(frames: Tensor) -> Both:
    return Both(frames * 2, torch.arange(1, frames.shape[2] + 1).expand(frames.shape[0], -1))


class Counts:
    """The same, a frame at a time; `late`: the frame from which on its count is wrong."""

    late = 0

    def __init__(self) -> None:
        self.count = 0

    def step(self, frame: Tensor) -> Both:
        self.count += 1
        wrong = self.late and self.count > self.late
        return Both(frame * 2, torch.full((frame.shape[0],), self.count + int(wrong)))


def subject(stream: type, **fields: object) -> coequal.Subject:
    given = {"clip": clip, "example": torch.randn(2, 3, 6), "output_time": {"double": 2, "count": 1}}
    return coequal.Subject(stream=stream, **(given | fields))  # type: ignore[arg-type]


def test_a_counter_beside_an_output_is_compared_and_not_vacuous() -> None:
    report = coequal.verify(subject(Counts), effort="quick")
    assert report.exit_code() == 0, report
    assert "vacuous" not in [finding.name for finding in report.findings]
    late = coequal.verify(subject(type("Late", (Counts,), {"late": 20})), effort="quick")
    assert late.verdict == "different"
    assert late.counterexample is not None
    assert late.counterexample.detail.startswith("output `count`: frame 20, element [0]: expected 21, got 22")


def test_what_changes_far_away_is_not_proved_for_every_length() -> None:
    report = coequal.verify(subject(type("Late", (Counts,), {"late": 5000})), effort="quick")
    assert report.horizon != "all"


def test_one_output_is_selected() -> None:
    fields = {"select": "double", "output_time": None}
    report = coequal.verify(subject(type("Late", (Counts,), {"late": 3}), **fields), effort="quick")
    assert report.verdict == "proved", report
    assert report.scope["outputs"] == ["double"]


def test_an_output_on_one_side_alone_is_named() -> None:
    class More(Counts):
        def step(self, frame: Tensor) -> dict:  # type: ignore[override]
            return {"double": frame * 2, "count": torch.ones(frame.shape[0]), "loss": torch.zeros(1)}

    with pytest.raises(coequal.BadSubject, match=r"stream\.step\(\) returns `loss`, which clip\(\) does not"):
        coequal.verify(subject(More), effort="quick")


def test_a_step_with_too_few_inputs_is_named() -> None:
    class Two:
        def step(self, frame: Tensor, mask: Tensor) -> Tensor:
            return frame

    with pytest.raises(coequal.BadSubject, match=r"step\(\) takes 2 inputs \(frame, mask\), `Subject\.example` has 1"):
        coequal.verify(coequal.Subject(clip=lambda x: x, stream=Two, example=torch.randn(2, 3, 6)), effort="quick")


def test_inputs_of_different_lengths_are_refused() -> None:
    with pytest.raises(coequal.BadSubject, match=r"its inputs have different numbers of frames: 0 6, 1 5"):
        coequal.verify(
            coequal.Subject(
                clip=lambda x, y: x, stream=object, example=(torch.randn(2, 3, 6), torch.randn(2, 5)), time=(2, 1)
            )
        )


def test_rows_have_positions_of_their_own() -> None:
    table = torch.randn(4096, 3)

    class First:
        def step(self, frame: Tensor, positions: Tensor) -> Tensor:
            return frame + table.to(frame.dtype)[positions[:1]]

    example = {"frame": torch.randn(2, 6, 3), "positions": torch.arange(6) + torch.tensor([[0], [3]])}
    report = coequal.verify(
        coequal.Subject(
            clip=lambda frame, positions: frame + table.to(frame.dtype)[positions],
            stream=First,
            example=example,
            time={"frame": 1, "positions": 1},
            positions="positions",
        ),
        effort="quick",
    )
    assert report.verdict == "different"


def test_the_size_of_the_second_chunk_matters() -> None:
    class Eight:
        def __init__(self) -> None:
            self.count = 0

        def chunk(self, frames: Tensor) -> Tensor:
            self.count += 1
            return frames * (2 if self.count == 2 and frames.shape[2] == 8 else 1)

    plan = coequal.Plan(unit=4, first=1)
    report = coequal.verify(coequal.Subject(clip=lambda x: x, stream=Eight, example=torch.randn(2, 3, 9), plan=plan))
    assert report.verdict == "different"


def test_samples_without_any_other_axis() -> None:
    class Sum:
        def __init__(self) -> None:
            self.past: Tensor | float = 0.0

        def step(self, frame: Tensor) -> Tensor:
            out, self.past = frame + self.past, frame.clone()
            return out

    sums = coequal.Subject(
        clip=lambda x: x + torch.nn.functional.pad(x, (1, 0))[: x.shape[0]],
        stream=Sum,
        example=torch.randn(8),
        time=0,
        batch=None,
    )
    assert coequal.verify(sums, effort="quick").headline == "proved for every length"


def test_what_does_not_count_is_no_premise() -> None:
    """It is proved for every length only from where its emissions count."""

    class Late:
        at = 0

        def __init__(self) -> None:
            self.count = 0

        def step(self, frame: Tensor) -> Tensor:
            self.count += 1
            return frame * (0.0 if self.count <= 12 else 1.0)

    fields = {"clip": lambda x: x, "example": torch.randn(2, 3, 20), "offset": 12}

    def headline(**ignored: int) -> str:
        return coequal.verify(coequal.Subject(stream=Late, **ignored, **fields), effort="quick").headline

    assert headline(ignore=12) == headline(warm_up=12) == "proved for every length"
    assert headline(ignore=11) == "different"


def test_latency_and_rate_are_compared_with_what_is_measured() -> None:
    class Lags:
        def __init__(self) -> None:
            self.past: Tensor | None = None

        def step(self, frame: Tensor) -> Tensor | None:
            out, self.past = self.past, frame.clone()
            return out

    def found(**said: object) -> list[str]:
        lags = coequal.Subject(clip=lambda x: x, stream=Lags, example=torch.randn(2, 3, 8), **said)  # type: ignore[arg-type]
        findings = coequal.verify(lags, effort="quick").findings
        return [finding.detail for finding in findings if finding.name == "claimed-timing"]

    assert found(latency=1, rate=1) == []
    assert found(latency=2) == ["latency: claimed 2, measured 1"]
    assert found(rate=Fraction(1, 2)) == ["rate: claimed 1/2, measured 1"]


class Switched(torch.nn.Module):
    """A module that is a stream within `with module.streaming():`, once at a time, and no clip function there."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Tensor | None = None

    @contextlib.contextmanager
    def streaming(self) -> Iterator[Switched]:
        assert self.seen is None, "is already streaming!"
        self.seen = torch.zeros(())
        try:
            yield self
        finally:
            self.seen = None

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        assert self.seen is None, "it streams"
        return 2 * frames, frames.cumsum(2)

    def step(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        assert self.seen is not None
        self.seen = self.seen + frame
        return 2 * frame, self.seen


class Forgetful(Switched):
    """The same; chunks of several frames are another function."""

    def chunk(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        both = [self.step(frame) for frame in frames.unbind(2)]
        return tuple(torch.stack(parts, 2) + float(frames.shape[2] > 1) for parts in zip(*both, strict=True))


@pytest.mark.parametrize(("kind", "verdicts"), [(Switched, ("tested", "proved")), (Forgetful, ("different",))])
def test_a_stream_that_holds_its_module_is_left_before_the_next_output(kind: type[Switched], verdicts: tuple) -> None:
    module = kind()
    subject = coequal.Subject(clip=module, stream=module.streaming, example=torch.randn(2, 3, 6), modules=module)
    for checks in (["values"], ["values", "chunking", "exact"]):
        report = coequal.verify(subject, checks=checks, effort="quick")
        assert report.verdict in (*verdicts, "tested"), report
        assert module.seen is None
    assert report.verdict in verdicts
