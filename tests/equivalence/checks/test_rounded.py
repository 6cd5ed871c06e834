"""Constants of single precision that only together are what was meant: their rounding is no difference of functions."""

import math

import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.equivalence.compare.constants import UNIT, MovedConstants, moved

Tensor = torch.Tensor
HANN = torch.hann_window(8)
HANN32 = torch.hann_window(32)
GAUSS = torch.softmax(-(torch.arange(-2.0, 3.0) ** 2) / 2, 0)
COS, SIN = (torch.stack([f(2 * math.pi * i * torch.arange(6.0) / 6) for i in range(6)]) for f in (torch.cos, torch.sin))
DECAY = torch.exp(torch.linspace(0, -1, 5))


def pointwise(clip, stream) -> Subject:
    """Two functions of numbers, as clip and stream of three channels."""

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return stream(frame)

    return Subject(clip=clip, stream=Stream, example=torch.randn(1, 6, 5), time=2)


def overlap_add(x: Tensor) -> Tensor:
    """Windows of eight frames, half over one another."""
    y, padded = x.new_zeros(*x.shape[:2], x.shape[2] + 16), nn.functional.pad(x, (4, 12))
    for start in range(0, x.shape[2] + 5, 4):
        y[:, :, start : start + 8] += padded[:, :, start : start + 8] * HANN.to(x.dtype)
    return y[:, :, 4 : 4 + x.shape[2]]


def there_and_back(x: Tensor) -> Tensor:
    """A discrete Fourier transform over the channels, and its inverse."""
    c, s = COS.to(x.dtype), SIN.to(x.dtype)
    return (c.T @ (c @ x) + s.T @ (s @ x)) / 6


