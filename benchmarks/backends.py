"""Ten exported steps on every runtime that is installed: is the file right, is the runtime exact, does the stream agree?

`python -P benchmarks/backends.py [NETWORK ...] [--on RUNTIME ...]` runs the commands that the page prints, and writes
`docs/backends.md`; what was found is kept in `benchmarks/backends.json`, so that networks and runtimes may be run one by
one. It runs all of them unless some are named, in an hour or two. `--table` writes the page alone.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOUND, PAGE = ROOT / "benchmarks" / "backends.json", ROOT / "docs" / "backends.md"
OURS, THEIRS = "examples/exported/ours.py", "examples/exported/theirs.py"
NETWORKS = {  # file, what it is, further options
    "co3d": (OURS, "two convolutions over time and space (Co3D)", ()),
    "x3d": (OURS, "stem and block of X3D", ()),
    "tsm": (OURS, "TSM, shifted backwards", ()),
    "tcn": (OURS, "dilated convolutions (TCN)", ()),
    "gru": (OURS, "GRU of two layers", ()),
    "encoder": (THEIRS, "transformer encoder, sliding window", ("--ignore", "3")),
    "pytorch_tcn": (THEIRS, "pytorch-tcn", ()),
    "cached_conv": (THEIRS, "cached-conv", ()),
    "continual_inference": (THEIRS, "continual-inference", ("--ignore", "4")),
    "llama": (THEIRS, "transformers: Llama, static cache", ()),
}
RUNTIMES = {
    "onnx": ("onnxruntime", "openvino", "openvino,INFERENCE_PRECISION_HINT=f32"),
    "pt2": ("executorch", "litert", "compile", "aotinductor"),
}
PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "executorch", "litert-torch", "ai-edge-litert", "transformers",
            "pytorch-tcn", "cached-conv", "continual-inference")  # fmt: skip
OPTIONS = ("--effort", "quick", "--only", "values", "exact", "--timeout", "400")


def commands(name: str, on: list[str]) -> dict[str, list[list[str]]]:
    """The lines that write the files of a network, and for each file the one that verifies it."""
    where, _, more = NETWORKS[name]
    lines = {}
    for kind, known in RUNTIMES.items():
        runtimes = [runtime for runtime in known if not on or runtime.partition(",")[0] in on]
        if not runtimes:
            continue
        made = ["coequal", "export", f"{where}:{name}", "--to", kind, "--output", f"{name}.{kind}"]
        if where == THEIRS:
            made = ["python", "-P", where, name, "."]
        verify = ["coequal", "verify", f"{name}.{kind}", "--clip", f"{where}:{name}", *more, *OPTIONS]
        lines[kind] = [made, [*verify, "--backend", ",".join(runtimes)]]
    return lines


def ran(name: str, on: list[str]) -> dict[str, Any]:
    """What the commands said."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, (made, verify) in commands(name, on).items():
            said = Path(folder) / f"{kind}.json"
            first = _run(made, folder)
            last = _run([*verify, "--json", str(said)], folder)
            report = json.loads(said.read_text()) if said.exists() else None
            found[kind] = _kept(report) if report else {"artefact": "refused", "why": _last(last) or _last(first)}
    return found


def _run(line: list[str], folder: str) -> str:
    """Its complaints; the repository's files are found from anywhere."""
    program = [sys.executable, "-P", "-m", "coequal"] if line[0] == "coequal" else [sys.executable]
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in line[1:]]
    return subprocess.run([*program, *words], cwd=folder, capture_output=True, text=True, check=False).stderr


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.startswith("coequal: ")] or text.strip().splitlines()[-1:]
    return lines[-1].rpartition(f"{ROOT}/")[2] if lines else ""


def _kept(report: dict[str, Any]) -> dict[str, Any]:
    horizon = (report.get("proof") or {}).get("horizon")
    remedies = [finding["detail"] for finding in report["findings"] if finding["name"] == "remedy"]
    found = report.get("counterexample") or {}
    kept = {
        "artefact": report["verdict"],
        "horizon": horizon,
        "why": (remedies or [found.get("detail", "")])[0],
        "runtimes": {},
    }
    for one in report["runtimes"]:
        if one["behaviour"] is None:
            kept["runtimes"][one["backend"]] = {"name": None, "why": one["why"]}
            continue
        canary, behaviour = one["canary"], one["behaviour"]
        different = behaviour["counterexample"] or {}
        why = different.get("detail") or ("; ".join(behaviour["reasons"]) if behaviour["verdict"] == "undecided" else "")
        kept["runtimes"][one["backend"]] = {
            **{"name": one["name"], "exact": canary["asked"] - len(canary["missed"]), "asked": canary["asked"]},
            **{"behaviour": behaviour["verdict"], "why": why},
        }
    return kept


