"""The first submodule that differs, by its name; the smallest example that shows it."""

import pytest
import torch
from torch import nn

import coequal
from coequal import verify
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.counterexample.shrink import candidates, shrink
from coequal.equivalence.run.examples import Example
from coequal.subjects.chunks import Plan, plan_of


class Net(nn.Module):
    """Three framewise layers, the middle one in a list."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(3, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)])
        self.head = nn.Linear(4, 2)
        self.wrong = ""

    def forward(self, x):
        return self.head(self.blocks[1](self.blocks[0](self.stem(x))))


@pytest.mark.parametrize("name", ["stem", "blocks.0", "blocks.1", "head"])
def test_the_first_module_that_differs_is_named(name):
    net = Net()
    twin = Net()
    twin.load_state_dict(net.state_dict())
    twin.double()
    with torch.no_grad():
        twin.get_submodule(name).bias += (
            torch.rand(1) * torch.arange(1, 3).repeat(2)[: twin.get_submodule(name).bias.numel()]
        )

    class Stream:
        def __init__(self):
            self.net = twin

        def step(self, frame):
            return self.net(frame)

    subject = coequal.Subject(clip=net, stream=Stream, example=torch.randn(2, 5, 3), time=1, modules=net)
    report = verify(subject, effort="quick", checks=["values"], scale=None, length=3)
    assert report.verdict == "different"
    assert report.counterexample.module == name


@pytest.mark.parametrize("name", ["stem", "blocks.0", "head"])
def test_in_window_mode_too(name):
    net, twin = Net(), Net()
    twin.load_state_dict(net.state_dict())
    twin.double()
    with torch.no_grad():
        twin.get_submodule(name).weight[0] *= 2

    class Stream:
        def __init__(self):
            self.net, self.frames = twin, []

        def step(self, frame):
            self.frames = [*self.frames, self.net(frame)][-3:]
            return torch.stack(self.frames, 1).mean(1) if len(self.frames) == 3 else None

    subject = coequal.Subject(
        clip=lambda x: net(x).mean(1), stream=Stream, example=torch.randn(2, 5, 3), time=1, modules=net, window=3
    )
    report = verify(subject, effort="quick", checks=["values"])
    assert report.verdict == "different"
    assert report.counterexample.module == name


def test_a_difference_outside_of_every_module_is_not_blamed_on_one():
    net = Net()

    class Stream:
        def step(self, frame):
            return net(frame) + 1

    subject = coequal.Subject(clip=net, stream=Stream, example=torch.randn(2, 5, 3), time=1, modules=net)
    assert verify(subject, effort="quick").counterexample.module is None


@pytest.mark.parametrize("needed", [(7, 2), (3, 1), (1, 1)])
def test_shrinking_ends_at_what_is_needed(needed):
    length, rows = needed

    def compare(example):
        return Mismatch("wrong") if example.length >= length and example.batch >= rows else 1

    best, _ = shrink(Example(40, 3, 5, 3.0), compare, Plan(), Mismatch("wrong"))
    assert (best.length, best.batch, best.scale, best.seed) == (length, rows, None, 5)


def test_chunks_are_shrunk_within_the_plan():
    def compare(example):
        return Mismatch("wrong") if any(size >= 4 for size in example.chunks) else 1

    best, _ = shrink(Example(22, 1, 0, None, (8, 8, 2, 4)), compare, plan_of(2), Mismatch("wrong"))
    assert best.chunks == (4,)
    assert best.length == 4


def test_candidates_are_smaller_and_the_smallest_come_first():
    lengths = [c.length for c in candidates(Example(9, 1, 0), Plan())]
    assert lengths == sorted(lengths)
    assert max(lengths) < 9
