"""`coequal check --exact`: the catalogue is proved, and mistakes planted in any of the three programs are found."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from coequal.continual import pool as continual_pool
from coequal.equivalence.campaigns import prove as exact_campaign
from coequal.equivalence.campaigns.agree import Disagreement
from coequal.equivalence.campaigns.architectures import operators
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.campaigns.prove import BOUND, prove, shift_cancels
from coequal.equivalence.campaigns.run import check_exactly
from coequal.proofs.field.errors import NotDecided
from coequal.reference import activation, attention, norm, pool, recurrent, softmax, squeeze_excite
from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.conv import Conv
from coequal.reference.norm import GroupNorm, InstanceNorm, LayerNorm
from coequal.reference.pool import AvgPool
from coequal.reference.recurrent import GRU, LSTM
from coequal.reference.softmax import Softmax
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.subjects.errors import BadSubject


@pytest.mark.parametrize("operator", sorted(operators()))
def test_every_operator_of_the_catalogue_is_proved(operator):
    count = {"transformer": 3, "multiview": 2, "pooling_attention": 2}.get(operator, 6)  # which take a few seconds each
    (outcome,) = check_exactly([operator], max_examples=count, seed=11)
    assert outcome.outcome == ("tested" if operator == "activation" else "proved"), outcome
    assert outcome.examples >= count
    assert 0 < outcome.wrong <= outcome.examples * BOUND


WHOLE_CLIP = [
    (GroupNorm(2, 4), (2, 4, 3, 2)),
    (InstanceNorm(2), (2, 2, 3, 2)),
    (AdaptiveAvgPool((2, 2)), (2, 2, 5, 3)),
    (AdaptiveMaxPool((2, 2)), (2, 2, 5, 3)),
    (LSTM(2, 3, num_layers=2, bidirectional=True), (2, 3, 2)),
    (Conv(2, 2, (3, 2), padding=1, padding_mode="circular"), (1, 2, 4, 3)),
    (SqueezeExcite(4, 2, "clip"), (2, 4, 3, 2)),
    (Softmax(1), (2, 3, 4)),
    (MultiheadAttention(4, 2), (2, 3, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), WHOLE_CLIP, ids=[type(layer).__name__ for layer, _ in WHOLE_CLIP])
def test_layers_that_need_the_whole_clip(layer, shape):
    assert prove(Architecture(layer, shape), 1).wrong <= BOUND


@pytest.mark.parametrize(("layer", "window"), [
    (MultiheadAttention(4, 2, mode="full", window=3), 3),
    (TransformerEncoder(TransformerEncoderLayer(4, 2, 3, mode="full", window=3), 2), 3),
    (TransformerEncoder(TransformerEncoderLayer(4, 2, 3, "gelu", norm_first=True, mode="single", window=2), 2), None),
])  # fmt: skip
def test_what_shifts_exponentials_is_proved_with_a_homomorphism(layer, window):
    proof = prove(Architecture(layer, (2, 5, 4), window), 4)
    assert proof.wrong <= BOUND
    assert any("homomorphism" in assumption for assumption in proof.assumptions)
    assert "softmax" in proof.given


def test_functions_taken_as_primitive_are_listed():
    assert prove(Architecture(Activation("ELU"), (1, 2, 3)), 0).given == ("ELU",)
    assert prove(Architecture(Activation("ELU"), (1, 2, 3)), 0).by_definition
    written = prove(Architecture(Activation("Softsign"), (1, 2, 3)), 0)
    assert (written.given, written.by_definition) == ((), False)
    gates = prove(Architecture(GRU(2, 2), (1, 3, 2)), 0)
    assert (gates.given, gates.by_definition) == (("sigmoid",), False)


# -- mistakes --------------------------------------------------------------------------------------------------------------


def _eps(original):
    return lambda x, axes, eps, **options: original(x, axes, eps * (1 + 1e-9), **options)


def _scale(original):
    return lambda number, like: original(number, like) * (1 + 2.0**-40)


def _reset_before_the_product(original):
    def cell(a, b, state, projection):
        (hidden,) = state
        (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3, axis=-1), np.split(b, 3, axis=-1)
        r, z = recurrent.sigmoid(a_r + b_r), recurrent.sigmoid(a_z + b_z)
        return ((1 - z) * np.tanh(r * (a_n + b_n)) + z * hidden,)

    return cell


def _bias(original):
    return lambda self, parameters, clip: original(self, parameters, clip) + 2.0**-200


def _counts(original):
    return lambda shape, extent, layer: original(shape, extent, layer) * (1 + 2.0**-45)


def _one_frame_less(original):
    return lambda clip, window: original(clip, window if window is None else max(1, window - 1))


GRU_CELL = "gru_cell"
MISTAKES = [
    (norm, "standardize", _eps, LayerNorm(3), (1, 2, 3)),
    (attention, "inverse_sqrt", _scale, MultiheadAttention(4, 2, mode="causal"), (1, 3, 4)),
    (recurrent, GRU_CELL, _reset_before_the_product, GRU(2, 2), (1, 3, 2)),
    (Conv, "__call__", _bias, Conv(1, 1, (3,)), (1, 1, 5)),
    (pool, "divisors", _counts, AvgPool((2,)), (1, 1, 4)),
    (squeeze_excite, "squeeze", _one_frame_less, SqueezeExcite(2, 1, "window", 2), (1, 2, 4)),
]


@pytest.mark.parametrize(("owner", "name", "mistake", "layer", "shape"), MISTAKES, ids=[f"{m[1]}" for m in MISTAKES])
def test_a_mistake_in_a_formula_of_the_reference_is_found(owner, name, mistake, layer, shape, monkeypatch):
    assert prove(Architecture(layer, shape), 2).wrong <= BOUND
    monkeypatch.setattr(owner, name, mistake(getattr(owner, name)))
    with pytest.raises((Disagreement, NotDecided), match=r"torch is not the function that the reference is: first at \(0"):
        prove(Architecture(layer, shape), 2)


def test_a_mistake_in_a_formula_taken_as_primitive_is_found_in_floating_point(monkeypatch):
    monkeypatch.setitem(activation.TABLE, "SELU", (lambda x: np.where(x > 0, x, np.expm1(x)), {}))
    with pytest.raises(Disagreement, match=r"torch differs at"):
        prove(Architecture(Activation("SELU"), (1, 2, 3)), 0)


@pytest.fixture
def unproved():
    shift_cancels.cache_clear()
    yield
    shift_cancels.cache_clear()


def _unshifted_sum(x, axis=-1):
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(np.exp(x), axis=axis, keepdims=True)


def _of_the_last_axis(x, axis=-1):
    exponentials = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


@pytest.mark.parametrize("mistake", [_unshifted_sum, _of_the_last_axis])
def test_a_mistake_in_softmax_is_found_by_the_proof_that_its_shift_cancels(mistake, unproved, monkeypatch):
    assert shift_cancels() <= BOUND
    shift_cancels.cache_clear()
    monkeypatch.setattr(softmax, "softmax", mistake)
    with pytest.raises(Disagreement, match="softmax shifted by its maximum is not the function that softmax is"):
        shift_cancels()


def test_a_mistake_in_the_stream_is_found(monkeypatch):
    push = continual_pool._Pool.push

    def late(self, frame, state):
        outputs, state = push(self, frame, state)
        return [output + 2.0**-60 * (state["seen"] > 4) for output in outputs], state

    monkeypatch.setattr(continual_pool._AvgPool, "push", late)
    (outcome,) = check_exactly(["pool"], max_examples=60, seed=1)
    assert outcome.outcome == "different"
    assert "the stream's frame" in outcome.detail
    assert "AvgPool" in outcome.architecture
    assert outcome.reproduce == "coequal check pool --exact --seed 1 --max-examples 60"


def test_frames_and_windows_that_are_missing(monkeypatch):
    monkeypatch.setattr(exact_campaign.Stream, "flush", lambda self: [])
    with pytest.raises(Disagreement, match="the stream emits 3 frames, the reference 4"):
        prove(Architecture(Conv(1, 1, (3,), padding=1), (1, 1, 4)), 0)
    monkeypatch.setattr(exact_campaign.Stream, "push", lambda self, frame: None)
    with pytest.raises(Disagreement, match="the stream emits nothing at frame 1; its window is 2 frames"):
        prove(Architecture(MultiheadAttention(2, 1, mode="full", window=2), (1, 3, 2), 2), 0)


def test_what_has_no_meaning_is_not_decided_and_named(monkeypatch):
    monkeypatch.setattr(norm, "rms_norm", lambda x, *_: np.sort(x))
    monkeypatch.setattr(norm, "layer_norm", lambda x, *_: np.sort(x))
    monkeypatch.setattr(norm, "batch_norm", lambda x, *_: np.sort(x))
    (outcome,) = check_exactly(["norm"], max_examples=5)
    assert outcome.outcome == "not decided"
    assert outcome.detail.startswith("numpy.sort: its indices depend on data")
    assert outcome.wrong == 1


def test_a_bound_out_of_reach_is_not_decided(monkeypatch):
    monkeypatch.setattr(exact_campaign, "REDRAWS", 2)
    with pytest.raises(NotDecided, match=r"after 2 draws, [12] of them complete, the bound is .*, above 2.5e-301"):
        prove(Architecture(Conv(1, 1, (1,)), (1, 1, 2)), 0, bound=2.5e-301)


def test_progress_and_plain_data():
    seen = []
    outcomes = check_exactly(["shift", "linear"], max_examples=4, progress=lambda *step: seen.append(step))
    assert [json.loads(json.dumps(asdict(outcome)))["operator"] for outcome in outcomes] == ["shift", "linear"]
    assert {name for name, *_ in seen} == {"shift", "linear"}
    assert max(done for _, done, _ in seen) == 4
    with pytest.raises(BadSubject, match="did you mean 'conv'"):
        check_exactly(["conf"])
