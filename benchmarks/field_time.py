"""Time of a run over a field against the same run in float64; and the proof of a whole network.

    python -P benchmarks/field_time.py [--rounds 5] [--only X3D] [--write benchmarks/field_time.md]

Each round times both runs, one after the other, in one process, with all threads that torch takes; the table shows medians
over the rounds, and for the ratio, which is taken within a round, the quartiles as well. Weights are symbols in the field
run, random in the float run. The proof compares the clip with the stream, frame by frame and flushed, until the chance of a
wrong answer is below 2^-40. A draw meets its weights in its first run, which is a column of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from coequal.continual import convert
from coequal.equivalence.campaigns import architectures as strategies
from coequal.equivalence.compare.field import Draw, over_field
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.prove.decide import Exactly, decide
from coequal.equivalence.prove.decision import Decision
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.subjects.adapters.find import subject_of
from coequal.subjects.subject import Subject
from coequal.systems.catalogue import SYSTEMS


@dataclass(frozen=True)
class Row:
    """One line of the table. `target`: the ratio that it should stay below, where there is one."""

    name: str
    shape: tuple[int, ...]
    build: Callable[[], nn.Module]
    target: float | None = 12.0
    prove: bool = False


def stack(*layers: nn.Module) -> nn.Module:
    """Layers one after the other, in eval mode, streaming."""
    return convert(nn.Sequential(*layers).eval())


def plain() -> nn.Module:
    """Three dense convolutions with norms and rectifiers, as in C3D."""
    layers = [(3, 32), (32, 64), (64, 64)]
    return stack(*(part for a, b in layers for part in (nn.Conv3d(a, b, 3, padding=1), nn.BatchNorm3d(b), nn.ReLU())))


def r2plus1d() -> nn.Module:
    """R(2+1)D-18, a clip network."""
    layer = SYSTEMS["R(2+1)D-18_8"].layer
    return strategies.twin(layer, strategies.weights(layer, 0)).eval()


def cox3d() -> nn.Module:
    """CoX3D-S: the X3D-S network with squeeze-and-excitation frame by frame, random weights."""
    layer = SYSTEMS["CoX3D-S_13"].step_layer
    assert layer is not None
    return convert(strategies.twin(layer, strategies.weights(layer, 0)).eval(), window=13)


def encoder() -> nn.Module:
    """A transformer encoder of one layer over 16 tokens."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True)
    return convert(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval(), window=16)


ROWS = [
    Row("three Conv3d 3x3x3 with norms", (1, 3, 8, 56, 56), plain),
    Row("R(2+1)D-18", (1, 3, 8, 56, 56), r2plus1d),
    Row("X3D-S-shaped network", (1, 3, 13, 160, 160), cox3d, prove=True),
    Row("transformer encoder, one layer", (1, 16, 64), encoder, None),
]


class Mute:
    """A stream that gives nothing: the clip alone is timed."""

    def step(self, frame: torch.Tensor) -> None:
        """Nothing."""


def contest(module: nn.Module, example: torch.Tensor, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of the clip function in float64, over a field for the first time in a draw, and over a field; in turns."""
    time_axis = 2 if example.dim() > 3 else 1
    subject = Subject(clip=module.forward, stream=Mute, example=example, time=time_axis, modules=module)
    length = example.shape[time_axis]
    bench, floats, firsts, fields = Session(subject, 0, Floats()), list[float](), list[float](), list[float]()
    with bench.ready(), torch.no_grad():
        x = bench.inputs(length, 1, 0)
        for i in range(rounds + 1):  # the first is thrown away
            floats.append(seconds(lambda: bench.clip(x)))
            with over_field(bench, Draw(seed=i, roots=(2,))) as exact:
                symbols = exact.inputs(length, 1, 0)
                for times in (firsts, fields):
                    times.append(seconds(lambda e=exact, s=symbols: e.clip(s)))
    return floats[1:], firsts[1:], fields[1:]


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def proof(subject: Subject) -> Decision:
    """Clip = stream at the example's length."""
    bench = Session(subject, 0, Floats())
    with bench.ready(), torch.no_grad():
        only = Example(subject.example.shape[subject.time], 1, 0)
        return decide(bench, "normal", Exactly(), only=only)


def line(row: Row, rounds: int) -> str:
    """The table's line of a row."""
    torch.manual_seed(0)
    floats, firsts, fields = contest(row.build(), torch.randn(row.shape), rounds)
    ratios = sorted(b / a for a, b in zip(floats, fields, strict=True))
    low, high = (statistics.quantiles(ratios, n=4)[i] for i in (0, 2)) if rounds > 1 else (ratios[0], ratios[0])
    middle = statistics.median(ratios)
    met = "" if row.target is None else "yes" if middle <= row.target else "**no**"
    shape = "x".join(map(str, row.shape))
    target = "" if row.target is None else f"{row.target:g}"
    medians = " | ".join(f"{statistics.median(times):.3f}" for times in (floats, firsts, fields))
    timed = f"{medians} | {middle:.1f} ({low:.1f} to {high:.1f})"
    return f"| {row.name} | {shape} | {timed} | {target} | {met} |"


def proved(row: Row) -> str:
    """A sentence about the proof of a row."""
    torch.manual_seed(0)
    decision = proof(subject_of(row.build(), torch.randn(row.shape)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    what = f"Proof of clip = stream, {row.name}, {'x'.join(map(str, row.shape))}"
    return (
        f"{what}: {decision.outcome}, wrong with probability below {decision.bound:.1e}; {decision.draws} draws,"
        f" {decision.applications:,} values of free functions in one, {decision.seconds:.0f} s, at most {memory:.1f} GiB."
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows = [row for row in ROWS if options.only in row.name]
    command = f"python -P benchmarks/field_time.py --rounds {options.rounds}"
    lines = [
        "# Time of exact arithmetic",
        "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; Python"
        f" {platform.python_version()}, torch {torch.__version__}",
        "",
        f"    {command} --write benchmarks/field_time.md",
        "",
        "| clip run | shape | float64 s | first in a draw s | field s | field / float64 | target | met? |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(line(row, options.rounds) for row in rows),
        "",
        *(proved(row) for row in rows if row.prove),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write is not None:
        options.write.write_text(text)


if __name__ == "__main__":
    main()
