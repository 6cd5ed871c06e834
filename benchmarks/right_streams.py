"""Right streams and wrong ones, each with verdict, horizon and processor seconds: the two tables of docs/exact.md.

    python -P benchmarks/right_streams.py [--before FILE] [--json FILE]

Real models of public packages (those that are installed) and patterns of the tests. `--json` writes what was measured, to be
the column "before" of a later run. One thread, effort quick.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

import coequal

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
FOUND = {"rwkv_rows", "min_lstm", "strided_and_back", "moshi_in_chunks"}  # wrong, and found


def real() -> Iterator[tuple[str, str, Callable[[], coequal.Subject]]]:
    """Models of public packages: kind, name, subject."""
    for path in sorted((ROOT / "examples" / "real").glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        for name, make in vars(module).items():
            own = inspect.isfunction(make) and make.__module__ == path.stem and not name.startswith("_")
            if own and str(inspect.signature(make)) == "() -> 'coequal.Subject'":
                yield "wrong" if name in FOUND else "real", name, make


def patterns() -> Iterator[tuple[str, str, Callable[[], coequal.Subject]]]:
    """Small right streams of the tests, and wrong ones."""
    from tests.equivalence.prove import test_every_length as lengths
    from tests.equivalence.prove import test_readings as readings

    example = torch.randn(1, 2, 12)
    for kind, table in (("pattern", readings.SAME), ("wrong", readings.OTHERS)):
        for name, (taps, weights) in table.items():
            clip, stream = readings.filtered(taps), readings.ring(weights)
            yield kind, name, lambda c=clip, s=stream: coequal.Subject(clip=c, stream=s, example=example)
    for kind, table in (("pattern", readings.RELATIVE), ("wrong", readings.ABSOLUTE)):
        for name, (clip, stream) in table.items():
            yield kind, f"rotary attention, {name}", lambda c=clip, s=stream: readings.subject(c, s)
    for name, (clip, stream, shape) in lengths.RIGHT.items():
        yield "pattern", name, lambda c=clip, s=stream, x=shape: coequal.Subject(clip=c, stream=s, example=x)
    for name, after in lengths.WRONG.items():
        stream = lengths.using(after)
        yield "wrong", name, lambda s=stream: coequal.Subject(clip=lengths.total, stream=s, example=lengths.EXAMPLE)


def measured(make: Callable[[], coequal.Subject]) -> dict:
    """Verdict, horizon and processor seconds of one subject."""
    torch.manual_seed(0)
    try:
        subject, begin = make(), time.process_time()
        report = coequal.verify(subject, effort="quick")
    except ImportError as error:
        return {"verdict": f"not installed: {error.name}"}
    except coequal.BadSubject as error:
        return {"verdict": "refused", "why": str(error)}
    except Exception as error:  # a table is told what is wrong with a row, and goes on
        return {"verdict": f"no answer: {type(error).__name__}"}
    proof = report.proof or {}
    horizon = proof.get("horizon") if report.verdict == "proved" else None
    return {"verdict": str(report.verdict.value), "horizon": horizon, "seconds": time.process_time() - begin}


def shown(row: dict | None) -> str:
    """`proved, all, 2.1 s`."""
    if row is None:
        return ""
    parts = [row["verdict"], *([f"{row['horizon']}"] if row.get("horizon") else [])]
    return ", ".join([*parts, *([f"{row['seconds']:.1f} s"] if "seconds" in row else [])])


def main() -> None:
    """Measure, print two Markdown tables: right streams, wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = json.loads(options.before.read_text()) if options.before else {}
    rows, streams = {}, [*real(), *patterns()]
    for title, wrong in (("Right streams", False), ("Wrong streams", True)):
        chosen = [stream for stream in streams if (stream[0] == "wrong") == wrong]
        print(
            f"\n{title}: {len(chosen)}, {time.strftime('%Y-%m-%d')}\n\n| kind | stream | before | now |\n|---|---|---|---|"
        )
        for kind, name, make in chosen:
            rows[name] = measured(make)
            print(f"| {kind} | {name.replace('_', ' ')} | {shown(before.get(name))} | {shown(rows[name])} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
