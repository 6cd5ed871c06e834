"""What a configuration of a family costs, the first one and the others.

    python -P benchmarks/family_time.py [--write]

Families of small modules, of which all configurations are accepted: a causal convolution, a GRU that is unrolled, a running
maximum. One thread; processor time, so that it does not matter what else the machine does. `--write` rewrites the table in
family_time.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hypothesis import strategies as st
from torch import nn

import coequal
from coequal.equivalence.campaigns import drawing
from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.campaigns.search import Asked, examined

PAGE = Path(__file__).with_suffix(".md")
COUNT = 20


class Causal(nn.Module):
    """A convolution over `(B, C, T)` with zeros before the first frame; it streams with a ring of frames."""

    def __init__(self, kernel_size: int, channels: int) -> None:
        super().__init__()
        self.kernel_size, self.channels = kernel_size, channels
        self.conv = nn.Conv1d(channels, channels, kernel_size)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """The clip function."""
        return self.conv(nn.functional.pad(clip, (self.kernel_size - 1, 0)))


class Ring:
    """Its stream."""

    def __init__(self, module: Causal) -> None:
        self.module, self.kept = module, torch.zeros(0)

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A frame in, a frame out."""
        if not self.kept.numel():
            self.kept = frame.new_zeros(frame.shape[0], self.module.channels, self.module.kernel_size)
        self.kept = torch.cat([self.kept[:, :, 1:], frame[:, :, None]], 2)
        return self.module.conv(self.kept)[:, :, 0]


class Recurrent:
    """A GRU a frame at a time, in chunks too."""

    def __init__(self, module: nn.GRU) -> None:
        self.module, self.state = module, None

    def chunk(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames `(B, T, C)` in and out."""
        out, self.state = self.module(frames, self.state)
        return out

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """One of them."""
        return self.chunk(frame[:, None])[:, 0]


class Maximum:
    """The largest number so far."""

    def __init__(self) -> None:
        self.best = torch.zeros(0)

    def step(self, frame: torch.Tensor) -> torch.Tensor:
        """A frame in, a frame out."""
        self.best = torch.maximum(self.best, frame) if self.best.numel() else frame.clone()
        return self.best.clone()


@coequal.family(kernel_size=st.integers(1, 7), channels=st.integers(1, 8))
def convolution(kernel_size: int, channels: int) -> coequal.Subject:
    """Causal convolutions."""
    module = Causal(kernel_size, channels).eval()
    return coequal.Subject(clip=module, stream=lambda: Ring(module), example=torch.randn(2, channels, 16), modules=module)


@coequal.family(hidden_size=st.integers(1, 8), num_layers=st.integers(1, 2), bias=st.booleans())
def gru(hidden_size: int, num_layers: int, bias: bool) -> coequal.Subject:
    """Recurrences."""
    module = nn.GRU(3, hidden_size, num_layers, bias, batch_first=True).eval()
    return coequal.Subject(
        clip=lambda x: module(x)[0], stream=lambda: Recurrent(module), example=torch.randn(2, 16, 3), time=1, modules=module
    )


@coequal.family(channels=st.integers(1, 64))
def maximum(channels: int) -> coequal.Subject:
    """No weights."""
    return coequal.Subject(clip=lambda x: x.cummax(2).values, stream=Maximum, example=torch.randn(1, channels, 16))


def seconds(family: Family, asked: Asked) -> list[float]:
    """Processor time of each configuration, in the order in which they are verified."""
    found = []
    for number, configuration in drawing.distinct(family.configurations, 0, COUNT):
        begin = time.process_time()
        tried = examined(family, asked, number, configuration)
        found.append(time.process_time() - begin)
        assert tried.cause is None, tried
    return found


def rows() -> list[str]:
    """A line of the table for each family, and for each thing that may be asked."""
    lines = []
    every: list[tuple[str, Callable[[], Asked]]] = [("", Asked), (", `--require proved`", lambda: Asked(require="proved"))]
    for what, asked in every:
        for family in (convolution, gru, maximum):
            if what and family is gru:
                continue  # a recurrence is proved up to some length: that takes what it may
            first, *others = seconds(family, asked())
            lines.append(f"| {family.name}{what} | {first:.2f} | {statistics.median(others):.2f} | {max(others):.2f} |")
    return lines


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    torch.set_num_threads(1)
    heads = ["| family | first, s | others, median, s | others, largest, s |", "|---|--:|--:|--:|"]
    table = "\n".join([*heads, *rows()])
    print(table)
    if parser.parse_args().write:
        how = f"`python -P benchmarks/family_time.py --write`: {COUNT} configurations each, one thread, processor time."
        PAGE.write_text(f"# Seconds for a configuration of a family\n\n{how}\n\n{table}\n")


if __name__ == "__main__":
    main()