def cell(found: dict[str, Any] | None) -> str:
    """`8 of 8, agrees`: nodes that are exact on whole numbers, and the stream's behaviour."""
    if found is None or found["name"] is None:
        return "-" if found is None else "not run"
    agrees = "agrees" if found["behaviour"] in ("tested", "proved") else found["behaviour"]
    return f"{found['exact']} of {found['asked']}, {agrees}" if found["asked"] else f"no such nodes, {agrees}"


def page(found: dict[str, Any]) -> str:
    """The page."""
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := found["packages"].get(name)))
    columns = [(kind, runtime) for kind, runtimes in RUNTIMES.items() for runtime in runtimes]
    titles = [runtime.replace(",", ", ").replace("INFERENCE_PRECISION_HINT=", "") for _, runtime in columns]
    lines = [
        "# Back ends",
        "",
        "Ten steps as [exported files](exported.md), on six runtimes. The columns *.onnx* and *.pt2* say whether the file",
        "is the same function as the clip network (`proved, all`: for every length); each runtime's, how many of its",
        "convolutions and products of matrices are exact on whole numbers (the canary), and whether the stream that it runs",
        "agrees with the clip function. onnxruntime and OpenVINO run the `.onnx`, the others the `.pt2`; `-`: not measured.",
        "Written by `benchmarks/backends.py`.",
        "",
        "The exact run, which is what `proved` is said of, executes the operations that stand in the file, one by one. It",
        "executes no kernel of a runtime: of *compile* and *aotinductor* none of the loops that Inductor writes, in which",
        "operations are fused, vectorised and put in another order. What those compute is known by the canary, each",
        "convolution and each product of matrices compiled by itself, and by the floats that the whole step gives,",
        "compiled. Both call a C++ compiler for each number of rows and each of these nodes, which takes most of the time",
        "of a network.",
        "",
        f"Measured on {found['machine']}: {versions}. {found['openvino']}",
        "",
        f"| network | .onnx | .pt2 | {' | '.join(titles)} |",
        f"|{'---|' * (len(columns) + 3)}",
    ]
    notes = []
    for name, (_, text, _) in NETWORKS.items():
        files = {kind: found["networks"].get(name, {}).get(kind, {"artefact": "-", "why": ""}) for kind in RUNTIMES}
        cells = [_artefact(files[kind]) for kind in RUNTIMES]
        cells += [cell(files[kind].get("runtimes", {}).get(runtime)) for kind, runtime in columns]
        lines.append(f"| `{name}`: {text} | {' | '.join(cells)} |")
        notes += [f"- `{name}.{kind}`: {_line(files[kind]['why'])}" for kind in RUNTIMES if files[kind]["why"]]
        for kind, runtime in columns:
            one = files[kind].get("runtimes", {}).get(runtime)
            if one and one["why"] and files[kind]["artefact"] != "different":
                notes.append(f"- `{name}` on {runtime}: {_line(one['why'])}")
    lines += ["", "What does not agree, or did not run:", "", *notes, "", "## Commands", "", "```"]
    for name in NETWORKS:
        written = list(dict.fromkeys(shlex.join(made) for made, _ in commands(name, []).values()))
        lines += [*written, *(shlex.join(verify) for _, verify in commands(name, []).values())]
    return "\n".join([*lines, "```", ""])


def _artefact(found: dict[str, Any]) -> str:
    horizon = found.get("horizon")
    return f"proved, {horizon}" if found["artefact"] == "proved" else found["artefact"]


def _line(text: str) -> str:
    return " ".join(text.split())


def _openvino() -> str:
    """What precision it computes in unless it is told; empty where it is not installed."""
    try:
        import openvino

        hint = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
    except ImportError:
        return ""
    return f"OpenVINO's own precision on this processor is {hint}."


def main() -> None:
    """Run the networks that are named, or all, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", choices=[*NETWORKS, []])
    parser.add_argument("--on", nargs="+", default=[])
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for name in [] if asked.table else asked.networks or NETWORKS:
        made = ran(name, asked.on)
        found = _known()
        before = found["networks"].setdefault(name, {})
        for kind, now in made.items():
            runtimes = before.get(kind, {}).get("runtimes", {}) | now.get("runtimes", {})
            before[kind] = {**now, "runtimes": runtimes}
        found["packages"] = found.get("packages", {}) | versions()  # others are those of the machine that measured them
        found["machine"] = f"{platform.machine()}, {platform.system()}"
        found["openvino"] = _openvino() or found.get("openvino", "")
        FOUND.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{name}: {before}", flush=True)
    PAGE.write_text(page(_known()))


def _known() -> dict[str, Any]:
    return json.loads(FOUND.read_text()) if FOUND.exists() else {"networks": {}}


def versions() -> dict[str, str]:
    """Of the packages that are installed."""
    here = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            here[package] = importlib.metadata.version(package)
    return here


if __name__ == "__main__":
    main()
