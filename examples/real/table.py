"""A table of real models: every subject of this folder, verified by the command line, one after the other.

`python -P examples/real/table.py` prints it, in ten minutes; what is not installed says so.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("decoders", "recurrences", "signals", "cells", "streamers")
INSTALLED = {  # as a package is imported: as it is installed
    **{"yet_another_retnet": "yet-another-retnet", "minGRU_pytorch": "minGRU-pytorch", "cached_conv": "cached-conv"},
    **{"pytorch_tcn": "pytorch-tcn", "torchstreamer": "torch-streamer"},
}
IMPORTED = re.compile(r"(?:from|import) (transformers|diffusers|moshi|mambapy|ncps|" + "|".join(INSTALLED) + r")\b")
OPTIONS = ("--effort", "quick", "--only", "values", "chunking", "exact")


def targets() -> Iterator[tuple[str, str]]:
    """Package and target of each subject."""
    for name in FILES:
        text = (FOLDER / f"{name}.py").read_text()
        for node in ast.parse(text).body:
            if (
                isinstance(node, ast.FunctionDef)
                and not node.args.args
                and ast.unparse(node.returns or node) == "coequal.Subject"
            ):
                package = "torch-streamer" if name == "streamers" else _package(ast.get_source_segment(text, node) or "")
                yield package, f"{name}.py:{node.name}"
    for architecture in runpy.run_path(str(FOLDER / "architectures.py"))["ARCHITECTURES"]:
        for cache in ("dynamic", "static"):
            yield "transformers", f"architectures.py:decoders[architecture={architecture}, cache={cache}]"


def _package(source: str) -> str:
    found = IMPORTED.search(source)
    return INSTALLED.get(found[1], found[1]) if found else "transformers"


def row(package: str, target: str) -> str:
    """A line of the table."""
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"| {package} | `{target}` | not installed | |"
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        command = [sys.executable, "-P", "-m", "coequal", "verify", target, *OPTIONS, "--json", str(written)]
        run = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        if not written.exists():
            return f"| {package} {version} | `{target}` | refused | {run.stderr.strip().rpartition(': ')[2]} |"
        report = json.loads(written.read_text())
    verdict, proof, found = report["verdict"], report.get("proof") or {}, report.get("counterexample")
    if verdict == "proved":
        return f"| {package} {version} | `{target}` | proved, {proof['horizon']} | |"
    why = found["detail"] if found else "; ".join(report.get("reasons", []))
    return f"| {package} {version} | `{target}` | {verdict} | {why} |"


def main() -> None:
    """Print the table."""
    print("| package | subject | verdict, frames | why |\n|---|---|---|---|")
    for package, target in targets():
        print(row(package, target), flush=True)


if __name__ == "__main__":
    main()
