"""Attention inside clips: against its loops and torch's, over either axis, and what is refused."""

import numpy as np
import pytest
import torch

from coequal.equivalence.campaigns.contents import weights
from coequal.reference.attention import inverse_sqrt, structure
from coequal.reference.clip_attention import ClipAttention, clip_attention_loops
from coequal.reference.timing import Timing

LONGEST = 6  # terms of a sum: tokens of a row, or channels


@pytest.mark.parametrize(("over", "window"), [("space", None), ("time", None), ("time", 2)])
def test_vectorised_is_loops(over, window, within, error_bound):
    layer = ClipAttention(4, 2, over, window, scaled=7)
    clip = np.random.default_rng(1).standard_normal((2, 4, 5, 2, 3))
    parameters = weights(layer, 1)
    tokens = 6 if over == "space" else 5
    mask = structure(tokens, tokens, window=window) if window else np.zeros((tokens, tokens))
    expected = clip_attention_loops(parameters, clip, 2, over, inverse_sqrt(7, clip), mask)
    within(layer(parameters, clip), expected, error_bound(layer, parameters, clip), LONGEST)


def test_over_space_it_is_torchs_of_every_frame(within, error_bound):
    layer = ClipAttention(4, 2)
    clip, parameters = np.random.default_rng(2).standard_normal((2, 4, 3, 2, 2)), weights(layer, 2)
    module = torch.nn.MultiheadAttention(4, 2, batch_first=True).double()
    module.load_state_dict({name: torch.as_tensor(value) for name, value in parameters.items()})
    tokens = torch.as_tensor(clip).permute(0, 2, 3, 4, 1).reshape(6, 4, 4)
    expected = module(tokens, tokens, tokens)[0].reshape(2, 3, 2, 2, 4).permute(0, 4, 1, 2, 3).detach().numpy()
    within(layer(parameters, clip), expected, error_bound(layer, parameters, clip), LONGEST)


def test_errors_and_timing():
    assert ClipAttention(4, 2).timing == Timing()
    assert ClipAttention(4, 2, "time").timing is None
    assert ClipAttention(4, 2, "time", 3).timing == Timing(3, pad_start=2)
    for arguments, message in [
        ((4, 2, "both"), "over is one of 'space', 'time', got 'both'"),
        ((5, 2), "5 channels do not divide into 2 heads"),
        ((4, 2, "space", 3), "window is in frames, at least 1, and over time alone, got 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            ClipAttention(*arguments)
    with pytest.raises(ValueError, match=r"with C = channels = 4, got shape \(1, 3, 2\)"):
        ClipAttention(4, 2).output_shape((1, 3, 2))
