"""Verification and steps on a GPU beside the CPU of the same machine: one table each, in under six minutes.

    python -P benchmarks/gpu.py [--write benchmarks/gpu.md]

Verdicts are those of `coequal.verify`, run twice on each device, of which the second run is timed, one thread on the CPU.
Steps and clips are those of published networks and of one dense layer, in single precision, one row, without TF32, eager and
captured in a CUDA graph (a step by `Stream(module, graph=True)`): medians, each with the device idle before and after.
Without a GPU it says so and ends.
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
DENSE = "one dense 3 x 3 x 3, 64 channels, 28 x 28"
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


def measured(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network of torch, or the dense layer, with the shape of its clips."""
    if name == DENSE:
        return nn.Conv3d(64, 64, 3, padding=(0, 1, 1)), (1, 64, 3, 28, 28)
    return regular(SYSTEMS[name].layer), SYSTEMS[name].shape


@torch.no_grad()
def steps(name: str) -> tuple[float, float, float, float]:
    """Milliseconds of a clip and of a step, eager; of a clip and of a step, captured."""
    module, shape = measured(name)
    module = convert(module.float().eval()).to("cuda")
    clip = torch.randn(shape, device="cuda")
    frame, streams = clip.select(2, 0).contiguous(), [Stream(module), Stream(module, graph=True)]
    for stream in streams:
        for _ in range(2 * shape[2]):
            stream.push(frame)
    eager, captured = (median(lambda stream=stream: stream.push(frame)) for stream in streams)
    return median(lambda: module(clip)), eager, median(graph_of(module, clip).replay), captured


def graph_of(module: nn.Module, clip: torch.Tensor) -> torch.cuda.CUDAGraph:
    """The clip network on this clip as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            module(clip)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        module(clip)
    return graph


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
    titles = ("network", "clip, ms", "step, ms", "step / clip", "captured: clip, ms", "step, ms", "step / clip")
    lines += ["", f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    for name in (*NETWORKS, DENSE):
        clip, step, whole, captured = steps(name)
        eager = f"{clip:.3f} | {step:.3f} | {step / clip:.2f}"
        lines.append(f"| {name} | {eager} | {whole:.3f} | {captured:.3f} | {captured / whole:.2f} |")
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
