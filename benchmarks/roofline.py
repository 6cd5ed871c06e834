"""Roofline of this machine, on one thread: its peak, its bandwidth, and where clips and steps of some layers lie below it.

    python -P benchmarks/roofline.py [--write benchmarks/roofline.md] [--figure roofline.png]

Peak: the fastest of several matrix products of 1536 x 1536, in multiply-adds a second. Bandwidth: the fastest of several
copies of an array that fits no cache, bytes read and written. Intensity: multiply-adds for each byte of compulsory traffic
(`coequal.proofs.cost.savings.machine`). Bound: max(MACs / peak, bytes / bandwidth), the least time with everything in
memory; `of bound` is the bound over the time measured (median of the rounds), above 100 % where the weights were still in a
cache. float32, batch 1, no gradients. The figure needs matplotlib.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.proofs.cost import Cost, clip_cost, step_cost
from coequal.proofs.cost.savings.machine import Machine, intensity, traffic
from coequal.reference.attention import MultiheadAttention
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear

SIDE, COPIED, REPEATS = 1536, 1 << 26, 7

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "conv 3x3x3, 64 to 64, 56 x 56": (Conv(64, 64, (3, 3, 3), padding=1), (1, 64, 16, 56, 56)),
    "conv 3x3x3, 512 to 512, 7 x 7": (Conv(512, 512, (3, 3, 3), padding=1), (1, 512, 16, 7, 7)),
    "depthwise 3x3x3, 108, 28 x 28": (Conv(108, 108, (3, 3, 3), padding=1, groups=108), (1, 108, 16, 28, 28)),
    "conv 1x1x1, 192 to 432, 7 x 7": (Conv(192, 432, (1, 1, 1)), (1, 192, 16, 7, 7)),
    "linear, 1024 to 4096": (Linear(1024, 4096), (1, 64, 1024)),
    "attention, sliding, E = 1024": (MultiheadAttention(1024, 16, mode="sliding", window=64), (1, 64, 1024)),
}


@dataclass(frozen=True)
class Point:
    """One layer in one mode: what it costs, how long it took."""

    name: str
    mode: str
    cost: Cost
    seconds: float


def fastest(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the best of several runs, after one to warm up."""
    return min(timed(run, repeats))


def timed(run: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each run, after one to warm up."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return taken


def machine() -> Machine:
    """Peak and bandwidth, measured."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    source = torch.randn(COPIED)
    target = torch.empty_like(source)
    peak = SIDE**3 / fastest(lambda: torch.mm(a, b))
    bandwidth = 2 * 4 * COPIED / fastest(lambda: target.copy_(source))
    return Machine(platform.processor() or platform.machine(), peak, bandwidth)


def points(rounds: int) -> list[Point]:
    """Clip and step of every layer."""
    found = []
    for name, (layer, shape) in LAYERS.items():
        module = regular(layer).eval()
        clip = torch.randn(shape)
        stream: Any = Stream(convert(module))
        frames = clip.unbind(2 if len(shape) == 5 else 1)
        for frame in frames:
            stream.push(frame)
        seconds = statistics.median(timed(lambda module=module, clip=clip: module(clip), rounds))
        found.append(Point(name, "clip", clip_cost(layer, shape), seconds))
        steps = timed(lambda stream=stream, frames=frames: [stream.push(frame) for frame in frames], rounds)
        found.append(Point(name, "step", step_cost(layer, shape).mean, statistics.median(steps) / len(frames)))
    return found


def table(roof: Machine, found: list[Point]) -> str:
    """Markdown."""
    lines = [
        f"{roof.name}, one thread, torch {torch.__version__}: {roof.macs / 1e9:.1f} giga-multiply-adds a second,"
        f" {roof.bytes / 1e9:.1f} GB/s, ridge at {roof.ridge:.1f} multiply-adds for each byte.",
        "",
        "| layer | mode | MACs | bytes | MACs per byte | waits for | bound, us | measured, us | of bound |",
        "|---|---|---:|---:|---:|---|---:|---:|---:|",
    ]
    for p in found:
        per_byte, bound = float(intensity(p.cost)), roof.seconds(p.cost)
        waits = "arithmetic" if per_byte > roof.ridge else "memory"
        cells = (p.name, p.mode, f"{p.cost.macs():,}", f"{traffic(p.cost):,}", f"{per_byte:.2g}", waits)
        times = (f"{bound * 1e6:,.0f}", f"{p.seconds * 1e6:,.0f}", f"{bound / p.seconds:.0%}")
        lines.append(f"| {' | '.join((*cells, *times))} |")
    return "\n".join(lines) + "\n"


def draw(roof: Machine, found: list[Point], path: Path) -> None:
    """The figure: multiply-adds a second over multiply-adds per byte, both logarithmic."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise SystemExit("roofline: --figure needs matplotlib: pip install matplotlib (the table does not)") from None
    figure, axes = pyplot.subplots(figsize=(8, 5))
    edges = [0.05, roof.ridge, 1000]
    axes.loglog(edges, [min(roof.macs, roof.bytes * x) / 1e9 for x in edges], color="black")
    for mode, marker in (("clip", "o"), ("step", "^")):
        chosen = [p for p in found if p.mode == mode]
        x = [float(intensity(p.cost)) for p in chosen]
        axes.loglog(x, [p.cost.macs() / p.seconds / 1e9 for p in chosen], marker, label=mode)
    axes.set_xlabel("multiply-adds per byte")
    axes.set_ylabel("giga-multiply-adds a second")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="runs of every layer and mode")
    parser.add_argument("--write", type=Path, help="page whose table to replace")
    parser.add_argument("--figure", type=Path, help="picture to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        roof, found = machine(), points(options.rounds)
    text = table(roof, found)
    print(text, end="")
    if options.write:
        head, _, rest = options.write.read_text().partition("<!-- table -->\n")
        options.write.write_text(f"{head}<!-- table -->\n{text}<!-- end -->{rest.partition('<!-- end -->')[2]}")
    if options.figure:
        draw(roof, found, options.figure)


if __name__ == "__main__":
    main()
