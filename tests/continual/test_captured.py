"""Streams whose memory stays at fixed addresses: what a CUDA graph of one step would replay, run on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from coequal import continual, verify
from coequal.continual.clip_modules import Residual
from coequal.continual.conversion import convert
from coequal.subjects.adapters import coequal_continual

Tensor = torch.Tensor
Stream = continual.Stream


def encoder(mode: str, window: int | None) -> nn.Module:
    return convert(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).double().eval(), mode=mode, window=window)


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv3d(3, 2, 3, padding=1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "padded": (two_layers, (2, 2, 14, 4, 4)),
    "dilated": (lambda: nn.Conv1d(2, 3, 3, dilation=3, padding=3), (2, 2, 16)),
    "reflected": (lambda: nn.Conv1d(2, 3, 3, padding=4, padding_mode="reflect"), (2, 2, 16)),
    "replicated": (lambda: nn.Conv1d(2, 3, 3, padding=2, padding_mode="replicate"), (2, 2, 16)),
    "sums of outputs": (lambda: nn.Sequential(nn.Conv1d(40, 2, 3, padding=1), nn.Conv1d(2, 2, 3)), (1, 40, 14)),
    "depthwise": (lambda: nn.Conv3d(2, 2, 3, groups=2, padding=1), (1, 2, 12, 4, 4)),
    "depthwise in time": (lambda: nn.Conv3d(2, 2, (4, 1, 1), groups=2), (1, 2, 12, 4, 4)),
    "groups": (lambda: nn.Conv1d(4, 4, 3, groups=2), (2, 4, 12)),
    "mean": (lambda: nn.AvgPool3d((4, 2, 2), (1, 2, 2)), (1, 2, 12, 4, 4)),
    "mean over less": (lambda: nn.AvgPool1d(4, 1, padding=2, ceil_mode=True), (1, 2, 12)),
    "maximum": (lambda: nn.MaxPool1d(3, 1, padding=1, dilation=2), (2, 2, 12)),
    "shortcut": (lambda: Residual(nn.Conv1d(2, 2, 5, padding=2)), (2, 2, 14)),
    "shift": (lambda: nn.Sequential(continual.TemporalShift(2, bidirectional=True), nn.Conv3d(4, 2, 1)), (1, 4, 12, 2, 2)),
}  # fmt: skip


def whole(module: nn.Module) -> nn.Module:
    """With whole numbers for weights, so that every sum is exact."""
    for i, parameter in enumerate(module.parameters()):
        parameter.data = torch.randint(-4, 5, parameter.shape, generator=torch.Generator().manual_seed(i)).double()
    return module.eval()


def frames(shape: tuple[int, ...], time: int = 2, seed: int = 0) -> list[Tensor]:
    clip = 4.0 * torch.randint(-9, 10, shape, generator=torch.Generator().manual_seed(seed)).double()
    return list(clip.unbind(time))


def played(stream: Any, clip: list[Tensor]) -> list[Tensor]:
    """Emissions, and what is owed at the end."""
    return [y for y in map(stream.push, clip) if y is not None] + stream.flush()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_emits_what_the_clip_network_says(name: str) -> None:
    """Also of a second stream, whose memory has the same addresses."""
    make, shape = NETWORKS[name]
    module = convert(whole(make()))
    stream = Stream(module, graph=True)
    for seed in range(2):
        clip = frames(shape, seed=seed)
        with torch.no_grad():
            expected = module(torch.stack(clip, 2)).unbind(2)
        got = played(stream, clip)
        assert len(got) == len(expected)
        assert all(map(torch.equal, got, expected))


@pytest.mark.parametrize("name", ["padded", "depthwise", "sums of outputs", "shortcut"])
def test_a_fork_goes_on_by_itself(name: str) -> None:
    make, shape = NETWORKS[name]
    module = convert(whole(make()))
    clip, other = frames(shape), frames(shape, seed=1)
    stream = Stream(module, graph=True)
    before = [y for y in map(stream.push, clip[:9]) if y is not None]
    fork = stream.fork()
    rest, branch = played(stream, clip[9:]), played(fork, other[9:])
    for got, fed in ((rest, clip), (branch, [*clip[:9], *other[9:]])):
        expected = played(Stream(module), fed)
        assert len(before) + len(got) == len(expected)
        assert all(map(torch.equal, [*before, *got], expected))


def test_its_memory_stays_where_it_is_and_what_it_emitted_stays_what_it_was() -> None:
    make, shape = NETWORKS["padded"]
    stream, clip = Stream(convert(whole(make())), graph=True), frames(shape)
    for frame in clip[:7]:
        stream.push(frame)
    captured = stream._captured
    assert captured is not None

    def addresses() -> list[int]:
        return [x.data_ptr() for x in tree_leaves(captured.state) if isinstance(x, Tensor)]

    at, emitted = addresses(), stream.push(clip[7])
    assert emitted is not None
    copy = emitted.clone()
    stream.push(clip[8])
    assert addresses() == at
    assert torch.equal(emitted, copy)


def test_attention_over_the_last_tokens_is_the_same(within: Any) -> None:
    module, clip = encoder("sliding", 4), [torch.randn(2, 4, dtype=torch.float64) for _ in range(12)]
    with torch.no_grad():
        expected = played(Stream(module), clip)
    got = played(Stream(module, graph=True), clip)
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        within(mine.numpy(), theirs.numpy(), theirs.abs().numpy() + 1, 100)


@pytest.mark.parametrize(("make", "why"), [
    (lambda: convert(nn.Conv1d(2, 2, 3, stride=2)), "Conv1d does not emit one frame for every frame"),
    (lambda: encoder("retroactive", 4), "TransformerEncoderLayer does not emit one frame for every frame"),
    (lambda: encoder("causal", None), "two steps in a row are different programs: aten.*it counts frames in Python"),
    (lambda: continual.RecyclingEncoding(4, 7), "two steps in a row are different programs: aten.add.Tensor"),
])  # fmt: skip
def test_a_step_that_is_another_program_each_time_is_refused(make: Callable[[], Any], why: str) -> None:
    module = make()
    with pytest.raises(ValueError, match=r"Stream\(graph=True\): " + why):
        played(Stream(module, graph=True), [torch.randn(2, 4, dtype=torch.float64)] * 9)


def test_frames_of_another_size_are_refused() -> None:
    stream = Stream(convert(nn.Conv1d(2, 2, 3)), graph=True)
    for _ in range(5):
        stream.push(torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"a frame \(1, 2\) of torch.float32, in a stream of \(2, 2\)"):
        stream.push(torch.zeros(1, 2))


@pytest.mark.slow
def test_it_is_proved_for_every_length() -> None:
    torch.manual_seed(0)
    module = convert(nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv1d(3, 2, 2)).eval())
    subject = coequal_continual.subject(module, torch.randn(2, 2, 9), stream=lambda: Stream(module, graph=True))
    report = verify(subject, effort="quick", checks=("values", "batch", "fork", "exact"))
    assert (report.headline, report.problems) == ("proved for every length", []), str(report)


class Forgets(continual.Conv1d):
    """A ring that is turned the wrong way once it stays where it is."""

    def of_ring(self, frames: Tensor, places: Tensor, state: Any) -> Tensor:
        return super().of_ring(frames, places.flip(0), state)


def test_a_ring_that_is_turned_the_wrong_way_is_found() -> None:
    module = Forgets(2, 3, 3).eval()
    subject = coequal_continual.subject(module, torch.randn(2, 2, 9), stream=lambda: Stream(module, graph=True))
    assert verify(subject, effort="quick", checks=("values",)).verdict == "different"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_is_a_graph_that_is_replayed() -> None:
    make, shape = NETWORKS["padded"]
    module, clip = convert(whole(make())).cuda(), [frame.cuda() for frame in frames(shape)]
    stream = Stream(module, graph=True)
    with torch.no_grad():
        expected = module(torch.stack(clip, 2)).unbind(2)
    got = [y for y in map(stream.push, clip) if y is not None]
    assert stream._captured is not None
    assert stream._captured.graph is not None
    assert all(map(torch.equal, [*got, *stream.flush()], expected))