class Windowed(nn.Module):
    """Both halves of a window that is a buffer, behind a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.register_buffer("taps", GAUSS.clone())

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x.transpose(1, 2)).transpose(1, 2)
        return sum(y * tap for tap in self.taps)


def windowed(scale: float) -> Subject:
    module = Windowed()

    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return module.linear(frame) * scale

    return Subject(clip=module, stream=Stream, example=torch.randn(1, 6, 5), modules=module)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(pointwise(overlap_add, torch.clone), id="overlap-add"),
        pytest.param(pointwise(lambda x: x * float(HANN[1]) + x * float(HANN[5]), torch.clone), id="numbers"),
        pytest.param(pointwise(there_and_back, torch.clone), id="transform"),
        pytest.param(pointwise(lambda x: sum(x * tap.to(x.dtype) for tap in GAUSS), torch.clone), id="kernel"),
        pytest.param(pointwise(lambda x: x * DECAY[1].to(x) * DECAY[3].to(x), lambda f: f * math.exp(-1)), id="decay"),
        pytest.param(windowed(1.0), id="buffer"),
        pytest.param(pointwise(torch.exp, lambda f: torch.exp2(f * 1.44269504)), id="written"),
    ],
)
def test_rounded_constants_are_no_difference(subject):
    report = verify(subject, effort="quick")
    assert report.verdict == "tested", report
    assert [finding.name for finding in report.findings] == ["precision"]
    assert report.regions["interior"].outcome == "equal"
    assert any("single precision" in reason for reason in report.reasons)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(
            pointwise(lambda x: x * HANN[1].to(x) + x, lambda f: f * HANN[1].to(f) + f * (1 + 1e-9)), id="another constant"
        ),
        pytest.param(pointwise(lambda x: x * HANN[1].to(x) + 1e-9 * x * x, lambda f: f * HANN[1].to(f)), id="another term"),
        pytest.param(
            pointwise(
                lambda x: torch.cat([x * HANN[1].to(x) + x * HANN[5].to(x), x], 1),
                lambda f: torch.cat([f, f * (1 + 1e-9)], 1),
            ),
            id="elsewhere",
        ),
        pytest.param(windowed(1 + 1e-5), id="more than rounding"),
    ],
)
def test_what_their_rounding_does_not_explain_is_different(subject):
    assert verify(subject, effort="quick").verdict == "different"


RATE = 100.3  # radians a frame: at frame 20 the rounding of the argument is 2000 times that of a cosine


def turned(rate: float, factor: float = 1.0) -> Subject:
    """Frames times cosines in single precision: of arguments that are rounded in a table, and of one rounded in the end."""

    class Stream:
        frame = 0

        def step(self, x: Tensor) -> Tensor:
            self.frame += 1
            return x * torch.tensor(math.cos((self.frame - 1) * rate), dtype=torch.float32).to(x) * factor

    return Subject(clip=lambda x: x * torch.cos(torch.arange(x.shape[2]) * RATE).to(x), stream=Stream, example=CLIP)


CLIP = torch.randn(1, 2, 20)


def test_rounded_arguments_are_no_difference_in_the_own_format_either():
    report = verify(turned(RATE), checks="values")
    assert report.verdict == "tested", report
    assert [finding.name for finding in report.findings] == ["precision"]
    assert "takes clip and stream apart" in report.findings[0].detail


@pytest.mark.parametrize(
    "subject", [pytest.param(turned(RATE * (1 + 1e-5)), id="rate"), pytest.param(turned(RATE, 1 + 1e-3), id="factor")]
)
def test_another_rate_is_different(subject):
    assert verify(subject, checks="values").verdict == "different"


def test_what_the_own_format_alone_shows_is_not_of_constants():
    """The own format is off by a tenth, which no constant explains, in a stream that is off by constants as well."""
    subject = turned(RATE)
    steps = subject.stream

    class Stream(steps):
        def step(self, x: Tensor) -> Tensor:
            return super().step(x) * (1.1 if x.dtype == torch.float32 else 1)

    subject.stream = Stream
    assert verify(subject, checks="values").verdict == "different"


def test_where_the_clip_moves_far_nothing_is_explained():
    """A series that amplifies rounding moves everything, a wrong factor too."""

    def chaos(length: int) -> Tensor:
        series = [torch.tensor(1 / 3)]
        for _ in range(length - 1):
            series.append(series[-1] * 3.99 * (1 - series[-1]))
        return torch.stack(series)

    class Stream:
        frame = 0

        def step(self, x: Tensor) -> Tensor:
            self.frame += 1
            return x * chaos(self.frame)[-1].to(x) * (1 if self.frame < 15 else 1.3)

    subject = Subject(clip=lambda x: x * chaos(x.shape[2]).to(x), stream=Stream, example=torch.randn(1, 2, 30))
    assert verify(subject, checks="values").verdict == "different"


def test_integers_through_a_window_of_single_precision_are_no_integers():
    """Halves of a window that add up to one but for rounding: the check `integers` sees no integers in the stream."""

    class Stream:
        frame = 0

        def step(self, x: Tensor) -> Tensor:
            self.frame += 1
            i = self.frame % 16
            return x * HANN32[i].to(x) + x * HANN32[i + 16].to(x)

    subject = Subject(clip=torch.clone, stream=Stream, example=torch.randn(1, 2, 40))
    report = verify(subject, checks=["values", "integers", "exact"], effort="quick")
    assert report.verdict == "tested", report
    assert [finding.name for finding in report.findings] == ["precision"]


def test_numbers_of_single_precision_move_by_less_than_a_rounding_and_no_others():
    short, single, double = (
        [0.0, 1.0, 0.5, 3.0, -0.625],
        [float(torch.tensor(v)) for v in (1 / 3, 0.9, math.pi)],
        [1 / 3, 0.9],
    )
    x = torch.tensor(short + single + double, dtype=torch.float64)
    by = (moved(x, 1) - x).abs()
    assert by.nonzero().flatten().tolist() == [5, 6, 7]
    assert bool((by <= UNIT * x.abs()).all())
    assert torch.equal(moved(-2 * x, 1), -2 * moved(x, 1))


def test_data_and_what_is_computed_from_it_do_not_move():
    mode, x = MovedConstants(3), torch.ones(8).double() * float(torch.tensor(1 / 3))
    mode.are_data([x])
    with mode:
        same = x.clone()
        row = torch.zeros(2, 8, dtype=torch.float64)
        row[0] += x
        again = row.T.contiguous()[:, 0]
        other = same * HANN
    assert torch.equal(same, x)
    assert torch.equal(again, x)
    assert not torch.equal(other, x * HANN.double())
    with MovedConstants(None):
        assert torch.equal(x * HANN, x * HANN.double())


def test_a_cast_of_data_is_no_rounding_of_constants() -> None:
    class Stream:
        def step(self, frame: Tensor) -> Tensor:
            return frame.float().double()

    example = torch.randn(2, 2, 9, dtype=torch.float64)
    report = verify(
        Subject(clip=lambda x: x.clone(), stream=Stream, example=example, time=2), effort="quick", checks="values"
    )
    assert report.verdict == "different"
