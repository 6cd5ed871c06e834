"""Constants of single precision that only together are what was meant: their rounding is no difference of functions."""

import math

import pytest
import torch
from torch import nn

from coequal import Subject, verify
from coequal.equivalence.compare.constants import UNIT, MovedConstants, moved

Tensor = torch.Tensor
HANN = torch.hann_window(8)
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
