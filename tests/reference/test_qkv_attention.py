"""Attention of given queries, keys and values: against loops, and as the heart of attention with projections."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.attention import MultiheadAttention
from coequal.reference.layer import Layer
from coequal.reference.qkv_attention import MODES, QKVAttention, qkv_attention_loops

SEEDS = st.integers(0, 2**32 - 1)


@given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 5), st.sampled_from(MODES), SEEDS)
def test_is_its_loops(within, heads, size, length, mode, seed):
    """Weights add up to one: errors are those of the scores, and of a mean."""
    layer = QKVAttention(heads * size, heads, mode)
    clip = np.random.default_rng(seed).standard_normal((2, length, 3 * layer.embed_dim))
    y = layer({}, clip)
    assert y.shape == layer.output_shape(clip.shape)
    scores = 1 + np.abs(clip).max() ** 2 * size
    within(
        y,
        qkv_attention_loops(clip, heads, mode == "causal"),
        np.full(y.shape, np.abs(clip).max() * scores),
        8 * (length + size),
    )


@pytest.mark.parametrize("mode", MODES)
def test_with_projections_it_is_multi_head_attention(within, mode):
    attention = MultiheadAttention(6, 3, mode=mode)
    parameters, clip = weights(attention, 2), np.random.default_rng(2).standard_normal((2, 5, 6))
    projected = clip @ parameters["in_proj_weight"].T + parameters["in_proj_bias"]
    heads = QKVAttention(6, 3, mode)({}, projected)
    y = heads @ parameters["out_proj.weight"].T + parameters["out_proj.bias"]
    within(y, attention(parameters, clip), np.full(y.shape, np.abs(projected).max() ** 2), 50)


def test_only_causal_attention_streams():
    assert isinstance(QKVAttention(4, 2), Layer)
    assert QKVAttention(4, 2).timing is None
    assert QKVAttention(4, 2, "causal").timing == MultiheadAttention(4, 2, mode="causal").timing


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QKVAttention(4, 3), "embed_dim must be a multiple of num_heads, got 4 and 3"),
        (lambda: QKVAttention(4, 2, "single"), "mode is one of 'full', 'causal', got 'single'"),
        (lambda: QKVAttention(4, 2).output_shape((1, 5, 4)), r"expected a clip \(B, T, 3 E\) with E = embed_dim = 4, got"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
