"""`convert`: the same parameters, nothing changed, and a clear word about what cannot be streamed."""

import copy
import pickle

import pytest
import torch
from torch import nn

from coequal.continual import clip_modules as plain
from coequal.continual.conversion import How, NotStreamable, convert, register, twin
from coequal.continual.framewise import Framewise
from coequal.continual.module import Continual, Stream


def network():
    return nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm3d(4),
        nn.ReLU(inplace=True),
        plain.Residual(nn.Sequential(nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0)), nn.Dropout(0.5), nn.SiLU())),
        nn.AvgPool3d((2, 2, 2), (1, 2, 2)),
    ).eval()


def test_the_very_same_parameters_and_nothing_changed():
    original = network()
    before = {name: (id(module), type(module)) for name, module in original.named_modules()}
    converted = convert(original)
    assert {n: (id(m), type(m)) for n, m in original.named_modules()} == before
    assert [id(p) for p in converted.parameters()] == [id(p) for p in original.parameters()]
    assert [id(b) for b in converted.buffers()] == [id(b) for b in original.buffers()]
    assert converted.state_dict().keys() == original.state_dict().keys()
    assert isinstance(converted, Continual)
    assert all(isinstance(a, type(b)) for a, b in zip(converted.modules(), original.modules(), strict=True))


def test_dtype_and_mode_are_kept():
    original = network().to(torch.bfloat16)
    converted = convert(original)
    assert {p.dtype for p in converted.parameters()} == {torch.bfloat16}
    assert not converted.training
    assert convert(nn.Conv1d(1, 1, 1).train()).training


def test_copies_compute_the_same():
    converted, frames = convert(network()), torch.randn(9, 2, 2, 4, 4)
    with torch.no_grad():
        outputs = []
        for module in (converted, copy.deepcopy(converted), pickle.loads(pickle.dumps(converted))):
            stream = Stream(module)
            outputs.append([f for f in map(stream.push, frames) if f is not None] + stream.flush())
    assert all(torch.equal(a, b) for other in outputs[1:] for a, b in zip(outputs[0], other, strict=True))


def test_clip_mode_is_the_original(within):
    original, clip = network(), torch.randn(2, 2, 9, 4, 4)
    with torch.no_grad():
        assert torch.equal(convert(original)(clip), original(clip))


REFUSED = [
    (nn.GroupNorm(1, 2), "GroupNorm cannot be streamed: its mean and variance are those of the whole clip; use batch norm"),
    (nn.InstanceNorm1d(2), "InstanceNorm1d cannot be streamed: its statistics are those of the whole clip; track running"),
    (nn.BatchNorm1d(2), "in train mode its statistics are those of the whole batch and clip; call .eval() first"),
    (nn.Dropout(0.1), "in train mode its output is random; call .eval() first"),
    (nn.RReLU(), "in train mode its output is random; call .eval() first"),
    (nn.Softmax(2), "softmax over time needs the whole clip; take it over another axis"),
    (nn.Softmax(-1), "dim -1 may be time; count the axis from the start of the clip: 1 for channels"),
    (nn.LogSoftmax(None), "dim None may be time"),
    (nn.LSTM(2, 2, bidirectional=True), "the backward direction starts at the end of the clip; use one direction"),
    (nn.GRU(2, 2, 2, dropout=0.5), "dropout between its layers is random in train mode; call .eval() first"),
    (
        nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"),
        "circular padding in time shows the end of a clip at its start",
    ),
    (nn.AdaptiveAvgPool2d(1), "its mean or maximum is that of the whole clip; give a window"),
    (plain.GlobalPool("mean"), "it needs the whole clip; give a window"),
    (plain.SqueezeExcite(4, 2, "clip"), "its gates come from the whole clip; give a window"),
    (nn.MultiheadAttention(4, 2, batch_first=True), "every token attends to the whole clip; give a window"),
    (nn.MultiheadAttention(4, 2), "tokens must be (B, T, E); build it with batch_first=True"),
    (nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True), "dropout is random in train mode; call .eval() first"),
    (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), "dropout is random in train mode; call .eval() first"),
    (nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), "every token attends to the whole clip; give a window"),
    (nn.TransformerEncoderLayer(4, 2, 8, 0.0), "tokens must be (B, T, E); build it with batch_first=True"),
    (plain.SelectFrames(2), "its slow frames are spread over the whole clip, others in every window; take every alpha-th"),
    (plain.Pathways(2, [nn.Identity()], [nn.Identity()], []), "its slow frames are spread over the whole clip"),
    (plain.AppendToken(2), "it stands at the end of the clip, and starts anew for every window; read the newest token"),
    (plain.PrependToken(2), "it comes first, and sees the whole clip, for every window anew; read the newest token"),
    (plain.FirstToken(), "it stands for the whole clip; read the newest token"),
    (plain.Tokens(nn.Identity(), "all"), "every token sees all frames of the clip; let it see frames before"),
    (plain.Tokens(nn.Dropout(0.5), "space"), "in train mode its output is random; call .eval() first"),
    (plain.Tokens(nn.Dropout(0.5), "time"), "inner (Dropout) cannot be streamed: in train mode its output is random"),
    (plain.QKVAttention(4, 2), "every token attends to all tokens of the clip; use mode 'causal'"),
    (nn.Flatten(), "Flatten cannot be streamed: it is of a class without a converter; register one with coequal.continual"),
    (
        plain.Parallel(nn.Conv1d(1, 1, 1, stride=2), nn.Conv1d(1, 1, 1)),
        "its branches have different strides in time, {'0': 2, '1': 1}; make them the same",
    ),
]


