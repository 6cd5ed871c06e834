"""Two pathways against the same thing said by hand in torch; the selection of frames is exact."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.reference.compose import Identity
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.pathways import Pathways, SelectFrames, select_frames, select_frames_loops, spread
from coequal.reference.pool import GlobalAvgPool


@given(st.integers(1, 40), st.integers(1, 40))
def test_frames_are_spread_from_first_to_last(length, count):
    """The nearest frame at or before every point of a line that is divided evenly."""
    exact = [Fraction(j * (length - 1), max(1, count - 1)) for j in range(count)]
    assert spread(length, count) == [int(point) for point in exact]
    assert spread(length, count)[0] == 0
    if count > 1:
        assert spread(length, count)[-1] == length - 1


@pytest.mark.parametrize(("length", "count", "frames"), [(32, 4, [0, 10, 20, 31]), (32, 8, [0, 4, 8, 13, 17, 22, 26, 31])])
def test_frames_are_those_of_the_published_code(length, count, frames):
    """`linspace(0, T - 1, T // alpha)`, rounded down, of facebookresearch/SlowFast."""
    assert spread(length, count) == frames
    assert torch.linspace(0, length - 1, count).long().tolist() == frames


@given(st.integers(1, 3), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_selection_is_loops(alpha, extra, seed):
    clip = np.random.default_rng(seed).standard_normal((2, 3, alpha + extra, 2))
    layer = SelectFrames(alpha)
    count = clip.shape[2] // alpha
    selected = layer({}, clip)
    np.testing.assert_array_equal(selected, select_frames_loops(clip, count))
    np.testing.assert_array_equal(selected, select_frames(clip, count))
    assert layer.output_shape(clip.shape) == selected.shape


def network(alpha=2):
    """Two stages a pathway, strides in space, means at the end."""
    head = GlobalAvgPool(2)
    return Pathways(
        alpha,
        (Conv(2, 3, (1, 3), (1, 2), (0, 1)), head),
        (Conv(2, 2, (3, 3), (1, 2), (1, 1)), head),
        (Conv(2, 4, (3, 1), (alpha, 1), (1, 0)),),
    )


@given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_is_what_torch_says_by_hand(alpha, count, seed):
    """Small integers, a power of two of elements under each mean: exact."""
    layer, rng = network(alpha), np.random.default_rng(seed)
    parameters = {name: rng.integers(-3, 4, shape).astype(float) for name, shape in layer.parameters().items()}
    clip = rng.integers(-3, 4, (2, 2, alpha * count, 8)).astype(float)
    p = {name: torch.from_numpy(value) for name, value in parameters.items()}
    x = torch.from_numpy(clip)

    def conv(name, value, **options):
        return torch.nn.functional.conv2d(value, p[f"{name}.weight"], p[f"{name}.bias"], **options)

    slow = conv("slow.0", x[:, :, spread(alpha * count, count)], stride=(1, 2), padding=(0, 1))
    fast = conv("fast.0", x, stride=(1, 2), padding=(1, 1))
    slow = torch.cat([slow, conv("lateral.0", fast, stride=(alpha, 1), padding=(1, 0))], 1)
    expected = torch.cat([path.sum((2, 3), keepdim=True) / path[0, 0].numel() for path in (slow, fast)], 1)
    np.testing.assert_array_equal(layer(parameters, clip), expected.numpy())
    assert layer.output_shape(clip.shape) == tuple(expected.shape)


def test_is_a_layer_that_cannot_be_streamed():
    for layer in (SelectFrames(2), network()):
        assert isinstance(layer, Layer)
        assert layer.timing is None


def test_parameters_carry_the_name_of_their_stage():
    assert sorted(network().parameters()) == [
        f"{name}.{leaf}" for name in ("fast.0", "lateral.0", "slow.0") for leaf in ("bias", "weight")
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SelectFrames(0), "SelectFrames: alpha is in frames and at least 1, got 0"),
        (lambda: SelectFrames(4).output_shape((1, 2, 3)), "at least alpha = 4 frames, got (1, 2, 3)"),
        (
            lambda: Pathways(2, (Identity(),), (Identity(),), (Identity(),)),
            "as many slow stages as fast ones and one lateral connection less, got 1, 1 and 1",
        ),
        (lambda: network().output_shape((1, 3, 4, 8)), "Pathways: slow.0: Conv: axis 1 (C)"),
        (
            lambda: Pathways(2, (Identity(),), (Identity(),), ()).output_shape((1, 2, 4, 8)),
            "may differ in channels (axis 1) only where they meet, got (1, 2, 2, 8) and (1, 2, 4, 8)",
        ),
    ],
)
def test_what_does_not_fit_is_named(build, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared
        build()
    assert message in str(caught.value)


def test_pathways_that_do_not_meet_are_refused_on_clips_too():
    layer = Pathways(2, (Identity(),), (Identity(),), ())
    with pytest.raises(ValueError, match="only where they meet"):
        layer({}, np.random.default_rng(0).standard_normal((1, 2, 4, 3)))
