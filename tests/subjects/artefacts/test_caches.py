"""Operators of ONNX whose states go in and come out, against the standard's own evaluator, and steps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import coequal
from coequal.equivalence.report import Report
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.errors import BadSubject

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from coequal.subjects.artefacts.onnx_file import OnnxProgram  # noqa: E402
from tests.subjects.artefacts.test_operators import Case, f, i, model_of, p, run_here  # noqa: E402

NEWEST = onnx.defs.onnx_opset_version()
KNOWN = pytest.mark.skipif(NEWEST < 27, reason="this onnx knows no opset 27")
HEADS = {"q_num_heads": 4, "kv_num_heads": 2}


def attention(*more: Any, opset: int = 25, queries: int = 3, keys: int = 3, outputs: int = 1, **attributes: Any) -> Case:
    """Two rows, four heads of queries for two of keys and values, of 6 and 5 features."""
    return Case(
        "Attention", (f(2, 4, queries, 6), f(2, 2, keys, 6), f(2, 2, keys, 5), *more), 60, attributes, outputs, opset
    )


def linear(rule: str, *more: Any, tokens: int = 3, **attributes: Any) -> Case:
    inputs = (f(2, tokens, 4 * 3), f(2, tokens, 2 * 3), f(2, tokens, 2 * 5), *more)
    return Case("LinearAttention", inputs, 200, {**HEADS, "update_rule": rule, **attributes}, 2, 27)


PAST = (f(2, 2, 4, 6), f(2, 2, 4, 5))
STATE, PACKED = f(2, 2, 3, 5), (f(2, 3, 24), f(2, 3, 12), f(2, 3, 10))
ATTENTION = [
    attention(opset=23),
    attention(is_causal=1),
    attention(f(3, 3), softcap=2.0, scale=0.3, opset=24),
    attention(f(2, 4, 3, 3) > -1),
    attention(None, *PAST, is_causal=1, outputs=3),
    attention(f(1, 7), *PAST, queries=1, keys=3, outputs=3, opset=24),
    attention(None, *PAST, is_causal=1, left_window_size=2, outputs=3),
    attention(left_window_size=1, right_window_size=1),
    attention(None, None, None, i(3, 5), is_causal=1, queries=2, keys=6),
    attention(f(2, 4, 3, 3) > 9),
    Case("Attention", PACKED, 60, HEADS, 1, 25),
]
CASES = [
    *ATTENTION,
    linear("linear"),
    linear("linear", STATE, tokens=1, scale=0.7),
    linear("gated", STATE, -p(2, 3, 2)),
    linear("gated", None, -p(2, 3, 6)),
    linear("delta", STATE, None, p(2, 3, 2)),
    linear("delta", STATE, None, p(2, 3, 1)),
    linear("gated_delta", STATE, -p(2, 3, 6), p(2, 3, 2), chunk_size=2),
    Case("CausalConvWithState", (f(2, 3, 5), f(3, 1, 4), f(3), f(2, 3, 3)), 40, {"activation": "silu"}, 2, 27),
    Case("CausalConvWithState", (f(2, 3, 2), f(3, 1, 4)), 40, {}, 2, 27),
    Case("CausalConvWithState", (f(2, 3, 1), f(3, 1, 4), None, f(2, 3, 3)), 40, {"activation": "swish"}, 2, 27),
    Case("TensorScatter", (f(2, 3, 6, 4), f(2, 3, 2, 4), i(1, 4)), opset=24),
    Case("TensorScatter", (f(2, 3, 6), f(2, 3, 2), i(5, 4)), attributes={"axis": 2, "mode": "circular"}, opset=24),
    Case("TensorScatter", (f(2, 6, 3), f(2, 2, 3)), opset=24),
    Case("RotaryEmbedding", (f(2, 3, 4, 6), f(9, 3), f(9, 3), np.array([[0, 3, 4, 8]] * 2)), 20, opset=23),
    Case("RotaryEmbedding", (f(2, 3, 4, 6), f(2, 4, 3), f(2, 4, 3)), 20, {"interleaved": 1}, opset=23),
    Case(
        "RotaryEmbedding", (f(2, 4, 18), f(2, 4, 2), f(2, 4, 2)), 20, {"num_heads": 3, "rotary_embedding_dim": 4}, opset=23
    ),
]


@KNOWN
@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case}" for n, case in enumerate(CASES)])
def test_a_node_computes_what_the_standard_says(case: Case, within: Any) -> None:
    from onnx.reference import ReferenceEvaluator

    model = model_of(case)
    given = {f"x{n}": x for n, x in enumerate(case.inputs) if x is not None}
    expected, got = ReferenceEvaluator(model).run(None, given), run_here(model, list(given.values()))
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.shape == theirs.shape
        within(mine, theirs, np.full(theirs.shape, 1 + np.abs(theirs).max()), case.steps)


SHORT_STATE = Case("CausalConvWithState", (f(2, 3, 1), f(3, 1, 4), None, f(1, 3, 3)), outputs=2, opset=27)
FULL = Case("TensorScatter", (f(2, 3, 6), f(2, 2, 6), i(0, 2)), opset=24)


@KNOWN
@pytest.mark.parametrize(("case", "said"), [
    (attention(None, *PAST, is_causal=1, opset=24), "is_causal with a past has no meaning here before opset 25"),
    (attention(outputs=4), "its scores as an output have no meaning here"),
    (attention(softmax_precision=16), "softmax_precision 16"),
    (linear("retention"), "update_rule 'retention'"),
    (linear("gated"), "the rule gated without a decay"),
    (SHORT_STATE, r"a state of shape \(1, 3, 3\)"),
    (FULL, r"frames are written to \[0, 1, 2, 3\] of a cache of 3"),
])  # fmt: skip
def test_what_has_no_meaning_is_refused(case: Case, said: str) -> None:
    with pytest.raises((BadSubject, ValueError), match=said):
        run_here(model_of(case), [x for x in case.inputs if x is not None])


# -- steps ----------------------------------------------------------------------------------------------------------------

HEAD = '<ir_version: 13, opset_import: ["" : 27]>\n'
STEP = """
agraph (float[N, 2] frame, float[N, 2, 2] past, float[N, 1, 2, 2] s) => (float[N, 2] y, float[N, 2, 2] past_out,
                                                                         float[N, 1, 2, 2] s_out) {
    now = Unsqueeze (frame, two)
    c, past_out = CausalConvWithState <activation = "silu"> (now, w, b, past)
    t = Transpose <perm = [0, 2, 1]> (c)
    o, s_out = LinearAttention <q_num_heads = 1, kv_num_heads = 1, update_rule = "linear", scale = 0.5> (t, t, t, s)
    y = Squeeze (o, one)
}
"""


class Net(nn.Module):
    """A causal convolution and linear attention with one head: (B, 2, T) -> (B, T, 2)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv1d(2, 2, 3, groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.conv(nn.functional.pad(x, (2, 0)))).transpose(1, 2)
        return 0.5 * (torch.tril(x @ x.transpose(1, 2)) @ x)


def verified(text: str) -> Report:
    net = Net().eval()
    model = onnx.parser.parse_model(HEAD + text)
    held = {"w": net.conv.weight, "b": net.conv.bias, "one": torch.tensor([1]), "two": torch.tensor([2])}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(t.detach().numpy(), name) for name, t in held.items())
    clip = clip_of_module(lambda x: net(x).transpose(1, 2), torch.randn(2, 2, 8), "net")
    subject = subject_of_pair(OnnxProgram(model, "step.onnx"), clip, Wanted(time=2))
    return coequal.verify(subject, effort="quick", checks=("values", "exact"))


@KNOWN
def test_a_step_of_such_operators_is_proved_and_wrong_ones_are_found() -> None:
    assert verified(STEP).verdict == "proved"
    assert verified(STEP.replace('"silu"', '"none"')).verdict == "different"
    assert verified(STEP.replace("(t, t, t, s)", "(t, t, t)")).verdict == "different"
    assert verified(STEP.replace("(now, w, b, past)", "(now, w, b)")).verdict == "different"