@pytest.mark.parametrize(("module", "message"), REFUSED, ids=[type(m).__name__ + str(i) for i, (m, _) in enumerate(REFUSED)])
def test_what_cannot_be_streamed_is_refused(module, message):
    with pytest.raises(NotStreamable) as caught:
        convert(module)
    assert message in str(caught.value)


def test_the_path_of_the_layer_is_named():
    net = nn.Sequential(nn.Conv1d(1, 1, 1), plain.Residual(nn.Sequential(nn.ReLU(), nn.GroupNorm(1, 1))))
    with pytest.raises(NotStreamable) as caught:
        convert(net)
    assert str(caught.value).startswith("1.main.1 (GroupNorm) cannot be streamed: ")
    assert (caught.value.path, caught.value.remedy) == ("1.main.1", "use batch norm, or normalise each frame by itself")


def test_layouts_that_do_not_fit():
    with pytest.raises(NotStreamable, match=r"layers must agree on the time axis, got \[1, 2\]"):
        convert(nn.Sequential(nn.Conv1d(2, 2, 1), nn.LSTM(2, 2, batch_first=True)))


def test_a_window_makes_them_streamable():
    assert convert(plain.SqueezeExcite(4, 2, "clip"), window=3).timing.receptive_field == 3
    assert convert(plain.GlobalPool("max"), window=3).timing.receptive_field == 3
    assert convert(nn.MultiheadAttention(4, 2, batch_first=True), window=3).emits == "window"
    causal = convert(nn.MultiheadAttention(4, 2, batch_first=True), mode="causal")
    assert causal.emits == "frames"
    layer = nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True)
    assert convert(nn.TransformerEncoder(layer, 2), window=3, mode="single").window == 3
    net = convert(nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2, batch_first=True)), window=3)
    assert (net.window, net.emits) == (3, "window")


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


class ContinualDoubled(Framewise, Doubled):
    time = None


def test_register_adds_a_class_of_ones_own():
    register(Doubled)(lambda module, how: twin(module, ContinualDoubled))
    module = convert(nn.Sequential(Doubled(), nn.Conv1d(1, 1, 1)))
    frame = torch.randn(1, 1)
    assert torch.equal(Stream(module[0]).push(frame), 2 * frame)


def test_how_builds_paths():
    assert How(3).at("0").at("main") == How(3, None, "0.main")
