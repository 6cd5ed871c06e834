"""Views of a clip: what each group of frames sees, how views meet, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.layer import Layer
from coequal.reference.multiview import MultiviewEncoder, View, tiled, tiled_loops

VIEWS = (View(4, 1, 6, 4, 4), View(6, 2, 6, 2, 4), View(8, 2, 8, 1, 4))
ENCODER = MultiviewEncoder(VIEWS, 2, (1,), 8, 4)


def test_is_a_layer_that_cannot_be_streamed() -> None:
    assert isinstance(ENCODER, Layer)
    assert ENCODER.timing is None
    assert ENCODER.output_shape((2, 3, 8, 8, 8)) == (2, 18, 8)


def test_groups_do_not_see_each_other_but_know_their_place(within: Any) -> None:
    """Two groups of four frames: a frame of the second changes none of the first; the same frames say other things later."""
    parameters, clip = weights(ENCODER, 3), np.random.default_rng(3).standard_normal((1, 3, 8, 8, 8))
    finest = slice(10, None)  # features of the last view, a token a frame
    before = ENCODER(parameters, clip)[:, finest]
    other = clip.copy()
    other[0, 0, 5, 0, 0] += 1
    changed = (ENCODER(parameters, other)[:, finest] != before).any(axis=(0, 1))
    assert changed.tolist() == [False] * 4 + [True] * 4
    twice = np.concatenate([clip[:, :, :4]] * 2, axis=2)
    said = ENCODER(parameters, twice)[:, finest]
    assert np.abs(said[..., :4] - said[..., 4:]).max() > 1e-6
    tied = {name: np.broadcast_to(p[:1], p.shape) if name.startswith("cls") else p for name, p in parameters.items()}
    said = ENCODER(tied, twice)[:, finest]
    within(said[..., :4], said[..., 4:], np.full(said[..., :4].shape, 10 * np.abs(said).max()), 1000)


def test_coarser_views_are_repeated_as_a_whole() -> None:
    tokens = np.random.default_rng(1).standard_normal((2, 2, 3))
    np.testing.assert_array_equal(tiled(tokens, 6), tiled_loops(tokens, 6))
    np.testing.assert_array_equal(tiled(tokens, 6)[:, 3], tokens[:, 1])


def test_views_attend_to_the_next_finer_one() -> None:
    """Without fusion a view sees its own tubelets alone; with it, the coarsest one sees through both others."""
    shapes = [n for n in ENCODER.parameters() if n.endswith("proj_weight")]
    cross = "cross_view_encoderblock_1.cross_attention_view"
    assert [n for n in shapes if n.startswith(cross)] == [
        f"{cross}{at}.{x}_proj_weight" for at in ("1_2", "0_1") for x in "qkv"
    ]
    assert ENCODER.parameters()[f"{cross}0_1.k_proj_weight"] == (4, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MultiviewEncoder(VIEWS[::-1], 2, (), 8, 4),
            r"tubelets from the longest on must divide each other, got \[1, 2, 4\]",
        ),
        (lambda: ENCODER.output_shape((1, 3, 6, 8, 8)), "clips are whole groups of 4 frames, at most 8 frames, got 6"),
        (lambda: ENCODER.output_shape((1, 3, 4, 16, 8)), r"frames of \(16, 8\) have more than 4 positions"),
    ],
)
def test_what_does_not_fit_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
