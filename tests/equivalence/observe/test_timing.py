"""What is measured by perturbation against what the timing algebra says."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from coequal import continual
from coequal.equivalence.compare.floats import Floats
from coequal.equivalence.observe.timing import measure, short_clip
from coequal.equivalence.run.session import Session
from coequal.subjects.adapters.find import subject_of
from coequal.subjects.subject import Claim, Subject


def measured(subject):
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        return measure(session)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.data())
def test_a_convolution_is_measured_as_its_timing_says(kernel, stride, dilation, data):
    reach = dilation * (kernel - 1) + 1
    padding = data.draw(st.integers(0, reach - 1))
    torch.manual_seed(kernel)
    module = continual.Conv1d(2, 2, kernel, stride, padding, dilation)
    found = measured(subject_of(module, torch.randn(1, 2, 12)))
    # between the taps of a dilated kernel lie frames that no output of it sees when the stride steps over them
    assert found.stride == module.timing.stride
    assert found.delay == module.timing.delay
    if stride == 1 and dilation == 1:
        assert found.receptive_field == module.timing.receptive_field


def test_recurrence_has_no_bound():
    found = measured(subject_of(continual.GRU(2, 3, batch_first=True), torch.randn(1, 6, 2)))
    assert found.receptive_field == math.inf
    assert found.causal


def test_what_looks_ahead_is_not_causal():
    assert measured(subject_of(continual.Conv1d(2, 2, 3, padding=1), torch.randn(1, 2, 8))).causal is False


def test_a_window():
    def clip(x):
        return x[:, :, -3:].mean(2)

    class Last:
        def __init__(self):
            self.frames = []

        def step(self, frame):
            self.frames = [*self.frames, frame][-3:]
            return torch.stack(self.frames, 2).mean(2)

    found = measured(Subject(clip=clip, stream=Last, example=torch.randn(1, 2, 9), window=5, emits="last"))
    assert (found.receptive_field, found.stride, found.delay, found.causal) == (3, 1, 4, True)


@pytest.mark.parametrize(("padding", "affected"), [(0, 0), (1, 2)])
def test_padding_makes_the_edges_of_a_short_clip_differ(padding, affected):
    torch.manual_seed(0)
    conv = nn.Conv1d(2, 2, 3, padding=padding)
    session = Session(Subject(clip=conv, stream=lambda: None, example=torch.randn(1, 2, 7)), 0, Floats())
    session = session.knowing(reach=3)
    with session.ready(), torch.no_grad():
        subject_timing = continual.convert(conv).timing
        timing = type(measured(subject_of(continual.convert(conv), torch.randn(1, 2, 7))))(3, 1, subject_timing.delay)
        edge = short_clip(session, timing)
    assert (edge["affected"], edge["length"]) == (affected, 7)
    assert (edge["error"] > 1e-3) is (affected > 0)


@pytest.mark.parametrize(("claimed", "measured"), [(9, 9), (7, math.inf), (None, math.inf)])
def test_an_edge_that_is_next_to_nothing_counts_where_it_is_claimed(claimed, measured):
    """Four convolutions whose last taps are tiny: the influence at the edge is their product, far below rounding."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Conv1d(2, 2, 3, bias=False) for _ in range(4))).double()
    with torch.no_grad():
        for layer in net:
            layer.weight[:, :, 0] *= 1e-4

    class Stream:
        def __init__(self):
            self.frames = []

        def step(self, frame):
            self.frames = [*self.frames, frame][-9:]
            return net(torch.stack(self.frames, 2))[:, :, 0] if len(self.frames) == 9 else None

    subject = Subject(clip=net, stream=Stream, example=torch.randn(1, 2, 16), modules=net, claim=Claim(claimed))
    session = Session(subject, 0, Floats())
    with session.ready(), torch.no_grad():
        assert measure(session).receptive_field == measured
