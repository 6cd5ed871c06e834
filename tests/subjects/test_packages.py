"""Adapters for packages: a right model is not accused, the same with a planted bug is not believed; `package:Class`.

The layers of torch are tested everywhere, the others where their packages are installed.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import coequal
from coequal.process.target import load, seed_all
from coequal.subjects.adapters import sequence_layers
from coequal.subjects.adapters.find import all_adapters, built_by_an_adapter, clip_of, names_of
from coequal.subjects.adapters.torch_recurrent import recognises

QUICK: dict[str, Any] = {"checks": ["values", "exact"], "effort": "quick"}


def verdict_of(subject: coequal.Subject, *checks: str) -> str:
    return coequal.verify(subject, **QUICK | {"checks": checks or QUICK["checks"]}).verdict


# -- torch -------------------------------------------------------------------------------------------------------------


class Forgetful(nn.GRU):
    """A planted bug: a state that is handed in is weakened."""

    def forward(self, frames: torch.Tensor, state: torch.Tensor | None = None) -> Any:
        return super().forward(frames, None if state is None else 0.9 * state)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_of_torch_are_proved_for_every_length(kind):
    report = coequal.verify(kind(2, 3, batch_first=True), example=torch.randn(2, 5, 2), **QUICK)
    assert (report.verdict, report.horizon) == ("proved", "all"), report


def test_a_layer_that_forgets_is_different():
    assert coequal.verify(Forgetful(2, 3), example=torch.randn(5, 2, 2), **QUICK).verdict == "different"


def test_a_bidirectional_layer_is_refused():
    with pytest.raises(coequal.BadSubject, match="it reads a clip from its end, too, and has no stream"):
        coequal.subject(nn.LSTM(2, 3, bidirectional=True), example=torch.randn(5, 2, 2))


def test_a_clip_without_rows_is_refused():
    with pytest.raises(coequal.BadSubject, match=r"takes clips of three axes here, one of rows; got \(5, 2\)"):
        coequal.subject(nn.GRU(2, 3), example=torch.randn(5, 2))


def test_layers_with_a_step_of_their_own_are_left_to_their_adapters():
    assert not recognises(coequal.continual.GRU(2, 3))


# -- by name -----------------------------------------------------------------------------------------------------------


def test_a_class_by_its_name():
    subject = load("torch:LSTM[num_layers=2, batch_first=False]", example=(7, 2, 5))
    assert subject.example.shape == (7, 2, 5)
    assert (subject.time, subject.batch, subject.name) == (0, 1, "torch:LSTM")
    assert subject.modules.num_layers == 2


def test_the_same_seed_builds_the_same_weights():
    weights = []
    for _ in range(2):
        seed_all(3)
        weights.append(load("torch:GRU", seed=3).modules.weight_ih_l0)
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("torch:GRU[layers=2]", "it cannot be built with layers=2: TypeError: .*layers"),
        ("torch:Gru", "no name 'Gru' in torch; .*the adapter for torch builds GRU"),
        ("torch:nn.Linear", "torch:nn.Linear is built by no adapter; the adapter for torch builds GRU, LSTM, RNN"),
    ],
)
def test_what_cannot_be_built(target, text):
    with pytest.raises(coequal.BadSubject, match=text):
        load(target)


@pytest.mark.skipif(importlib.util.find_spec("ncps") is not None, reason="ncps is installed")
def test_a_package_that_is_missing():
    with pytest.raises(coequal.BadSubject, match="No module named 'ncps': install the package ncps"):
        load("ncps:CfC")


def test_every_adapter_that_builds_says_what_and_imports_nothing():
    building = {name: adapter for name, adapter in all_adapters().items() if hasattr(adapter, "PACKAGE")}
    assert len(building) > 12
    for adapter in building.values():
        assert adapter.NAMES
        assert callable(adapter.tiny)
        assert callable(adapter.shape)
        assert not adapter.recognises(nn.Linear(2, 2))


# -- packages ----------------------------------------------------------------------------------------------------------


def scaled(output: Any) -> Any:
    """An output that is wrong: its first tensor is."""
    if isinstance(output, torch.Tensor):
        return 1.25 * output
    if isinstance(output, tuple):
        return (scaled(output[0]), *output[1:])
    key = next(iter(output.keys()))
    output[key] = 1.25 * output[key]
    return output


def planted(module: nn.Module, method: str, time: int) -> nn.Module:
    """The same module, whose outputs are wrong when it is fed few frames: a bug of a subclass."""
    kind, own = type(module), getattr(type(module), method)

    @functools.wraps(own)
    def wrong(self: Any, *args: Any, **kwargs: Any) -> Any:
        frames = args[0] if args else kwargs["input_ids"]
        few = method != "forward" or frames.shape[time] <= 4
        return scaled(own(self, *args, **kwargs)) if few else own(self, *args, **kwargs)

    module.__class__ = type(kind.__name__, (kind,), {method: wrong, "__module__": kind.__module__})
    return module


# target, method in which the bug is planted, time axis there
PACKAGES = [
    *[("transformers:LlamaForCausalLM", "forward", 1), ("transformers:MambaForCausalLM", "forward", 1)],
    *[("transformers:MimiEncoder", "forward", 2), ("transformers:VoxtralRealtimeEncoder", "forward", 2)],
    *[("pytorch_tcn:TCN", "forward", 2), ("cached_conv:Conv1d", "", 2)],
    *[("minGRU_pytorch:minGRU", "forward", 1), ("mambapy:Mamba", "step", 1)],
    *[("yet_another_retnet:RetNet", "forward_recurrent", 1), ("ncps:CfC", "forward", 1), ("ncps:LTC", "forward", 1)],
    *[("moshi:StreamingTransformer[chunks=single]", "forward", 1), ("moshi:SEANetEncoder", "forward", 2)],
    *[("pocket_tts:StreamingTransformer", "forward", 1), ("pocket_tts:StreamingConvTranspose1d", "forward", 2)],
    *[("diffusers:WanResidualBlock", "forward", 2), ("diffusers:CogVideoXCausalConv3d", "forward", 2)],
    *[("spikingjelly:LIFNode", "single_step_forward", 0), ("torchstreamer:Sequential1dStream", "", 1)],
    *[("sequence_layers:Conv1D", "", 1), ("sequence_layers:Conv1D[padding=same]", "", 1), ("sequence_layers:LSTM", "", 1)],
]


@pytest.mark.parametrize(("target", "method", "time"), PACKAGES, ids=[row[0] for row in PACKAGES])
def test_a_right_model_of_a_package_is_not_accused_and_a_wrong_one_not_believed(target, method, time):
    pytest.importorskip(target.partition(":")[0])
    seed_all(0)
    subject = load(target)
    assert verdict_of(subject, "values") in ("tested", "undecided")
    if not method:
        return  # what streams is built anew for each stream: `test_planted_bugs_in_what_is_built`
    wrong = coequal.subject(planted(subject.modules, method, time), example=example_of(subject))
    assert verdict_of(wrong, "values") == "different"


def example_of(subject: coequal.Subject) -> torch.Tensor:
    """A clip of the subject's alone."""
    assert isinstance(subject.example, torch.Tensor)
    return subject.example


