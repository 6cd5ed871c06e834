"""Real models of public packages, where they are installed: proved, with their horizons; and what is found is found."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

import coequal
from coequal.systems.catalogue import SYSTEMS

REAL = Path(__file__).parents[2] / "examples" / "real"
GROWING = 19  # frames, of what remembers everything

# file, subject, the package it needs, horizon
PROVED = [
    ("decoders", "llama", "transformers", GROWING),
    ("decoders", "llama_static", "transformers", GROWING),
    ("decoders", "llama_left_padding", "transformers", GROWING),
    ("decoders", "mistral_sliding_window", "transformers", GROWING),
    ("decoders", "gemma3", "transformers", GROWING),
    ("decoders", "gpt2", "transformers", GROWING),
    ("decoders", "gpt_neo_local", "transformers", GROWING),
    ("decoders", "lfm2", "transformers", GROWING),
    ("decoders", "bart_decoder", "transformers", GROWING),
    ("recurrences", "mamba", "transformers", "all"),
    ("recurrences", "mamba2", "transformers", "all"),
    ("recurrences", "falcon_mamba", "transformers", "all"),
    ("recurrences", "rwkv", "transformers", GROWING),
    ("recurrences", "retnet", "yet_another_retnet", GROWING),
    ("recurrences", "mambapy", "mambapy", "all"),
    ("signals", "wan_block", "diffusers", "all"),
    ("signals", "cogvideo_conv", "diffusers", "all"),
    ("signals", "mimi_encoder", "transformers", "all"),
    ("signals", "moshi_transformer", "moshi", GROWING),
    ("signals", "tcn", "pytorch_tcn", "all"),
    ("cells", "closed_form", "ncps", GROWING),
    ("cells", "cached_convolutions", "cached_conv", GROWING),
    ("cells", "bart_and_its_encoder", "transformers", GROWING),
    ("cells", "gpt2_hidden_states", "transformers", GROWING),
    ("cells", "moshi_as_a_context", "moshi", GROWING),
    ("cells", "retnet_with_positions", "yet_another_retnet", GROWING),
    ("streamers", "convolutions", "torchstreamer", "all"),
    ("streamers", "strided", "torchstreamer", "all"),
    ("streamers", "transposed", "torchstreamer", "all"),
]
# file, subject, the package it needs, the check that finds it, what is said of the difference
FOUND = [
    ("cells", "min_lstm", "minGRU_pytorch", "chunking", "element"),
    ("cells", "moshi_in_chunks", "moshi", "chunking", "element"),
    ("streamers", "strided_and_back", "torchstreamer", "values", "missing"),
]


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"real_{name}", REAL / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("file", "subject", "package", "horizon"), PROVED, ids=[row[1] for row in PROVED])
def test_real_models_are_proved(file, subject, package, horizon):
    pytest.importorskip(package)
    torch.manual_seed(0)
    report = coequal.verify(getattr(loaded(file), subject)(), checks=["values", "exact"], effort="quick")
    assert report.verdict == "proved", report
    assert report.horizon == "all" or (horizon != "all" and report.horizon >= horizon), report


@pytest.mark.parametrize(("file", "subject", "package", "check", "says"), FOUND, ids=[row[1] for row in FOUND])
def test_wrong_streams_of_packages_are_found(file, subject, package, check, says):
    pytest.importorskip(package)
    torch.manual_seed(0)
    report = coequal.verify(getattr(loaded(file), subject)(), effort="quick")
    assert report.verdict == "different", report
    assert report.counterexample.check == check
    assert says in report.counterexample.detail


def test_rows_that_a_step_mixes_are_found():
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    report = coequal.verify(loaded("recurrences").rwkv_rows(), checks=["batch"], effort="quick")
    assert report.verdict == "different"


# of pytorchvideo against ours with the same weights: subject, verdict; of the last three a proof takes too long, or is of no
# single frame
PUBLISHED = [
    *[("slow", "proved"), ("csn_ir", "proved"), ("r2plus1d_bottleneck", "proved")],
    *[("i3d", "tested"), ("x3d_clip", "tested"), ("slowfast_clip", "tested")],
]


@pytest.mark.parametrize(("subject", "verdict"), PUBLISHED)
def test_published_networks_are_those_of_pytorchvideo(subject: str, verdict: str) -> None:
    pytest.importorskip("pytorchvideo")
    torch.manual_seed(0)
    checks = ["values", "exact"] if verdict == "proved" else ["values"]
    report = coequal.verify(getattr(loaded("published"), subject)(), checks=checks, effort="quick", timeout=600)
    assert report.verdict == verdict, report
    assert {check.outcome for check in report.checks} == {"passed"}, report


def test_the_x3d_of_pytorchvideo_lacks_a_norm() -> None:
    """Of the first shortcut, 24 channels: a weight and a bias each."""
    pytest.importorskip("pytorchvideo")
    net = loaded("published").theirs("x3d").create_x3d()
    assert sum(p.numel() for p in net.parameters()) == SYSTEMS["X3D-S"].params - 2 * 24


@pytest.mark.parametrize("name", ["architectures", "cells", "decoders", "published", "recurrences", "signals", "streamers"])
def test_the_files_load_without_the_packages(name):
    assert loaded(name).__doc__


def test_a_scan_in_the_logarithm_is_tested():
    """It compares data, to choose between two logarithms of one function."""
    pytest.importorskip("minGRU_pytorch")
    torch.manual_seed(0)
    report = coequal.verify(loaded("cells").min_gru(), effort="quick")
    assert (report.verdict, report.exit_code()) == ("tested", 0), report
    assert "it compares data" in report.reasons[0]


ARCHITECTURES = [  # of transformers, with its growing cache: the check that finds it different, None: proved
    *[("Bamba", "values"), ("MiniMax", "values"), ("Jamba", "chunking"), ("Moshi", "values")],
    *[("Bloom", None), ("OPT", None), ("Qwen3", None)],
]


@pytest.mark.parametrize(("architecture", "check"), ARCHITECTURES)
def test_decoders_of_the_family(architecture: str, check: str | None) -> None:
    pytest.importorskip("transformers")
    subject = loaded("architectures").decoders.subject({"architecture": architecture, "cache": "dynamic"})
    report = coequal.verify(subject, checks=["values", "chunking", "exact"], effort="quick")
    assert report.verdict == ("proved" if check is None else "different"), report
    assert (None if report.counterexample is None else report.counterexample.check) == check
