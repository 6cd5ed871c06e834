"""`coequal check`: the three programs agree, and a bug planted in one of them is found."""

import json

import pytest
import torch

from coequal.continual import conv, pool
from coequal.continual.compose import Residual
from coequal.equivalence.campaigns.agree import Disagreement, agree, check
from coequal.equivalence.campaigns.architectures import operators
from coequal.equivalence.campaigns.contents import Architecture
from coequal.reference.conv import Conv
from coequal.reference.timing import Timing
from coequal.subjects.errors import BadSubject


@pytest.mark.parametrize("operator", sorted(operators()))
def test_reference_torch_and_continual_agree(operator):
    (outcome,) = check([operator], max_examples=60, seed=7).outcomes
    assert outcome.outcome == "passed", outcome
    assert outcome.examples >= 30  # Hypothesis stops early where there are few architectures


def test_progress_and_result():
    seen = []
    result = check(["shift", "linear"], max_examples=10, progress=lambda *step: seen.append(step))
    assert result.passed
    assert {name for name, *_ in seen} == {"shift", "linear"}
    assert max(done for _, done, _ in seen) == 10
    assert [outcome.operator for outcome in result.outcomes] == ["shift", "linear"]


def test_a_name_that_is_none():
    with pytest.raises(
        BadSubject, match=r"there is no operator 'convolution'.*; operators: activation, adaptive_kernel, adaptive_pool"
    ):
        check(["convolution"])
    with pytest.raises(BadSubject, match="did you mean 'conv'"):
        check(["conf"])


def _late(self, frame, state):
    outputs, state = original_push(self, frame, state)
    return [output + (state["seen"] > 4) for output in outputs], state


original_push = pool._Pool.push


def test_a_bug_in_the_stream_is_found_and_shrunk(monkeypatch):
    monkeypatch.setattr(pool._AvgPool, "push", _late)
    (outcome,) = check(["pool"], max_examples=60, seed=1).outcomes
    assert outcome.outcome == "different"
    assert "AvgPool" in outcome.architecture
    assert "Disagreement: the stream's frame" in outcome.detail
    assert outcome.reproduce == "coequal check pool --seed 1 --max-examples 60"


def test_a_bug_in_the_alignment_of_branches_is_found(monkeypatch):
    combined = Residual._combined
    monkeypatch.setattr(Residual, "_combined", lambda self, queues: combined(self, [list(queues[0]), queues[1]]))
    assert not check(["compose"], max_examples=150, seed=1).passed


def test_a_bug_in_the_reference_is_found(monkeypatch):
    monkeypatch.setattr(Conv, "timing", property(lambda self: Timing()))
    call = Conv.__call__
    monkeypatch.setattr(Conv, "__call__", lambda self, parameters, clip: call(self, parameters, clip) + 1e-9)
    (outcome,) = check(["conv"], max_examples=20).outcomes
    assert outcome.outcome == "different"
    assert "torch differs" in outcome.detail


def test_disagreements_say_what():
    architecture = Architecture(Conv(1, 1, (3,)), (1, 1, 6))
    agree(architecture, 0)
    flush = conv._Conv.finish
    try:
        conv._Conv.finish = lambda self, state: [torch.zeros(1, 1)]
        with pytest.raises(Disagreement, match="the stream emits 5 frames, the reference 4"):
            agree(architecture, 0)
    finally:
        conv._Conv.finish = flush


def test_outcomes_are_plain_data():
    from dataclasses import asdict

    (outcome,) = check(["shift"], max_examples=5).outcomes
    assert json.loads(json.dumps(asdict(outcome)))["operator"] == "shift"
