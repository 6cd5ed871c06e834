"""Pooling attention: relative positions against loops, blocks without pools, grids, what does not fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.layer import Layer
from coequal.reference.pooling_attention import (
    PoolingBlock,
    PoolingEncoder,
    distances,
    distances_loops,
    relative_scores,
    relative_scores_loops,
)
from coequal.reference.transformer import TransformerEncoderLayer

SEEDS = st.integers(0, 2**32 - 1)
GRID = st.tuples(*[st.integers(1, 3)] * 3)
BLOCK = PoolingBlock(4, 4, 2, (3, 3, 3), (3, 3, 3), (1, 2, 2), (1, 4, 4), (3, 4))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3))
def test_distances_are_their_loops(queries, keys, more):
    reach = max(queries, keys) + more
    rows = distances(queries, keys, reach)
    np.testing.assert_array_equal(rows, distances_loops(queries, keys, reach))
    assert rows.min() >= 0
    assert rows.max() < 2 * reach - 1


def test_distances_are_counted_in_the_finer_grid():
    """A query at 2 of 4 stands where key 1 of 2 does; the middle row of the table is for distance 0."""
    np.testing.assert_array_equal(distances(4, 4, 4), 3 + np.arange(4)[:, None] - np.arange(4))
    assert distances(4, 2, 4)[2, 0] - distances(4, 2, 4)[2, 1] == 2
    assert distances(2, 4, 4)[1, 0] - distances(2, 4, 4)[0, 0] == 2


@given(GRID, GRID, SEEDS)
def test_relative_scores_are_their_loops(within, grid, seen, seed):
    rng, size = np.random.default_rng(seed), 2
    tables = [rng.standard_normal((2 * max(a, b) - 1, size)) for a, b in zip(grid, seen, strict=True)]
    q = rng.standard_normal((1, 1, math.prod(grid), size))
    got = relative_scores(q, grid, seen, tables)[0, 0]
    largest = np.abs(q).max() * max(np.abs(table).max() for table in tables)
    within(got, relative_scores_loops(q[0, 0], grid, seen, tables), np.full(got.shape, 3 * size * largest), 3 * size)


def test_without_pools_a_block_is_one_of_a_transformer(within):
    """Pre-norm, GELU, under other names."""
    block = PoolingBlock(6, 6, 2, None, None)
    plain = TransformerEncoderLayer(6, 2, 24, "gelu", 1e-6, norm_first=True)
    parameters, tokens = weights(block, 3), np.random.default_rng(3).standard_normal((2, 9, 6))
    names = {
        "norm1": "norm1",
        "norm2": "norm2",
        "attn.proj": "self_attn.out_proj",
        "mlp.fc1": "linear1",
        "mlp.fc2": "linear2",
    }
    given_ = {f"{b}.{kind}": parameters[f"{a}.{kind}"] for a, b in names.items() for kind in ("weight", "bias")}
    given_ |= {f"self_attn.in_proj_{kind}": parameters[f"attn.qkv.{kind}"] for kind in ("weight", "bias")}
    y, grid = block(parameters, tokens, (2, 2, 2))
    assert grid == (2, 2, 2)
    within(y, plain(given_, tokens), np.full(y.shape, 10 * np.abs(y).max()), 200)


def test_grids_shrink_with_the_strides_of_queries():
    assert BLOCK.grids((3, 4, 4)) == ((3, 2, 2), (3, 1, 1))
    encoder = PoolingEncoder((PoolingBlock(4, 8, 2, None, None), PoolingBlock(8, 8, 2, (3, 3, 3), None, (1, 2, 2))), 3, 16)
    assert isinstance(encoder, Layer)
    assert encoder.timing is None
    assert encoder.output_shape((2, 4, 3, 4, 4)) == (2, 8, 1)
    assert encoder(weights(encoder, 1), np.ones((2, 4, 3, 4, 4))).shape == (2, 8, 1)


def test_every_frame_is_seen():
    encoder = PoolingEncoder((BLOCK,))
    parameters, clip = weights(encoder, 5), np.random.default_rng(5).standard_normal((1, 4, 3, 4, 4))
    before = encoder(parameters, clip)
    for t in range(3):
        other = clip.copy()
        other[0, 0, t] += 1
        assert np.abs(encoder(parameters, other) - before).max() > 1e-8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoolingEncoder(()), "needs at least one block, got none"),
        (
            lambda: PoolingEncoder((PoolingBlock(4, 8, 1), PoolingBlock(4, 4, 1))),
            "a block of 8 features is followed by one of 4",
        ),
        (
            lambda: PoolingEncoder((PoolingBlock(4, 4, 1),), 2, 4).output_shape((1, 4, 3, 2, 2)),
            r"a grid of \(3, 2, 2\) is too large for 2 frames of 4 positions",
        ),
        (
            lambda: PoolingEncoder((BLOCK,)).output_shape((1, 4, 4, 4, 4)),
            r"a grid of \(4, 4, 4\) is too large for relative positions of 3 frames and 4 places; give it a larger reach",
        ),
        (
            lambda: PoolingEncoder((PoolingBlock(3, 3, 2),), 3, 4).output_shape((1, 3, 3, 2, 2)),
            "3 features of attention must be a multiple of num_heads, got 2",
        ),
        (
            lambda: PoolingEncoder((BLOCK,)).output_shape((1, 3, 3, 4, 4)),
            r"expected a clip \(B, E, T, H, W\) with E = 4 and tokens, got shape \(1, 3, 3, 4, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
