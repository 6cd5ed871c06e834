"""The table of models of public packages, `docs/packages.md`: every one built small by its adapter, and verified.

`python -P benchmarks/packages.py --journal FILE` goes on where the journal ends, and writes the page; what is not installed
is left out, and said. Each row is what its command prints: it runs in a process of its own, with the same seed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "packages.md"
OPTIONS = ("--effort", "quick", "--only", "values", "chunking", "batch", "exact")
CHECKS = OPTIONS[3:]
LIMIT = 300.0  # seconds of a row
INSTALLED = {
    **{"minGRU_pytorch": "minGRU-pytorch", "cached_conv": "cached-conv", "pytorch_tcn": "pytorch-tcn"},
    **{"yet_another_retnet": "yet-another-retnet", "torchstreamer": "torch-streamer", "rwkv7_hf": "rwkv7-hf"},
    **{
        "sequence_layers": "sequence-layers",
        "pocket_tts": "pocket-tts",
        "x_transformers": "x-transformers",
        "gateloop_transformer": "gateloop-transformer",
    },
}
TRANSFORMERS = (
    *("Llama", "Mamba", "Mamba2", "FalconMamba", "Rwkv", "Mistral", "Gemma2", "GPTNeo", "GptOss", "Lfm2", "Bamba", "Jamba"),
    *("MiniMax", "Moshi", "Mixtral", "OPT", "Bloom", "Falcon", "Qwen3", "Olmo2", "Phi", "Cohere2", "GPTJ", "StableLm"),
)
ROWS = (
    *("torch:RNN", "torch:GRU", "torch:LSTM", "torch:GRU[num_layers=2]"),
    *(
        "pytorch_tcn:TCN",
        "pytorch_tcn:TCN[use_gate=True]",
        "pytorch_tcn:TemporalConv1d",
        "pytorch_tcn:TemporalConvTranspose1d",
    ),
    *("cached_conv:Conv1d", "cached_conv:Sequential"),
    *("minGRU_pytorch:minGRU", "minGRU_pytorch:minLM", "minGRU_pytorch:minLSTM"),
    *("mambapy:Mamba", "mambapy:VMamba", "yet_another_retnet:RetNet", "ncps:CfC", "ncps:LTC", "ncps:CfC[mixed_memory=True]"),
    *("moshi:StreamingTransformer", "moshi:StreamingTransformer[chunks=single]", "moshi:StreamingConv1d"),
    *("moshi:StreamingConvTranspose1d", "moshi:SEANetEncoder", "moshi:SEANetDecoder"),
    *(
        f"torchstreamer:Sequential1dStream[layers={name}]"
        for name in ("convolutions", "strided", "transposed", "down_and_up")
    ),
    *("spikingjelly:LIFNode", "spikingjelly:IFNode", "spikingjelly:SlidingPSN"),
    *("diffusers:WanResidualBlock", "diffusers:QwenImageResidualBlock"),
    *("diffusers:WanMidBlock", "diffusers:CogVideoXCausalConv3d"),
    *("pocket_tts:StreamingTransformer", "pocket_tts:StreamingTransformer[context=4]", "pocket_tts:StreamingConv1d"),
    *("pocket_tts:StreamingConvTranspose1d", "pocket_tts:SEANetEncoder", "pocket_tts:SEANetDecoder"),
    *(f"sequence_layers:{name}" for name in ("Conv1D", "Conv1DTranspose", "LSTM", "RGLRU", "LocalDotProductSelfAttention")),
    "rwkv7_hf:RWKV7ForCausalLM",
    *(
        "transformers:MimiEncoder",
        "transformers:VibeVoiceAcousticTokenizerEncoderModel",
        "transformers:VoxtralRealtimeEncoder",
    ),
    *(
        "transformers:GPT2LMHeadModel",
        "transformers:T5ForConditionalGeneration",
        "transformers:BartForConditionalGeneration",
    ),
    *(f"transformers:{name}ForCausalLM" for name in TRANSFORMERS),
    *("transformers:LlamaForCausalLM[cache=static]", "transformers:LlamaForCausalLM[padding=left]"),
    *("transformers:BambaForCausalLM[positions=given]", "transformers:MambaForCausalLM[chunks=any]"),
    *(f"transformers:{name}ForCausalLM[frames=embedded]" for name in ("Mamba", "Mamba2", "FalconMamba")),
    *("transformers:JambaForCausalLM[chunks=prompt]", "transformers:MistralForCausalLM[cache=static]"),
)
# a sentence for each row that is different, or not decided: why. FOUND.md repeats the differences without coequal
WHY: dict[str, str] = {
    "minGRU_pytorch:minLSTM": "In chunks the scan goes on from another logarithm than that of the state that it gave.",
    "mambapy:VMamba": "The clip scans in both directions, the step is that of a network that scans forward.",
    "moshi:StreamingTransformer": "A chunk writes over positions in its ring that its first frames still look at.",
    "torchstreamer:Sequential1dStream[layers=down_and_up]": (
        "Missing frames: a layer that has nothing to emit at the end does not tell the next one to end (12 of 14 outputs)."
    ),
    "transformers:BambaForCausalLM": "In a step positions count from 0; with those of the caller it is right.",
    "transformers:JambaForCausalLM": "With several tokens after the first call the recurrent layers begin anew.",
    "transformers:MiniMaxForCausalLM": "In a step positions count from 0.",
    "transformers:MoshiForCausalLM": "A step looks at all that the cache holds, whole sequences at a sliding window.",
    "transformers:RwkvForCausalLM": "With several rows a step mixes them: (rows, features) becomes (rows, rows, features).",
    "transformers:MambaForCausalLM[chunks=any]": "With several tokens after the first call the recurrence begins anew.",
}


def examined(target: str, answer: Any) -> None:
    """What a process of its own says of a target: a row as a dictionary."""
    began = time.monotonic()
    try:
        from coequal.equivalence.options import Options
        from coequal.equivalence.verify import verify
        from coequal.process.target import load, seed_all
        from coequal.subjects.errors import BadSubject

        seed_all(0)
        try:
            report = verify(load(target), Options(0, CHECKS, "quick", LIMIT), target=target).to_dict()
        except BadSubject as error:
            answer.send({"target": target, "verdict": "refused", "why": str(error), "seconds": time.monotonic() - began})
            return
        found, proof = report["counterexample"], report.get("proof") or {}
        row = {"target": target, "verdict": report["verdict"], "horizon": proof.get("horizon") or 0}
        row["why"] = found["detail"] if found else "; ".join(report["reasons"])
        row["check"] = found["check"] if found else ""
        row["causal"], row["delay"] = report["timing"]["causal"], report["timing"]["delay"]
        answer.send({**row, "seconds": time.monotonic() - began})
    finally:
        os._exit(0)


def row_of(target: str) -> dict[str, Any]:
    """A row, or what became of its process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=examined, args=(target, there))
    process.start()
    there.close()
    try:
        said = here.recv() if here.poll(2 * LIMIT) else None
    except EOFError:
        said = None
    process.kill()
    process.join()
    late = {"verdict": "undecided", "horizon": 0, "why": "no answer in time, on a machine that did other work"}
    return said or {"target": target, **late, "seconds": 2 * LIMIT}


