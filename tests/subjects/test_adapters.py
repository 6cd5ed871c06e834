"""From a module to a subject: ours, continual-inference's, and what nobody recognises."""

import dataclasses

import pytest
import torch
from torch import nn

import coequal
from coequal import continual, verify
from coequal.continual.to_torch import regular
from coequal.equivalence.run.player import Player
from coequal.subjects.adapters.continual_inference import LibraryStream, Session
from coequal.subjects.inputs import Inputs
from coequal.subjects.outputs import Outputs
from coequal.systems.catalogue import SYSTEMS
from coequal.systems.small import small

co = pytest.importorskip("continual", reason="continual-inference is not installed: pip install 'coequal[demo]'")


def _played(stream, clip):
    return Player(stream, Inputs({"": 2}, {"": 0}), Outputs(time=2)).feed(clip).flush().trace


def test_what_nobody_recognises():
    with pytest.raises(coequal.BadSubject, match=r"no adapter recognises torch\.nn\.modules\.linear\.Linear; adapters: .*"):
        coequal.subject(nn.Linear(2, 2), example=torch.randn(1, 2))


@pytest.mark.parametrize(
    ("thing", "example", "text"),
    [(3, torch.randn(1, 2, 3), "expected a torch.nn.Module, got int"), (nn.ReLU(), None, "needs an example clip, a tensor")],
)
def test_what_is_no_module(thing, example, text):
    with pytest.raises(coequal.BadSubject, match=text):
        coequal.subject(thing, example=example)


def test_an_example_without_a_time_axis():
    with pytest.raises(coequal.BadSubject, match=r"Conv1d takes clips with time axis 2, got an example of shape \(1, 2\)"):
        coequal.subject(co.Conv1d(2, 2, 3), example=torch.randn(1, 2))


OURS = {
    "convolution": (lambda: continual.Conv2d(2, 3, 3, padding=1), (2, 2, 7, 4)),
    "sequence": (lambda: continual.convert(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.AvgPool1d(2))), (2, 2, 9)),
    "recurrent": (lambda: continual.LSTM(2, 3, batch_first=True), (2, 6, 2)),
    "retroactive attention": (
        lambda: continual.RetroactiveMultiheadAttention(4, 2, window=3, batch_first=True),
        (2, 5, 4),
    ),
    "single-output attention": (
        lambda: continual.SingleOutputMultiheadAttention(4, 2, window=3, batch_first=True),
        (2, 5, 4),
    ),
}


@pytest.mark.parametrize("what", OURS)
def test_our_own_modules(what):
    build, shape = OURS[what]
    torch.manual_seed(0)
    report = verify(coequal.subject(build().eval(), example=torch.randn(shape)), effort="quick")
    assert report.verdict == "proved", report
    assert "claimed-timing" not in [finding.name for finding in report.findings]


THEIRS = {
    "leaf": (lambda: co.Conv1d(2, 3, 3, padding=1), (2, 2, 8), None),
    "container": (lambda: co.Sequential(co.Conv1d(2, 3, 3), nn.ReLU(), co.Conv1d(3, 2, 2)), (2, 2, 8), None),
    "converted": (lambda: co.continual(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU())), (2, 2, 8), None),
    "pooled": (lambda: co.AdaptiveAvgPool3d((1, 1, 1), kernel_size=4), (2, 2, 6, 3, 3), 4),
    "recurrent": (lambda: co.GRU(2, 3), (2, 2, 8), None),
    "encoder layer": (
        lambda: co.TransformerEncoder(co.TransformerEncoderLayerFactory(4, 2, 8, 0.0, sequence_len=3), 1),
        (2, 4, 5),
        3,
    ),
}


@pytest.mark.parametrize("what", THEIRS)
def test_modules_of_continual_inference(what):
    build, shape, window = THEIRS[what]
    torch.manual_seed(0)
    subject = coequal.subject(build().eval(), example=torch.randn(shape))
    assert subject.window == window
    report = verify(subject, effort="quick")
    assert report.verdict == "proved", report


def test_two_streams_of_one_module_keep_apart():
    torch.manual_seed(0)
    module = co.Conv1d(2, 3, 3).eval()
    a, b = torch.randn(2, 1, 2, 7)
    first, second = (LibraryStream(module, 2, padded=False) for _ in range(2))
    got = [[], []]
    with torch.no_grad():
        for t in range(7):
            for out, stream, clip in zip(got, (first, second), (a, b), strict=True):
                out.append(stream.step(clip[:, :, t]))
        alone = _played(LibraryStream(module, 2, padded=False), b).frames
    assert all(torch.equal(x, y) for x, y in zip([f for f in got[1] if f is not None], alone, strict=True))


def test_a_stream_that_is_gone_leaves_no_state_behind():
    module = co.Conv1d(2, 3, 3).eval()
    stream = LibraryStream(module, 2, padded=False)
    with torch.no_grad():
        stream.step(torch.randn(1, 2))
    assert module.get_state() is not None
    del stream
    assert module.get_state() is None
    assert module not in Session.current


def test_end_padding_is_owed_by_the_flush():
    torch.manual_seed(0)
    module = co.Conv1d(2, 3, 5, padding=2).eval().double()
    x = torch.randn(1, 2, 9, dtype=torch.float64)
    with torch.no_grad():
        trace = _played(LibraryStream(module, 2, padded=True), x)
        want = module(x)
    assert trace.flushed == 2
    assert torch.stack(trace.frames, 2).shape == want.shape


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_recurrent_modules_of_continual_inference_are_proved_for_every_length(kind):
    module = getattr(co, kind)(2, 3)
    report = verify(module, example=torch.randn(2, 2, 5), effort="quick", checks=["values", "exact"])
    assert report.proof["horizon"] == "all", report.proof["state"]


def test_a_network_whose_positions_count_on_is_compared_as_a_whole():
    torch.manual_seed(0)
    layer = SYSTEMS["CoOadTR-b1 [A.Net]"].stream
    reduced, shape = small(dataclasses.replace(SYSTEMS["CoOadTR-b1 [A.Net]"], layer=layer))
    module = continual.convert(regular(reduced).eval())
    report = verify(coequal.subject(module, example=torch.randn(shape)), effort="quick", checks=["values", "exact"])
    assert report.verdict in ("proved", "tested"), report
