"""How long a verdict takes: a process, a call, rows of the demonstration, all of it.

    python -P benchmarks/verdict_time.py [--before FILE] [--json FILE]

`--json` writes what was measured, to be the column "before" of a later run on the same machine. One thread; seconds of
processor, the least of three, of the demonstration one. Ratios count, seconds are those of one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import coequal

ROOT = Path(__file__).parents[1]
ROWS = ("strided", "gru", "encoder_one_layer", "inception")


def least(run: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(times):
        begin = worked()
        run()
        seconds.append(worked() - begin)
    return min(seconds)


def worked() -> float:
    """Seconds of processor of this process and of those that it started: what else the machine does takes none of them."""
    return sum(os.times()[:4])


def command(*words: str) -> Callable[[], object]:
    """A command of the package in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-P", *words], cwd=ROOT, capture_output=True, check=True)


def measured(*, demo: bool) -> dict[str, float]:
    """Seconds by what was run."""
    own = runpy.run_path(str(ROOT / "examples" / "own_model.py"))
    rows = runpy.run_path(str(ROOT / "examples" / "demo.py"))
    found = {
        "coequal verify examples/own_model.py:right, a process": least(
            command("-m", "coequal", "verify", "examples/own_model.py:right")
        ),
        "the same, a call": least(lambda: coequal.verify(own["right"])),
    }
    for name in ROWS:
        torch.manual_seed(0)
        subject = rows[name]()
        found[f"demo.py:{name}, a call"] = least(lambda s=subject: coequal.verify(s, effort="quick"), 2)
    if demo:
        found["make demo"] = least(command("examples/demo.py"), 1)
    return found


def main() -> None:
    """Measure, print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-demo", action="store_true", help="leave out the demonstration as a whole")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = json.loads(options.before.read_text()) if options.before else {}
    now = measured(demo=not options.no_demo)
    print("| what | before, s | now, s | ratio |\n|---|--:|--:|--:|")
    for what, seconds in now.items():
        old = before.get(what)
        compared = "| " if old is None else f"{old:.2f} | {seconds / old:.2f}"
        first, ratio = compared.split("|")
        print(f"| {what} | {first.strip()} | {seconds:.2f} | {ratio.strip()} |")
    if options.json:
        options.json.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    main()
