"""Framewise and recurrent layers, shift, squeeze-and-excite, padding: one frame in, the clip's frame out."""

import pytest
import torch
from torch import nn

from coequal.continual import clip_modules as plain
from coequal.continual import framewise, pad
from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.continual.streaming import Streaming
from coequal.continual.to_torch import regular
from coequal.equivalence.campaigns.agree import agree
from coequal.equivalence.campaigns.contents import Architecture
from coequal.equivalence.campaigns.prove import prove
from coequal.reference import conv, norm, pool
from coequal.reference.attention import MultiheadAttention
from coequal.reference.class_token import FirstToken
from coequal.reference.layer import Layer
from coequal.reference.position import GridEncoding
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.tokens import Tokens

BITWISE = [name for name in framewise.ELEMENTWISE if name not in ("Threshold",)] + ["Identity"]


@pytest.mark.parametrize("name", BITWISE)
def test_activations(name, emitted, same_frames):
    original, clip = getattr(nn, name)().eval(), torch.randn(2, 3, 5, 4, dtype=torch.float64)
    module = convert(original)
    assert type(module).__name__ == name
    # a vectorised kernel may round an element by where it stands: elements of a frame stand as in the clip when contiguous
    frames = emitted(module, clip)
    same_frames(frames, torch.stack([original(frame.clone()) for frame in clip.unbind(2)], 2))
    assert module.timing.delay == 0


@pytest.mark.parametrize(
    "original",
    [
        nn.PReLU(),
        nn.Threshold(0.1, 2.0),
        nn.RReLU().eval(),
        nn.Dropout(0.5).eval(),
        nn.Dropout3d(0.5).eval(),
        nn.Softmax(1),
        nn.LogSoftmax(3),
    ],
    ids=str,
)
def test_others_on_channels(original, emitted, within):
    original, clip = original.double(), torch.randn(2, 3, 5, 4, dtype=torch.float64)
    frames = torch.stack(emitted(convert(original), clip), 2).detach().numpy()
    within(frames, original(clip).detach().numpy(), 1 + clip.abs().numpy() + 12, 12)


@pytest.mark.parametrize(
    "original", [nn.BatchNorm3d(3), nn.InstanceNorm3d(3, affine=True, track_running_stats=True)], ids=str
)
def test_norms_with_running_statistics(original, emitted, within):
    original = original.double().eval()
    original.running_mean.normal_()
    original.running_var.uniform_(0.5, 2)
    clip = torch.randn(2, 3, 5, 4, 4, dtype=torch.float64)
    frames = torch.stack(emitted(convert(original), clip), 2).detach().numpy()
    within(
        frames, original(clip).detach().numpy(), 2 * (clip.abs().numpy() + original.running_mean.abs().max().item()) + 1, 8
    )


@pytest.mark.parametrize("original", [nn.LayerNorm(4), nn.Linear(4, 3), nn.RMSNorm(4, 1e-5)], ids=str)
def test_tokens(original, emitted, within, error_bound):
    original, clip = original.double(), torch.randn(2, 5, 4, dtype=torch.float64)
    frames = torch.stack(emitted(convert(original), clip, 1), 1).detach().numpy()
    layer = {"LayerNorm": norm.LayerNorm(4), "RMSNorm": norm.RMSNorm(4, 1e-5)}.get(type(original).__name__)
    if layer is None:
        from coequal.reference.linear import Linear

        layer = Linear(4, 3)
    parameters = {name: value.numpy() for name, value in original.state_dict().items()}
    within(frames, original(clip).detach().numpy(), error_bound(layer, parameters, clip.numpy()), 4)


def test_embedding(emitted, same_frames):
    original, tokens = nn.Embedding(7, 3), torch.randint(0, 7, (2, 6))
    with torch.no_grad():
        stream = Stream(convert(original))
        same_frames([stream.push(token) for token in tokens.unbind(1)], original(tokens), 1)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_recurrent(kind, batch_first, emitted, within):
    original = getattr(nn, kind)(3, 4, 2, batch_first=batch_first).double()
    clip, time = torch.randn(2, 6, 3, dtype=torch.float64), 1 if batch_first else 0
    clip = clip if batch_first else clip.transpose(0, 1)
    module = convert(original)
    assert module.time == time
    wanted = original(clip)[0].detach().numpy()
    assert (module(clip).detach().numpy() == wanted).all()
    frames = torch.stack(emitted(module, clip, time), time).detach().numpy()
    within(frames, wanted, 1.0 + abs(wanted), 2 * 6 * (3 + 4 + 16))  # every gate is at most 1: errors add up over the steps


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_shift(bidirectional, length, emitted, same_frames):
    original, clip = plain.TemporalShift(4, bidirectional), torch.randn(2, 8, length, 3)
    same_frames(emitted(convert(original), clip), original(clip))
    assert convert(original).timing.delay == bidirectional


@pytest.mark.parametrize("original", [plain.ZeroChannels(4, 6), plain.SelectChannels(1, 3), plain.FrameDifference(2)])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_channels_and_differences(original, length, emitted, same_frames):
    clip = torch.randn(2, 4, length, 3)
    same_frames(emitted(convert(original), clip), original(clip))
    stream = Stream(convert(original))
    frames = [frame for step in clip.unbind(2) for frame in [stream.push(step)] if frame is not None]
    same_frames([*frames, *stream.flush()], original(clip))


@pytest.mark.parametrize(("scope", "window"), [("frame", None), ("window", 1), ("window", 3)])
def test_squeeze_excite(scope, window, emitted, within, error_bound):
    from coequal.reference.squeeze_excite import SqueezeExcite

    original = plain.SqueezeExcite(4, 2, scope, window).double()
    clip = torch.randn(2, 4, 6, 3, dtype=torch.float64)
    parameters = {name: value.numpy() for name, value in original.state_dict().items()}
    bound = error_bound(SqueezeExcite(4, 2, scope, window), parameters, clip.numpy())
    frames = torch.stack(emitted(convert(original), clip), 2).detach().numpy()
    within(frames, original(clip).detach().numpy(), bound, 16)


