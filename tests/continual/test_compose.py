"""Containers a frame at a time: branches of different delays and strides, layers after layers, bitwise the clip's."""

import pytest
import torch
from torch import nn

from coequal.continual import clip_modules as plain
from coequal.continual.conversion import convert
from coequal.continual.module import Stream
from coequal.reference.timing import Timing

NETWORKS = {
    "strided after strided": nn.Sequential(nn.Conv1d(2, 3, 3, 2, 1), nn.Conv1d(3, 2, 3, 2, 1), nn.Conv1d(2, 2, 1, 2)),
    "residual, unequal delays": plain.Residual(nn.Conv1d(2, 2, 5, padding=2), nn.Conv1d(2, 2, 3, padding=1)),
    "residual, strided": plain.Residual(nn.Conv1d(2, 3, 3, 2, 1), nn.Conv1d(2, 3, 1, 2)),
    "residual after strided": nn.Sequential(nn.Conv1d(2, 2, 3, 2, 1), plain.Residual(nn.Conv1d(2, 2, 3, padding=1))),
    "product": plain.Parallel(nn.Conv1d(2, 2, 3, padding=1), nn.Conv1d(2, 2, 1), reduce="product"),
    "concatenate": plain.Parallel(nn.Conv1d(2, 1, 3, padding=1), nn.Identity(), nn.MaxPool1d(3, 1, 1), reduce="concatenate"),
    "nested": plain.Residual(nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), plain.Residual(nn.Conv1d(2, 2, 5, padding=2)))),
    "causal": nn.Sequential(
        nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(2, 2, 3), nn.ReLU(), nn.ZeroPad1d((4, 0)), nn.Conv1d(2, 2, 3, dilation=2)
    ),
    "zeros before a maximum": nn.Sequential(nn.ConstantPad1d((1, 1), 0.0), nn.MaxPool1d(3, 1)),
    "replicated": nn.Sequential(nn.ReplicationPad1d((3, 1)), nn.Conv1d(2, 2, 3)),
    "reflected": nn.Sequential(nn.ReflectionPad1d((2, 1)), nn.Conv1d(2, 2, 3), nn.Conv1d(2, 2, 2)),
    "in place": nn.Sequential(nn.ReLU(inplace=True), plain.Residual(nn.ReLU(inplace=True))),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 15, 16])
@pytest.mark.parametrize("recording", [False, True])
def test_bitwise_the_clip(name, length, recording, emitted, same_frames, small_integers):
    original = small_integers(NETWORKS[name].eval(), 4)
    clip = torch.randint(-4, 5, (2, 2, length), generator=torch.Generator().manual_seed(length)).double()
    with torch.set_grad_enabled(recording):
        try:
            wanted = original(clip.clone())
        except RuntimeError:
            return  # torch refuses a clip this short
        same_frames(emitted(convert(original), clip), wanted)


def test_a_causal_network_has_no_delay():
    module = convert(NETWORKS["causal"])
    assert module.timing == Timing(7, 1, 6, 0)
    stream = Stream(module.double())
    assert all(stream.push(torch.ones(1, 2, dtype=torch.float64)) is not None for _ in range(3))


def test_zeros_before_a_convolution_are_not_multiplied(multiply_adds):
    module = convert(nn.Sequential(nn.ZeroPad1d((2, 0)), nn.Conv1d(4, 4, 3)))
    stream, counts = Stream(module), []
    with torch.no_grad(), multiply_adds:
        for frame in torch.randn(4, 1, 4):
            before = multiply_adds.count
            stream.push(frame)
            counts.append((multiply_adds.count - before) // 16)
    assert counts == [1, 2, 3, 3]


def test_timing_composes():
    assert convert(NETWORKS["strided after strided"]).timing == Timing(7, 8, 3, 3)
    assert convert(NETWORKS["residual, unequal delays"]).timing.delay == 2
    assert convert(nn.Sequential(nn.ReLU())).time is None


def test_rows_do_not_mix(emitted, small_integers):
    module = convert(small_integers(NETWORKS["nested"], 1))
    clip = torch.randint(-4, 5, (3, 2, 9)).double()
    with torch.no_grad():
        together, alone = emitted(module, clip), emitted(module, clip[1:2])
    assert all(torch.equal(a[1:2], b) for a, b in zip(together, alone, strict=True))


def test_a_reduction_that_is_none():
    with pytest.raises(ValueError, match="Parallel: reduce is one of 'sum', 'product', 'concatenate', 'affine', got 'mean'"):
        plain.Parallel(nn.Identity(), reduce="mean")


def test_gradients(emitted, small_integers):
    original = small_integers(NETWORKS["residual, unequal delays"], 2)
    clip = torch.randint(-3, 4, (1, 2, 7)).double().requires_grad_()
    wanted = torch.autograd.grad(original(clip).square().sum(), [clip, *original.parameters()])
    got = torch.autograd.grad(
        torch.stack(emitted(convert(original), clip), 2).square().sum(), [clip, *original.parameters()]
    )
    assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))
