"""Pooling a frame at a time: bitwise the clip's, where means are exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coequal.continual import adaptive_pool, pool
from coequal.continual.conversion import NotStreamable, convert
from coequal.reference.timing import Timing

MULTIPLE = 5040.0**2  # of every divisor of the windows drawn here


@st.composite
def pools(draw):
    """A pooling layer of any rank with all its options."""
    rank = draw(st.integers(1, 3))
    axis = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    kernel, stride = axis(1, 4), axis(1, 3)
    padding, ceil = tuple(draw(st.integers(0, k // 2)) for k in kernel), draw(st.booleans())
    if draw(st.booleans()):
        return getattr(pool, f"MaxPool{rank}d")(kernel, stride, padding, axis(1, 2), ceil_mode=ceil)
    divisor = {} if rank == 1 else {"divisor_override": draw(st.sampled_from([None, 3]))}
    return getattr(pool, f"AvgPool{rank}d")(kernel, stride, padding, ceil, draw(st.booleans()), **divisor)


@given(module=pools(), length=st.integers(1, 9), seed=st.integers(0, 2**31))
@settings(max_examples=300)
def test_bitwise_the_clip(module, length, seed, emitted, same_frames):
    generator = torch.Generator().manual_seed(seed)
    clip = torch.randint(-9, 0, (2, 2, length, *[7] * (module.rank - 1)), generator=generator).double() * MULTIPLE
    try:
        wanted = module(clip)
    except RuntimeError:
        return  # torch refuses a clip this short
    same_frames(emitted(module, clip), wanted)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("size", [1, None])
def test_adaptive(rank, kind, size, emitted, same_frames):
    shape = (size, *[2, None][: rank - 1]) if rank > 1 else size
    if rank == 1 and size is None:
        pytest.skip("torch's 1-D form does not take None")
    original = getattr(torch.nn, f"Adaptive{kind}Pool{rank}d")(shape)
    module = convert(original, window=4)
    clip = torch.randint(-9, 10, (2, 3, 9, *[4] * (rank - 1))).double() * MULTIPLE
    same_frames(emitted(module, clip), module(clip))
    assert isinstance(module, getattr(adaptive_pool, f"Adaptive{kind}Pool{rank}d"))
    if size == 1:
        assert module.timing == Timing(4)
        assert torch.equal(module(clip[:, :, :4]), original(clip[:, :, :4]))
        with pytest.raises(ValueError, match="a clip of 3 frames is shorter than the window 4"):
            module(clip[:, :, :3])
    else:
        assert module.timing == Timing()
        assert torch.equal(module(clip), original(clip))


def test_what_needs_the_whole_clip_is_refused():
    with pytest.raises(NotStreamable, match=r"give a window: convert\(module, window=N\)"):
        convert(torch.nn.AdaptiveAvgPool3d(1))
    with pytest.raises(NotStreamable, match="it makes 2 frames of any clip; use output size 1 in time, or None"):
        convert(torch.nn.AdaptiveMaxPool1d(2), window=3)
    with pytest.raises(NotStreamable, match="indices count elements of the whole clip; leave return_indices out"):
        convert(torch.nn.MaxPool1d(2, return_indices=True))


def test_a_window_wholly_in_the_padding(emitted, same_frames):
    module = pool.MaxPool1d(2, 1, 1, dilation=3)
    clip = torch.tensor([[[5.0, -2.0]]])
    same_frames(emitted(module, clip), module(clip))
    with pytest.raises(AssertionError, match="a window without a frame"):
        pool.AvgPool1d(2).nothing({})


def test_a_long_mean_does_not_drift(emitted):
    """One huge frame leaves nothing behind once it has left the window."""
    clip = torch.randn(1, 1, 300)
    clip[0, 0, 50] = 1e8
    module = pool.AvgPool1d(20, 1)
    wanted = module(clip.double())[:, :, 60:]
    got = torch.stack(emitted(module, clip), 2)[:, :, 60:].double()
    assert float((got - wanted).abs().max()) <= 2 * 20 * 2**-24 * float(clip[:, :, 60:].abs().max())
