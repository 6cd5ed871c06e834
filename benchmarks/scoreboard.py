"""The scoreboard, `docs/scoreboard.md`: package, model, version and runtime against verdict, horizon and operations.

`make scoreboard` writes it. Verdicts and horizons are those of `docs/packages.md` (`benchmarks/packages.py`) and of
`benchmarks/backends.json` (`benchmarks/backends.py`), as they were measured there: nothing is verified again. Operations
are counted here, by `coequal cost`, and kept in `benchmarks/scoreboard.json`; what is counted already, under the same
version of its package, is not counted again, and what is not installed keeps its count. `--table` counts nothing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VERIFIED, RUN = ROOT / "docs" / "packages.md", ROOT / "benchmarks" / "backends.json"
COUNTED, PAGE = ROOT / "benchmarks" / "scoreboard.json", ROOT / "docs" / "scoreboard.md"
LIMIT = 120.0  # seconds of a count, on a machine that does other work
PLACE = re.compile(r"^coequal: |/\S+/site-packages/|" + re.escape(f"{ROOT}/"))  # what a complaint says of this machine
ROW = re.compile(
    r"^\| (?P<package>\S+) (?P<version>\S+) \| `(?P<model>.+?)` \| (?P<verdict>\w+) \| (?P<horizon>.*?) \|"
    r".*`(?P<command>coequal .+)` \|$"
)
COLUMNS = ("package", "model", "runtime", "verdict", "horizon", "clip", "multiply-adds", "step", "clip / step")
COLUMNS += ("verdict by", "operations by")
FILES = {  # a network of docs/backends.md: where it stands, and its package
    **dict.fromkeys(("co3d", "x3d", "tsm", "tcn", "gru"), ("examples/exported/ours.py", "coequal")),
    "encoder": ("examples/exported/theirs.py", "coequal"),
    "pytorch_tcn": ("examples/exported/theirs.py", "pytorch-tcn"),
    "cached_conv": ("examples/exported/theirs.py", "cached-conv"),
    "continual_inference": ("examples/exported/theirs.py", "continual-inference"),
    "llama": ("examples/exported/theirs.py", "transformers"),
}


@dataclass(frozen=True)
class Line:
    """One model on one runtime: what was verified, and by which command."""

    package: str
    version: str
    model: str
    target: str  # of `coequal cost`
    runtime: str
    verdict: str
    horizon: str
    command: str


def verified() -> list[Line]:
    """The rows of `docs/packages.md`, all of them on torch."""
    found = [match for line in VERIFIED.read_text().splitlines() if (match := ROW.match(line))]
    return [
        Line(
            *(row["package"], row["version"], row["model"], shlex.split(row["command"])[2], "torch"),
            *(row["verdict"], row["horizon"].strip(), row["command"]),
        )
        for row in found
    ]


def exported() -> list[Line]:
    """The networks of `benchmarks/backends.json`: each file on each runtime that ran it."""
    kept, lines = json.loads(RUN.read_text()), []
    for name, (where, package) in FILES.items():
        version = kept["packages"].get(package, importlib.metadata.version("coequal") if package == "coequal" else "")
        for kind, file in kept["networks"].get(name, {}).items():
            horizon = file.get("horizon") if file["artefact"] == "proved" else ""
            whole = {"all": "every length"}.get(str(horizon), str(horizon or ""))
            verify = f"coequal verify {name}.{kind} --clip {where}:{name}"
            lines.append(Line(package, version, name, f"{where}:{name}", f".{kind}", file["artefact"], whole, verify))
            for runtime, one in file.get("runtimes", {}).items():
                said = one["behaviour"] if one["name"] else "not run"
                shown = one["name"] or runtime.partition(",")[0]
                shown += "" if "," not in runtime else f", {runtime.partition('=')[2]}"
                options = f"{verify} --backend {runtime}"
                lines.append(Line(package, version, name, f"{where}:{name}", shown, said, "", options))
    return lines


def counted(target: str) -> dict[str, Any]:
    """What `coequal cost` says of a target: multiply-adds of its clip and of the steps that it executes, or why not."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "cost.json"
        line = [sys.executable, "-P", "-W", "ignore", "-m", "coequal", "cost", target, "--timeout", f"{LIMIT:g}"]
        done = subprocess.run([*line, "--json", str(said)], cwd=ROOT, capture_output=True, text=True, check=False)
        if not said.exists():
            return {"why": PLACE.sub("", (done.stderr.strip().splitlines() or ["no answer"])[-1])}
        report = json.loads(said.read_text())
    clip, step = report["clip"], report["step"]
    executed = None if step is None else step["executed"]
    return {"shape": clip["shape"], "clip": clip["macs"], "step": executed, "why": "; ".join(report["notes"])}