def test_padding_by_itself_holds_what_is_too_much(emitted, same_frames):
    for original in (
        nn.ZeroPad1d((3, 2)),
        nn.ConstantPad1d((0, 1), 2.5),
        nn.ReplicationPad1d((2, 2)),
        nn.ReflectionPad1d((2, 1)),
        nn.ReflectionPad1d((0, 2)),
    ):
        clip = torch.randn(1, 2, 5)
        module = convert(original)
        same_frames(emitted(module, clip), original(clip))
        assert module.timing.pad_start == original.padding[0]
    assert emitted(convert(nn.ReflectionPad1d((2, 1))), clip[:, :, :2]) == []
    assert emitted(convert(nn.ZeroPad1d(1)), clip[:, :, :0]) == []


def test_padding_in_space(emitted, same_frames):
    clip = torch.randn(1, 2, 4, 3, 3)
    for original in (nn.ConstantPad3d((1, 0, 2, 1, 1, 1), 0.5), nn.ReplicationPad3d(1), nn.ZeroPad3d((1, 1, 0, 0, 0, 0))):
        same_frames(emitted(convert(original), clip), original(clip))
    assert sorted(pad.PADS) == sorted(f"{kind}{rank}d" for kind in pad.MODES for rank in (1, 2, 3))


def test_in_place_layers_leave_the_callers_frame_alone():
    frame = torch.tensor([[-1.0, 2.0]])
    Stream(convert(nn.ReLU(inplace=True))).push(frame)
    assert frame.tolist() == [[-1.0, 2.0]]


def test_a_stream_that_saw_nothing_owes_nothing():
    assert Stream(convert(nn.Conv1d(1, 1, 3, padding=1))).flush() == []
    stream = Stream(convert(nn.Conv1d(1, 1, 3, padding=1)))
    stream.push(torch.zeros(1, 1))
    stream.reset()
    assert stream.flush() == []


def test_the_mixin_asks_for_a_push():
    with pytest.raises(NotImplementedError):
        Streaming().push(None, None)


def test_regular_refuses_what_torch_has_not():
    class Unknown:
        pass

    with pytest.raises(TypeError, match="no torch twin of Unknown is known"):
        regular(Unknown())
    with pytest.raises(TypeError, match=r"torch.nn.AvgPool1d has no divisor_override"):
        regular(pool.AvgPool((2,), divisor_override=3))
    from coequal.reference.attention import MultiheadAttention

    with pytest.raises(TypeError, match="self-attention of a clip has kdim = vdim = embed_dim"):
        regular(MultiheadAttention(4, 2, kdim=3))


TWINS: list[Layer] = [
    norm.GroupNorm(2, 4),
    norm.InstanceNorm(4),
    pool.AdaptiveAvgPool((2, None)),
    pool.AdaptiveMaxPool((1, 3)),
]


@pytest.mark.parametrize("layer", [*TWINS, conv.Conv(4, 4, (3,), padding=1, padding_mode="circular")], ids=str)
def test_layers_that_have_a_regular_twin_but_no_stream(layer, within, error_bound):
    import numpy as np

    clip = np.random.default_rng(1).normal(size=(2, 4, 5, 4)[: 3 if isinstance(layer, conv.Conv) else 4])
    module = regular(layer).double().eval()
    parameters = {name: value.numpy() for name, value in module.state_dict().items()}
    wanted = layer(parameters, clip)
    bound = np.abs(clip).max() * 20 if isinstance(layer, (conv.Conv,)) else error_bound(layer, parameters, clip)
    bound = np.maximum(bound, np.abs(wanted))
    within(module(torch.as_tensor(clip)).detach().numpy(), wanted, bound, 20)


def test_circular_padding_has_a_regular_twin():
    from coequal.reference.pad import Pad

    layer, clip = Pad(((1, 2),), "circular"), torch.randn(1, 2, 5, dtype=torch.float64)
    assert (regular(layer)(clip).numpy() == layer({}, clip.numpy())).all()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (QKVAttention(4, 2, "causal"), (2, 7, 12)),
        (Tokens(QKVAttention(4, 2), "space"), (2, 12, 5, 2, 2)),
        (Tokens(QKVAttention(4, 2, "causal"), "time"), (2, 12, 5, 2, 2)),
        (Tokens(MultiheadAttention(4, 2, mode="single", window=3), "time"), (1, 4, 6, 2)),
        (GridEncoding(4, 2, 6, recycled=True), (1, 4, 5, 2, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tokens_of_a_frame_stream(layer, shape):
    """Reference, torch and stream; over a field, too."""
    assert prove(Architecture(layer, shape), seed=3).wrong < 1e-9
    agree(Architecture(layer, shape), seed=3)


def test_a_grid_ends_with_its_table():
    stream = Stream(regular(GridEncoding(4, 2, 6)))
    for _ in range(2):
        stream.push(torch.zeros(1, 4, 3))
    with pytest.raises(ValueError, match=r"frame 2 \(counted from 0\) is beyond the table of 2 frames; start a new stream"):
        stream.push(torch.zeros(1, 4, 3))


def test_the_first_token_of_a_frame_is_never_the_callers_own():
    frame = torch.randn(1, 4, 5, dtype=torch.float64)
    due = Stream(convert(regular(Tokens(FirstToken(), "space")))).push(frame)
    before = due[0].clone()
    frame.zero_()
    assert torch.equal(due[0], before)
