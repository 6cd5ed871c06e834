"""Streams that compute with complex numbers: spectra, rotations, diagonal recurrences. The right ones are proved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from coequal import BadSubject, Subject, verify

Tensor = torch.Tensor


# -- a linear recurrent unit: h = lambda h + B x, y = Re(C h) + D x ----------------------------------------------------


class Diagonal(nn.Module):
    """Complex eigenvalues and matrices."""

    def __init__(self, size: int = 3, states: int = 4) -> None:
        super().__init__()
        self.radius, self.angle = nn.Parameter(torch.rand(states)), nn.Parameter(torch.rand(states))
        self.into = nn.Parameter(torch.randn(states, size, dtype=torch.complex64))
        self.out = nn.Parameter(torch.randn(size, states, dtype=torch.complex64))
        self.direct = nn.Parameter(torch.randn(size))

    def eigenvalues(self) -> Tensor:
        return torch.exp(torch.complex(-torch.exp(self.radius), torch.exp(self.angle)))

    def forward(self, x: Tensor) -> Tensor:
        """A loop over frames."""
        state = torch.zeros(x.shape[0], len(self.radius), dtype=self.into.dtype)
        outputs = []
        for frame in x.unbind(1):
            state = self.eigenvalues() * state + frame.to(self.into.dtype) @ self.into.T
            outputs.append((state @ self.out.T).real + self.direct * frame)
        return torch.stack(outputs, 1)

    def by_spectra(self, x: Tensor) -> Tensor:
        """A convolution with the powers of the eigenvalues, by transforms of the next power of two."""
        length, size = x.shape[1], 2
        while size < 2 * length:
            size *= 2
        powers = torch.stack([self.eigenvalues() ** k for k in range(length)])
        spectra = torch.fft.fft(x.to(self.into.dtype) @ self.into.T, n=size, dim=1) * torch.fft.fft(powers, n=size, dim=0)
        return (torch.fft.ifft(spectra, dim=1)[:, :length] @ self.out.T).real + self.direct * x


def recurrence(net: Diagonal, turned: Callable[[Tensor], Tensor] = lambda eigenvalues: eigenvalues) -> type:
    class Stream:
        state: Any = 0.0

        def step(self, frame: Tensor) -> Tensor:
            self.state = turned(net.eigenvalues()) * self.state + torch.einsum(
                "bd,nd->bn", frame.to(net.into.dtype), net.into
            )
            return torch.einsum("bn,dn->bd", self.state, net.out).real + net.direct * frame

    return Stream


@pytest.mark.parametrize("mode", ["forward", "by_spectra"])
def test_a_diagonal_recurrence_is_proved(mode):
    net = Diagonal()
    subject = Subject(clip=getattr(net, mode), stream=recurrence(net), example=torch.randn(2, 6, 3), time=1, modules=net)
    report = verify(subject, checks=["values", "exact"])
    assert report.verdict == "proved", report
    assert report.horizon >= 19


@pytest.mark.parametrize("mode", ["forward", "by_spectra"])
@pytest.mark.parametrize("turned", [torch.conj, lambda z: z * (1 + 1e-13)])
def test_another_eigenvalue_is_not(mode, turned):
    net = Diagonal()
    wrong = recurrence(net, turned)
    subject = Subject(clip=getattr(net, mode), stream=wrong, example=torch.randn(2, 6, 3), time=1, modules=net)
    assert verify(subject, checks=["values", "exact"], effort="quick").verdict != "proved"


# -- spectra of overlapping frames --------------------------------------------------------------------------------------

SIZE, HOP = 8, 4
WINDOW = torch.hann_window(SIZE)


class Masked(nn.Module):
    """Spectra, each scaled by a mask of its own magnitudes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(SIZE // 2 + 1, SIZE // 2 + 1)

    def forward(self, spectrum: Tensor) -> Tensor:
        return spectrum * torch.sigmoid(self.layer(spectrum.abs()))

    def analysed(self, x: Tensor) -> Tensor:
        """`(rows, samples)` to `(rows, frames, bins)`."""
        spectra = torch.stft(x, SIZE, HOP, window=WINDOW.to(x), center=False, return_complex=True)
        return self(spectra.transpose(1, 2))

    def enhanced(self, x: Tensor) -> Tensor:
        """Back to samples: windows overlap and are added."""
        frames = torch.fft.irfft(self.analysed(x), n=SIZE, dim=2) * WINDOW.to(x)
        length = HOP * (frames.shape[1] - 1) + SIZE
        return functional.fold(frames.transpose(1, 2), (1, length), (1, SIZE), stride=(1, HOP))[:, 0, 0]


class Frames:
    """Samples are collected until a frame is full."""

    def __init__(self, net: Masked) -> None:
        self.net, self.samples = net, torch.zeros(0)

    def spectrum(self, sample: Tensor) -> Tensor | None:
        new = sample[:, None]
        self.samples = torch.cat([self.samples, new], 1) if self.samples.dim() == 2 else new
        if self.samples.shape[1] < SIZE:
            return None
        frame, self.samples = self.samples[:, :SIZE], self.samples[:, HOP:]
        return self.net(torch.fft.rfft(frame * WINDOW.to(frame), dim=1))


class Analysis(Frames):
    def step(self, sample: Tensor) -> Tensor | None:
        return self.spectrum(sample)


class Mirrored(Frames):
    """The other sign of the imaginary part."""

    def step(self, sample: Tensor) -> Tensor | None:
        spectrum = self.spectrum(sample)
        return None if spectrum is None else spectrum.conj()


class Synthesis(Frames):
    tail: Tensor | None = None

    def step(self, sample: Tensor) -> list[Tensor]:
        spectrum = self.spectrum(sample)
        if spectrum is None:
            return []
        frame = torch.fft.irfft(spectrum, n=SIZE, dim=1) * WINDOW.to(sample)
        first = frame[:, :HOP] if self.tail is None else self.tail + frame[:, :HOP]
        self.tail = frame[:, HOP:]
        return list(first.unbind(1))

    def flush(self) -> list[Tensor]:
        return [] if self.tail is None else list(self.tail.unbind(1))


class Forgetful(Synthesis):
    """The overlap is not added."""

    def step(self, sample: Tensor) -> list[Tensor]:
        self.tail = None
        return super().step(sample)


def of_samples(clip: str, stream: type) -> Subject:
    net = Masked()
    return Subject(
        clip=getattr(net, clip),
        stream=lambda: stream(net),
        example=torch.randn(2, 24),
        time=1,
        output_time=1,
        modules=net,
    )


@pytest.mark.parametrize(("clip", "stream"), [("analysed", Analysis), ("enhanced", Synthesis)])
def test_spectra_are_proved_for_every_length(clip, stream):
    report = verify(of_samples(clip, stream), checks=["values", "exact"], effort="quick")
    assert report.verdict == "proved", report
    assert report.horizon == "all"


@pytest.mark.parametrize(("clip", "stream"), [("analysed", Mirrored), ("enhanced", Forgetful)])
def test_wrong_spectra_are_found(clip, stream):
    report = verify(of_samples(clip, stream), effort="quick")
    assert report.verdict == "different", report
    assert report.counterexample is not None


def test_a_memory_of_complex_numbers_is_looked_at():
    """A stream that changes once its complex counter is large is not proved for every length."""

    class Counts:
        def __init__(self) -> None:
            self.phase = torch.zeros((), dtype=torch.complex128)

        def step(self, frame: Tensor) -> Tensor:
            self.phase = self.phase + 1j
            return frame * (1.0 if self.phase.imag < 5000 else 2.0)

    report = verify(Subject(clip=lambda x: x * 1.0, stream=Counts, example=torch.randn(1, 2, 5)), effort="quick")
    assert report.horizon != "all", report


def test_complex_examples_are_handed_over_by_parts():
    with pytest.raises(BadSubject, match="view_as_real"):
        verify(Subject(clip=torch.conj, stream=object, example=torch.randn(1, 2, 5, dtype=torch.complex64)))
