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
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import torch

import continual as theirs
from coequal.continual import clip_modules as plain
from coequal.continual.attention import RetroactiveMultiheadAttention, SingleOutputMultiheadAttention
from coequal.continual.conversion import convert
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


def convolution(C: int, H: int, kernel: tuple[int, int, int], depthwise: bool) -> Contest:
    """One 3-D convolution of C channels on H x H frames, padded in space alone."""
    options = {"kernel_size": kernel, "padding": (0, kernel[1] // 2, kernel[2] // 2), "groups": C if depthwise else 1}
    return video(torch.nn.Conv3d(C, C, **options), theirs.Conv3d(C, C, **options), C, H, kernel[0])


def i3d_blocks(C: int, H: int, block: Callable[[Any, int], list[Any]]) -> Contest:
    """Four residual blocks of a ResNet inflated in time, as in I3D (Carreira & Zisserman 2017); `block` gives the layers."""
    regular = torch.nn.Sequential(*(plain.Residual(torch.nn.Sequential(*block(torch.nn, C))) for _ in range(4)))
    other = theirs.Sequential(*(theirs.Residual(theirs.Sequential(*block(theirs, C))) for _ in range(4)))
    return video(regular, other, C, H, 9)


def basic(nn: Any, C: int) -> list[Any]:
    """3x3x3 twice; `nn` is torch.nn or continual-inference."""
    wide = {"kernel_size": 3, "padding": (1, 1, 1), "bias": False}
    first, second = nn.Conv3d(C, C, **wide), nn.Conv3d(C, C, **wide)
    return [first, torch.nn.BatchNorm3d(C), torch.nn.ReLU(), second, torch.nn.BatchNorm3d(C)]


def bottleneck(nn: Any, C: int) -> list[Any]:
    """3x1x1, 1x3x3, 1x1x1; `nn` is torch.nn or continual-inference."""
    narrow = C // 4
    return [
        *(nn.Conv3d(C, narrow, kernel_size=(3, 1, 1), padding=(1, 0, 0), bias=False), torch.nn.BatchNorm3d(narrow)),
        *(torch.nn.ReLU(), nn.Conv3d(narrow, narrow, kernel_size=(1, 3, 3), padding=(0, 1, 1), bias=False)),
        *(torch.nn.BatchNorm3d(narrow), torch.nn.ReLU(), nn.Conv3d(narrow, C, kernel_size=(1, 1, 1), bias=False)),
        torch.nn.BatchNorm3d(C),
    ]


def x3d_block(C: int, H: int) -> Contest:
    """A bottleneck as in X3D (Feichtenhofer 2020): 1x1x1 to 2.25 C, depthwise 3x3x3, swish, 1x1x1, shortcut."""
    return video(x3d_module(torch.nn, C), x3d_module(theirs, C), C, H, 3)


def x3d_module(nn: Any, C: int) -> Any:
    """The block; `nn` is torch.nn or continual-inference."""
    wide = int(2.25 * C)
    layers = [
        *(nn.Conv3d(C, wide, kernel_size=1, bias=False), torch.nn.BatchNorm3d(wide), torch.nn.ReLU()),
        nn.Conv3d(wide, wide, kernel_size=3, padding=1, groups=wide, bias=False),
        *(
            torch.nn.BatchNorm3d(wide),
            torch.nn.SiLU(),
            nn.Conv3d(wide, C, kernel_size=1, bias=False),
            torch.nn.BatchNorm3d(C),
        ),
    ]
    return (plain.Residual if nn is torch.nn else theirs.Residual)(nn.Sequential(*layers))


def video(regular: torch.nn.Module, other: torch.nn.Module, C: int, H: int, window: int) -> Contest:
    """A network on `(1, C, T, H, H)`; the clip that a step stands for has `window` frames."""
    regular, other = regular.eval(), other.eval()
    frames = torch.randn(16, 1, C, H, H)
    clip = frames[:window].movedim(0, 2).contiguous()
    return stepping(other, convert(regular), frames, lambda _: regular(clip), 8)


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
    Row("dense Conv3d 3x3x3", "C=64 28x28", 5, lambda: convolution(64, 28, (3, 3, 3), False)),
    Row("depthwise Conv3d 3x3x3", "C=54 40x40", 2.3, lambda: convolution(54, 40, (3, 3, 3), True)),
    Row("depthwise stem (5,1,1)", "C=24 80x80", 4.5, lambda: convolution(24, 80, (5, 1, 1), True)),
    Row("four I3D-like blocks, 3x3x3 twice", "C=64 28x28", 6.5, lambda: i3d_blocks(64, 28, basic)),
    Row("four I3D-like blocks, bottlenecks", "C=256 28x28", 6.5, lambda: i3d_blocks(256, 28, bottleneck)),
    Row("X3D-like bottleneck", "C=24 40x40", 4.5, lambda: x3d_block(24, 40)),
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
