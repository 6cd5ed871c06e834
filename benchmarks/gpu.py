"""Verification and steps on a GPU beside the CPU of the same machine: one table each, in under six minutes.

    python -P benchmarks/gpu.py [--write benchmarks/gpu.md]

Verdicts are those of `coequal.verify`, run twice on each device, of which the second run is timed, one thread on the CPU.
Steps and clips are those of published networks in single precision, one row, without TF32, eager: medians, each with the
device idle before and after. Without a GPU it says so and ends.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import coequal
from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.systems.catalogue import SYSTEMS

NETWORKS = ("CoX3D-S_13", "CoX3D-M_16", "CoSlow_8")
ROUNDS = 10


def verified() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Small torch modules with the shapes of their clips."""
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return {
        "three convolutions with norms": (
            nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 4, 3, padding=1), nn.AvgPool3d(2)),
            (1, 2, 10, 6, 6),
        ),
        "GRU, two layers": (nn.GRU(4, 4, 2, batch_first=True), (2, 8, 4)),
        "LSTM": (nn.LSTM(4, 4, batch_first=True), (2, 8, 4)),
        "encoder layer, window of four": (encoder, (1, 8, 8)),
    }


def proof(module: nn.Module, shape: tuple[int, ...], device: str) -> tuple[str, float]:
    """Verdict with horizon, and seconds."""
    torch.manual_seed(0)
    window = 4 if isinstance(module, nn.TransformerEncoderLayer) else None
    stream = convert(module.eval(), window=window).to(device)
    example = torch.randn(shape).to(device)
    for _ in range(2):
        begin = time.perf_counter()
        report = coequal.verify(stream, example=example, effort="quick")
        seconds = time.perf_counter() - begin
    horizon = f", {report.horizon}" if report.verdict == "proved" else ""
    return f"{report.verdict.value}{horizon}", seconds


def median(run: Callable[[], object]) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(ROUNDS + 3):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken[3:])


@torch.no_grad()
def steps(name: str) -> tuple[float, float]:
    """Milliseconds of a clip and of a step."""
    system = SYSTEMS[name]
    module = convert(regular(system.layer).float().eval()).to("cuda")
    clip = torch.randn(system.shape, device="cuda")
    stream, frame = Stream(module), clip.select(2, 0).contiguous()
    for _ in range(2 * system.shape[2]):
        stream.push(frame)
    return median(lambda: module(clip)), median(lambda: stream.push(frame))


def table() -> str:
    """Both, as Markdown."""
    lines = [
        "# Verification and steps on a GPU",
        "",
        f"{torch.cuda.get_device_name(0)}; torch {torch.__version__}",
        "",
        "    python -P benchmarks/gpu.py --write benchmarks/gpu.md",
        "",
        "| module | CPU | s | GPU | s | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, (module, shape) in verified().items():
        (here, cpu), (there, gpu) = proof(module, shape, "cpu"), proof(module, shape, "cuda")
        lines.append(f"| {name} | {here} | {cpu:.2f} | {there} | {gpu:.2f} | {gpu / cpu:.1f} |")
        print(lines[-1], flush=True)
    lines += ["", "| network | clip, ms | step, ms | step / clip |", "| --- | --- | --- | --- |"]
    for name in NETWORKS:
        clip, step = steps(name)
        lines.append(f"| {name} | {clip:.2f} | {step:.2f} | {step / clip:.2f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here: nothing was measured")
        return
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    text = table()
    if asked.write is not None:
        asked.write.write_text(text)


if __name__ == "__main__":
    main()