def page(lines: list[Line], known: dict[str, Any]) -> str:
    """The page."""
    models = {line.target for line in lines}
    both = sum(known.get(target, {}).get("step") is not None for target in models)
    text = [
        "# Scoreboard",
        "",
        "Packages, models and runtimes: does the stream compute the clip function, up to which length is that proved, and",
        "what do a clip and a step cost? Models are small and random, and nothing is downloaded. `make scoreboard` writes",
        "this page.",
        "",
        "- **Verdict and horizon** on torch are those of [packages.md](packages.md); of exported files (`.onnx`, `.pt2`),",
        "  and of what runs them, those of [backends.md](backends.md): both as they were measured there, and not again.",
        "  `tested` on a runtime: its stream agrees with the clip function on random clips. Horizons are numbers of frames.",
        "  The files are written by the commands that backends.md lists.",
        "- **Operations** are multiply-adds of one row, counted for this page: those of the clip, whose shape stands before",
        "  them, and those that a step really executes, as a mean over a period. A step that grows with what it has seen is",
        "  that after the last frame of the clip. A runtime has those of its network in torch.",
        f"- {len(lines)} rows of {len(models)} models; clip and step are counted of {both}. Below stand the versions that",
        "  were counted, and why others were not.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    text += [_row(line, known.get(line.target, {})) for line in lines]
    reasons = {target: known[target]["why"] for target in dict.fromkeys(line.target for line in lines) if target in known}
    text += ["", "## What was not counted, or is not as it seems", ""]
    text += [f"- `{target}`: {why}" for target, why in reasons.items() if why]
    versions = sorted({one["version"] for one in known.values()})
    text += ["", f"Operations were counted of {', '.join(versions)}.", ""]
    return "\n".join(text)


def _row(line: Line, counts: dict[str, Any]) -> str:
    clip, step = counts.get("clip"), counts.get("step")
    shape = " x ".join(map(str, counts["shape"])) if clip is not None else ""
    ratio = f"{clip / step:.1f}" if clip and step else ""
    cost = f"`coequal cost {shlex.quote(line.target)}`" if clip is not None else ""
    cells = [f"{line.package} {line.version}", f"`{line.model}`", line.runtime, line.verdict, line.horizon]
    return f"| {' | '.join([*cells, shape, _whole(clip), _whole(step), ratio, f'`{line.command}`', cost])} |"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> int:
    """Count what is not counted yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="write the page of what is counted, and count nothing")
    asked = parser.parse_args()
    lines = [*verified(), *exported()]
    known: dict[str, Any] = json.loads(COUNTED.read_text()) if COUNTED.exists() else {}
    for target, package in {line.target: line.package for line in lines}.items():
        version = _installed(package)
        if asked.table or version is None or known.get(target, {}).get("version") == f"{package} {version}":
            continue
        known[target] = {**counted(target), "version": f"{package} {version}"}
        COUNTED.write_text(json.dumps(known, indent=1) + "\n")
        print(f"{target}: {known[target]}", flush=True)
    PAGE.write_text(page(lines, known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
