"""Time of counting a network against time of one forward pass of it.

    python -P benchmarks/count_time.py [--rounds 5] [--write benchmarks/count_time.md]

formulas    `clip_cost` of the reference tree, with numbers
letters     `clip_cost` with T, H and W for the sizes: `coequal cost NAME --symbolic`
executed    `clip_executed`: the torch module on tensors without contents, every operation seen
forward     the torch module on a clip of the published size, batch 1, eval mode, no gradients

Each round times all of them, one after the other, in one process; the table shows medians, and of the ratio, which is taken
within a round, the quartiles.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from coequal.continual.to_torch import regular
from coequal.proofs.cost import clip_cost
from coequal.proofs.cost.executed.fake_tensors import clip_executed
from coequal.proofs.cost.targets.named import lettered
from coequal.systems.catalogue import SYSTEMS

NAMES = ("X3D-S", "X3D-M", "I3D-R50", "SlowFast-4x16-R50", "OadTR [Kin.]")
KEYS = ("formulas", "letters", "executed", "forward")
RULE = "<!-- table -->\n"


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measured(name: str, rounds: int) -> list[dict[str, float]]:
    """One row of times for each round, after one that warms up."""
    system = SYSTEMS[name]
    module, clip = regular(system.layer).eval(), torch.randn(system.shape)
    letters = lettered(system.layer, system.shape)
    runs: dict[str, Callable[[], object]] = {
        "formulas": lambda: clip_cost(system.layer, system.shape).macs(),
        "letters": lambda: clip_cost(system.layer, letters).macs(),
        "executed": lambda: clip_executed(module, clip),
        "forward": lambda: module(clip),
    }
    with torch.inference_mode():
        return [{key: seconds(run) for key, run in runs.items()} for _ in range(rounds + 1)][1:]


def line(name: str, times: list[dict[str, float]]) -> str:
    """One row of the table."""
    cells = [f"{1000 * statistics.median(row[key] for row in times):,.0f}" for key in times[0]]
    for key in ("formulas", "executed"):
        low, middle, high = statistics.quantiles([row[key] / row["forward"] for row in times], n=4)
        cells.append(f"{middle:.2g} ({low:.2g} to {high:.2g})")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--write", type=Path)
    chosen = options.parse_args()
    threads = f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, {platform.machine()}"
    heads = ("network", *(f"{key}, ms" for key in KEYS), "formulas / forward", "executed / forward")
    lines = [f"{threads}, {chosen.rounds} rounds\n", f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name in NAMES:
        lines.append(line(name, measured(name, chosen.rounds)))
    print("\n".join(lines))
    if chosen.write:
        before, _, rest = chosen.write.read_text().partition(RULE)
        after = rest.partition("<!-- end -->")[2]
        chosen.write.write_text(f"{before}{RULE}{chr(10).join(lines)}\n<!-- end -->{after}")


if __name__ == "__main__":
    main()
