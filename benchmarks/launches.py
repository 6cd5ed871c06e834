"""How many operations a step is, each of which is a kernel that a GPU has to be told to run: a number that needs no GPU.

    python -P benchmarks/launches.py [--write benchmarks/launches.md]

Operations of torch's dispatcher, without those that only look at memory in another way. *step*: of a stream in its final
form. *captured*: of one with `Stream(module, graph=True)`, whose rings stay where they are: what a replay of its CUDA graph
runs, in one launch, with two copies around it. *clip*: of the clip network. In double precision, in which no kernel of the
CPU's own is called.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.to_torch import regular
from coequal.reference.conv import Conv
from coequal.systems.catalogue import SYSTEMS

NETWORKS = ("CoX3D-S_13", "CoX3D-M_16", "CoSlow_8")
SPACE = 32  # pixels along each side: the count does not depend on it


class Counting(TorchDispatchMode):
    """Operations by name, but for views, and for memory that nothing is written to yet."""

    def __init__(self) -> None:
        super().__init__()
        self.count = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func._schema.returns
        views = results and all(r.alias_info is not None and not r.alias_info.is_write for r in results)
        self.count[func._schema.name] += not (views or "empty" in func._schema.name)
        return func(*args, **(kwargs or {}))


def counted(run: Callable[[], object]) -> Counter[str]:
    """Of one run."""
    with Counting() as mode:
        run()
    return +mode.count


def modules() -> dict[str, tuple[nn.Module, torch.Size]]:
    """Modules of torch with the shapes of their clips, in small."""
    dense = regular(Conv(64, 64, (3, 3, 3), padding=(0, 1, 1))), torch.Size((1, 64, 3, 28, 28))
    found = {"one dense 3 x 3 x 3": dense}
    for name in NETWORKS:
        system = SYSTEMS[name]
        found[name] = regular(system.layer), torch.Size((*system.shape[:3], SPACE, SPACE))
    return found


@torch.no_grad()
def steps(module: nn.Module, shape: torch.Size) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Operations of a step, of a captured one, and of the clip."""
    torch.manual_seed(0)
    continual = convert(module.double().eval())
    clip = torch.randn(shape, dtype=torch.float64)
    frame = clip.select(2, 0).contiguous()
    found = []
    for graph in (False, True):
        stream = Stream(continual, graph=graph)
        for _ in range(int(continual.timing.receptive_field) + 1):
            stream.push(frame)
        found.append(counted(lambda stream=stream: stream.push(frame)))
    return found[0], found[1], counted(lambda: module(clip))


def table() -> str:
    """As Markdown."""
    lines = ["# Operations of a step", "", f"torch {torch.__version__}", ""]
    lines += ["    python -P benchmarks/launches.py --write benchmarks/launches.md", ""]
    lines += ["| network | step | captured | clip | most of a captured step |", "| --- | --- | --- | --- | --- |"]
    for name, (module, shape) in modules().items():
        step, captured, clip = steps(module, shape)
        most = ", ".join(f"{count} {kind.removeprefix('aten::')}" for kind, count in captured.most_common(5))
        lines.append(f"| {name} | {step.total()} | {captured.total()} | {clip.total()} | {most} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    text = table()
    if asked.write is not None:
        asked.write.write_text(text)


if __name__ == "__main__":
    main()