def version_of(target: str) -> tuple[str, str | None]:
    """The package as it is installed, and its version; None: it is not there."""
    package = target.partition(":")[0]
    name = INSTALLED.get(package, package)
    try:
        return name, importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return name, None


def page(rows: list[dict[str, Any]]) -> str:
    """The page."""
    proved = [row for row in rows if row["verdict"] == "proved"]
    packages = {version_of(row["target"])[0] for row in rows}
    models = {row["target"].partition("[")[0] for row in rows}
    lines = [
        "# Models of public packages",
        "",
        "Each is built by its [adapter](adapters.md) in a small size with random weights, and verified; nothing is",
        f"downloaded. {len(rows)} rows of {len(models)} models in {len(packages)} packages, {len(proved)} proved.",
        "A horizon is a number of frames; seconds are of a machine that did other work, too.",
        "`python -P benchmarks/packages.py` writes this page.",
        "Every difference is explained below, and [FOUND.md](../FOUND.md) has a program that shows it without coequal.",
        "",
        "| package | model | verdict | horizon | seconds | command |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        name, version = version_of(row["target"])
        version = row.get("version") or version
        horizon = (
            {"all": "every length", 0: ""}.get(row["horizon"], str(row["horizon"])) if row["verdict"] == "proved" else ""
        )
        command = f"coequal verify {shlex.quote(row['target'])} {' '.join(OPTIONS)}"
        model = row["target"].partition(":")[2]
        lines.append(f"| {name} {version} | `{model}` | {row['verdict']} | {horizon} | {row['seconds']:.0f} | `{command}` |")
    lines += ["", "## Why", "", "What is not proved, and why.", ""]
    lines += [f"- `{row['target']}`: {row['verdict']}. {_why(row)}" for row in rows if row["verdict"] != "proved"]
    return "\n".join(lines) + "\n"


def _why(row: dict[str, Any]) -> str:
    said = WHY.get(row["target"])
    return said or f"It says: {row['why']}."


def main() -> int:
    """Examine what is not in the journal, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="a line of JSON for each row")
    parser.add_argument("--page", action="store_true", help="write the page of what is in the journal, and examine nothing")
    options = parser.parse_args()
    known = [json.loads(line) for line in options.journal.read_text().splitlines()] if options.journal.exists() else []
    rows = {row["target"]: row for row in known}
    for target in ROWS:
        if options.page or target in rows:
            continue
        if version_of(target)[1] is None:
            print(f"{target}: not installed", flush=True)
            continue
        rows[target] = row_of(target) | {"version": version_of(target)[1]}
        with options.journal.open("a") as journal:
            journal.write(json.dumps(rows[target]) + "\n")
        print(json.dumps(rows[target])[:300], flush=True)
    shown = [rows[target] for target in ROWS if target in rows]
    PAGE.write_text(page(shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