def altered(monkeypatch: pytest.MonkeyPatch, kind: Any, method: str) -> None:
    own: Callable[..., Any] = getattr(kind, method)
    monkeypatch.setattr(kind, method, lambda self, *args, **kwargs: scaled(own(self, *args, **kwargs)))


def test_planted_bugs_in_what_is_built(monkeypatch):
    cached_conv = pytest.importorskip("cached_conv")
    altered(monkeypatch, cached_conv.CachedConv1d, "forward")
    assert verdict_of(load("cached_conv:Conv1d")) == "different"


def test_planted_bugs_in_jax(monkeypatch):
    pytest.importorskip("sequence_layers")
    altered(monkeypatch, sequence_layers.Blocks, "chunk")
    assert verdict_of(load("sequence_layers:LSTM"), "values") == "different"


def test_what_torch_streamer_loses_is_missing():
    pytest.importorskip("torchstreamer")
    report = coequal.verify(load("torchstreamer:Sequential1dStream[layers=down_and_up]"), **QUICK)
    assert report.verdict == "different"
    assert "missing" in report.counterexample.detail


REFUSED = [
    ("transformers:BertLMHeadModel[is_decoder=False]", "is not causal: its first output changes with the last token"),
    ("transformers:LlamaForCausalLM[cache=sliding]", "has cache dynamic, static"),
    ("transformers:MambaForCausalLM[cache=static]", "keeps a state of its own"),
    ("transformers:MambaForCausalLM[frames=tokens]", "has frames ids, embedded"),
    ("transformers:MambaForCausalLM[frames=embedded,padding=left]", "takes no embedded frames"),
    ("pytorch_tcn:TCN[causal=False]", "has no stream"),
    ("minGRU_pytorch:minLM[enable_conv=True]", "has no stream"),
    ("ncps:CfC[return_sequences=False]", "has no stream"),
    ("cached_conv:Sequential[mode=centered]", "looks ahead by 3 frames"),
    ("moshi:StreamingTransformer[context=None]", "has no stream"),
    ("moshi:StreamingTransformer[causal=False]", "has no stream"),
    ("spikingjelly:LIFNode[step_mode=x]", "it cannot be built"),
]


@pytest.mark.parametrize(("target", "text"), REFUSED)
def test_what_has_no_stream_is_refused(target, text):
    pytest.importorskip(target.partition(":")[0])
    with pytest.raises(coequal.BadSubject, match=text):
        load(target)


def test_token_ids_are_drawn_where_a_shape_is_given():
    transformers = pytest.importorskip("transformers")
    seed_all(0)
    named = built_by_an_adapter("transformers", "LlamaForCausalLM")
    assert named is not None
    model = named.module()
    assert isinstance(model, transformers.LlamaForCausalLM)
    ids = clip_of(model, (2, 24), 0)
    assert (ids.dtype, tuple(ids.shape), int(ids.min()) >= 3) == (torch.int64, (2, 24), True)
    with pytest.raises(coequal.BadSubject, match=r"takes token ids, whole numbers with axes \(B, T\); got float32"):
        coequal.subject(model, example=torch.randn(2, 24))


def test_embedded_frames_are_rows_of_the_table():
    pytest.importorskip("transformers")
    seed_all(0)
    named = built_by_an_adapter("transformers", "MambaForCausalLM")
    assert named is not None
    model: Any = named.module()
    ids = clip_of(model, (2, 6), 0)
    tokens, embedded = (coequal.subject(model, example=ids, frames=frames) for frames in ("ids", "embedded"))
    assert example_of(embedded).shape == (2, 6, model.config.hidden_size)
    assert torch.equal(tokens.clip(tokens.example), embedded.clip(embedded.example))
    assert verdict_of(embedded, "values") == "tested"


@pytest.mark.parametrize("package", ["transformers", "rwkv7_hf", "minGRU_pytorch"])
def test_every_name_of_a_package_can_be_built(package):
    pytest.importorskip(package)
    for name in names_of(package):
        seed_all(0)
        subject = load(f"{package}:{name}")
        clips = subject.example if isinstance(subject.example, dict) else {"": subject.example}
        with torch.no_grad():
            output = subject.clip(**clips) if "" not in clips else subject.clip(clips[""])
        assert bool(output.isfinite().all()), name
        assert float(output.std()) > 0, name
