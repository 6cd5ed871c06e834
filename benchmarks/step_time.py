"""Time of one step: continual-inference, ours, and the clip-mode layer run on its own window, in one process, one thread.

    python -P benchmarks/step_time.py [--rounds 9] [--rows attention] [--write benchmarks/step_time.md]

Each round times the three in turn over whole turns of the ring (so that work which is not done in every step counts in
full) and gives the mean of a step; the table shows medians over the rounds, and for the ratio, which is taken within a
round, the quartiles as well. float32, batch 1, torch.no_grad, random inputs, weights as torch initialises them.
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

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import torch

import continual as theirs
from coequal.continual.attention import RetroactiveMultiheadAttention, SingleOutputMultiheadAttention
from coequal.continual.module import Stream
from coequal.continual.transformer import TransformerEncoder

Step = Callable[[int], object]
Contest = tuple[Step, Step, Step, int]  # their step, ours, the clip run on a window, and the steps of one round


@dataclass(frozen=True)
class Row:
    """One line of the table. `target`: their time over ours."""

    name: str
    shape: str
    target: float
    build: Callable[[], Contest]


def attention(kind: str, N: int, E: int, A: int) -> Contest:
    """`kind`: "single" or "retroactive"; window of N tokens, E features, A heads."""
    regular = torch.nn.MultiheadAttention(E, A, batch_first=True).eval()
    ours = {"single": SingleOutputMultiheadAttention, "retroactive": RetroactiveMultiheadAttention}[kind].of(regular, N)
    cls = theirs.SingleOutputMultiheadAttention if kind == "single" else theirs.RetroactiveMultiheadAttention
    other = cls(E, A, sequence_len=N, batch_first=True, embed_dim_second=True).eval()
    tokens = torch.randn(4 * N, 1, E)
    window = tokens[:N].transpose(0, 1).contiguous()
    queries = window[:, -1:] if kind == "single" else window
    return stepping(other, ours, tokens, lambda _: regular(queries, window, window, need_weights=False), N)


def encoder(depth: int, N: int, E: int, A: int, F: int) -> Contest:
    """The last token of an encoder of `depth` layers; F features inside the perceptron."""
    layer = torch.nn.TransformerEncoderLayer(E, A, F, 0.0, batch_first=True)
    regular = torch.nn.TransformerEncoder(layer, depth).eval()
    ours = TransformerEncoder.of(regular, mode="single", window=N)
    factory = theirs.TransformerEncoderLayerFactory(E, A, F, dropout=0.0, sequence_len=N)
    tokens = torch.randn(4 * N, 1, E)
    window = tokens[:N].transpose(0, 1).contiguous()
    return stepping(theirs.TransformerEncoder(factory, depth).eval(), ours, tokens, lambda _: regular(window), N)


def stepping(other: torch.nn.Module, ours: torch.nn.Module, frames: torch.Tensor, clip: Step, steps: int) -> Contest:
    """Both streams past their first window; a step takes the next frame."""
    stream, count = Stream(ours), len(frames)
    for frame in frames[: 2 * steps]:
        other.forward_step(frame)
        stream.push(frame)
    return lambda i: other.forward_step(frames[i % count]), lambda i: stream.push(frames[i % count]), clip, steps


TINY, SMALL, AUDIO, VIDEO = (64, 64, 4), (64, 128, 8), (120, 192, 16), (64, 1024, 16)  # N, E, A


def name(N: int, E: int, A: int, F: int | None = None) -> str:
    """How a shape is written in the table."""
    return f"N={N} E={E} A={A}" + (f" F={F}" if F else "")


ROWS = [
    *(
        Row("single-output attention", name(*s), 2.5, lambda s=s: attention("single", *s))
        for s in (TINY, SMALL, AUDIO, VIDEO)
    ),
    *(
        Row("retroactive attention", name(*s), 1.6, lambda s=s: attention("retroactive", *s))
        for s in (TINY, SMALL, AUDIO, VIDEO)
    ),
    *(
        Row(title, name(*s, F), target, lambda s=s, F=F, depth=depth: encoder(depth, *s, F))
        for depth, title, target in ((1, "encoder layer", 2.5), (2, "two-layer encoder", 10))
        for s, F in ((TINY, 128), (SMALL, 512), (AUDIO, 192), (VIDEO, 1024))
    ),
]


def mean_time(step: Step, steps: int) -> float:
    """Seconds a step."""
    start = time.perf_counter()
    for i in range(steps):
        step(i)
    return (time.perf_counter() - start) / steps


def measure(row: Row, rounds: int) -> list[str]:
    """The cells of a row."""
    torch.manual_seed(0)
    other, ours, clip, steps = row.build()
    times = [(mean_time(other, steps), mean_time(ours, steps), mean_time(clip, 8)) for _ in range(rounds + 1)][1:]
    low, ratio, high = statistics.quantiles([a / b for a, b, _ in times], n=4)
    medians = [statistics.median(column) * 1e6 for column in zip(*times, strict=True)]
    gain = statistics.median(c / b for _, b, c in times)
    return [
        row.name,
        row.shape,
        *(f"{value:.0f}" for value in medians),
        f"{ratio:.2f} ({low:.2f} to {high:.2f})",
        f"{row.target:g}",
        "yes" if ratio >= row.target else "**no**",
        f"{gain:.2f}" if gain >= 1 else f"**{gain:.2f}**",
    ]


HEADER = ["layer", "shape", "theirs µs", "ours µs", "clip µs", "theirs / ours", "target", "met?", "clip / ours"]


def machine() -> str:
    """Processor and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())
    return (
        f"{cpu}, 1 thread; Python {platform.python_version()}, torch {torch.__version__}, NumPy {numpy.__version__},"
        f" continual-inference {theirs.__version__}"
    )


def table(rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [HEADER, ["---"] * len(HEADER), *rows])


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description="time of one step")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = []
    with torch.no_grad():
        for row in ROWS:
            if arguments.rows in row.name:
                done.append(measure(row, arguments.rounds))
                print("  ".join(done[-1]), flush=True)
    if arguments.write:
        notes = Path(__file__).with_name("step_time_notes.md").read_text()
        command = f"python -P benchmarks/step_time.py --rounds {arguments.rounds} --write benchmarks/step_time.md"
        arguments.write.write_text(f"# Time of a step\n\n{machine()}\n\n    {command}\n\n{table(done)}\n\n{notes}")


if __name__ == "__main__":
    main()
