"""Counters that run, or are asked, only where the induction never does: nothing is then said of every length."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import coequal
from coequal.equivalence.prove.conditions import covering

LATE = 2000


def clip(x):
    return 2 * x + nn.functional.pad(x, (1, 0))[..., :-1]


class Stream:
    """The clip's; what a subclass counts may make it wrong."""

    def __init__(self):
        self.prev, self.n = torch.zeros(()), 0

    def step(self, x):
        y = 2 * x + self.prev
        self.prev = x.detach().clone()
        return y + x if self.late(x) else y

    def late(self, x):
        return False


def verified(kind, *checks):
    subject = coequal.Subject(clip=clip, stream=kind, example=torch.randn(2, 3, 8))
    return coequal.verify(subject, checks=["values", "exact", *checks], effort="quick")


CONDITIONS = {
    "gradients": lambda x: torch.is_grad_enabled(),
    "own format": lambda x: x.dtype == torch.float32,
    "size of a number": lambda x: x.element_size() == 4,
    "no memory of its own": lambda x: not x.is_contiguous(),
    "a view": lambda x: x._is_view(),
    "an offset": lambda x: x.storage_offset() > 0,
    "one row": lambda x: x.shape[0] == 1,
    "three rows": lambda x: x.shape[0] == 3,
    "six rows": lambda x: len(x) == 6,
    "gradients of frames": lambda x: x.requires_grad,
    "inference mode": lambda x: torch.is_inference_mode_enabled(),
    "autocast": lambda x: torch.is_autocast_enabled(x.device.type),
    "gradients and a view": lambda x: torch.is_grad_enabled() and x._is_view(),
    "no gradients and one row": lambda x: x.shape[0] == 1 and not torch.is_grad_enabled(),
    "inference mode and a view": lambda x: torch.is_inference_mode_enabled() and x._is_view(),
    "autocast and three rows": lambda x: torch.is_autocast_enabled(x.device.type) and x.shape[0] == 3,
    "own format and gradients of frames": lambda x: x.dtype == torch.float32 and x.requires_grad,
    "double precision and one row": lambda x: x.dtype == torch.float64 and x.shape[0] == 1,
    "one row of its own memory": lambda x: x.shape[0] == 1 and not x._is_view(),
    "autocast and gradients": lambda x: torch.is_autocast_enabled(x.device.type) and torch.is_grad_enabled(),
    "inference mode and three rows": lambda x: torch.is_inference_mode_enabled() and len(x) == 3,
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=list(CONDITIONS))
def test_a_number_that_counts_under_a_condition(condition):
    class Counts(Stream):
        def late(self, x):
            self.n += bool(condition(x))
            return self.n > LATE

    report = verified(Counts)
    assert (report.verdict, report.horizon) == ("proved", 19)
    assert "stream.n goes on changing" in report.proof["state"]


@pytest.mark.parametrize("condition", list(CONDITIONS.values())[::4], ids=list(CONDITIONS)[::4])
def test_a_number_that_is_asked_under_a_condition(condition):
    class Asks(Stream):
        def late(self, x):
            self.n += 1
            return condition(x) and self.n > LATE

    report = verified(Asks)
    assert (report.verdict, report.horizon) == ("proved", 19)
    assert f"compares its frame number with {LATE}" in report.proof["state"]


class Chunked(Stream):
    """The same, in chunks of any size."""

    def chunk(self, x):
        self.seen(x.shape[2])
        y = 2 * x + torch.cat([self.prev.expand(x[:, :, 0].shape)[:, :, None], x[:, :, :-1]], 2)
        self.prev = x[:, :, -1].detach().clone()
        return y + x if self.n > LATE else y

    def seen(self, size):
        """Of what the sizes of chunks are."""


def test_a_number_that_counts_large_chunks_alone():
    class Counts(Chunked):
        def seen(self, size):
            self.n += size >= 13

    report = verified(Counts)
    assert (report.verdict, report.horizon) == ("proved", 19)
    assert report.proof["state"].startswith("with chunks of many sizes: stream.n goes on changing")


def test_a_ring_that_is_filled_in_chunks_is_no_counter():
    class Rings(Chunked):
        def __init__(self):
            super().__init__()
            self.at = 0

        def seen(self, size):
            self.at = (self.at + size) % 7

        def step(self, x):
            return self.chunk(x[:, :, None])[:, :, 0]

    assert verified(Rings).horizon == "all"


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_any_two_values_meet_in_a_covering(kinds):
    found, values = covering(tuple(kinds)), [range(n) for n in kinds]
    for i, j in itertools.combinations(range(len(kinds)), 2):
        met = {(choice[i], choice[j]) for choice in found} | {(0, 0)}
        assert met == set(itertools.product(values[i], values[j]))
    assert len(found) <= 2 * math.prod(sorted(kinds)[-2:])


def test_where_autocast_raises_what_meets_it_is_looked_at_without():
    class Counts(Stream):
        def late(self, x):
            if torch.is_autocast_enabled(x.device.type):
                raise TypeError("no such format")
            self.n += x.shape[0] == 1 and torch.is_grad_enabled()
            return self.n > LATE

    assert verified(Counts).horizon == 19


@pytest.mark.parametrize("more", [1, 0.5], ids=["whole", "half"])
def test_a_tensor_that_counts_under_a_condition(more):
    class Counts(Stream):
        def __init__(self):
            super().__init__()
            self.count = torch.zeros((), dtype=torch.int64 if more == 1 else torch.float64)

        def late(self, x):
            if torch.is_grad_enabled():
                self.count += more
            return bool(self.count > LATE)

    report = verified(Counts)
    assert report.horizon != "all", report.proof


def test_a_list_that_grows_under_a_condition():
    class Counts(Stream):
        def __init__(self):
            super().__init__()
            self.seen = []

        def late(self, x):
            if x.dtype == torch.float32:
                self.seen.append(None)
            return len(self.seen) > LATE

    assert verified(Counts).horizon != "all"


def test_what_is_remembered_in_another_form_under_a_condition_is_no_counter():
    class Ring(Stream):
        """With gradients a list, whose order is that of time; without them a tensor, and the place of the newest."""

        def __init__(self):
            super().__init__()
            self.ring, self.at, self.frames = None, 0, []

        def step(self, x):
            if torch.is_grad_enabled():
                self.frames = [*self.frames[-1:], x]
                return 2 * x + self.frames[0] if len(self.frames) == 2 else 2 * x
            if self.ring is None:
                self.ring = torch.zeros(2, *x.shape, dtype=x.dtype)
            self.ring[self.at] = x
            self.at = (self.at + 1) % 2
            return 2 * x + self.ring[self.at]

    report = verified(Ring)
    assert (report.verdict, report.horizon) == ("proved", "all"), report.proof


def test_a_stream_that_raises_in_inference_mode_is_no_other_function():
    """A derivative inside of its step: torch refuses it there, aloud."""

    class Derives:
        def step(self, x):
            with torch.enable_grad():
                z = x.detach().clone().requires_grad_(True)
                return torch.autograd.grad((z**3).sum(), z)[0]

    report = coequal.verify(
        coequal.Subject(clip=lambda x: 3 * x**2, stream=Derives, example=torch.randn(2, 3, 8)), effort="quick"
    )
    assert report.verdict != "different"


class OnTensors(Stream):
    def __init__(self):
        super().__init__()
        self.t, self.m = torch.zeros(1), nn.Identity()
        self.owner().counted_here = 0

    def owner(self):
        return self.t.__class__

    def late(self, x):
        self.owner().counted_here += 1
        return self.owner().counted_here > LATE


class OnModules(OnTensors):
    def owner(self):
        return type(self.m)


class OnABase(OnTensors):
    def owner(self):
        return type(self.m).__mro__[1]


class OnStorages(OnTensors):
    def owner(self):
        return self.t.untyped_storage()


@pytest.fixture
def _detached():
    yield
    for kind in (torch.Tensor, nn.Identity, nn.Module):
        if "counted_here" in vars(kind):
            del kind.counted_here


@pytest.mark.usefixtures("_detached")
@pytest.mark.parametrize("kind", [OnTensors, OnModules, OnABase, OnStorages], ids=lambda kind: kind.__name__)
def test_a_number_on_what_a_library_made(kind):
    assert verified(kind).horizon != "all"


class Rarely(Stream):
    """What it holds is zero most of the time, as behind a relu, whatever the frames were before."""

    def step(self, x):
        y = x + 0 * self.prev
        self.prev = nn.functional.relu(x.detach() - 1.5)
        return y


def test_zeros_that_two_streams_hold_by_accident_are_none_of_time():
    subject = coequal.Subject(clip=lambda x: x + 0 * x, stream=Rarely, example=torch.randn(1, 1, 8))
    assert coequal.verify(subject, checks=["exact"], effort="quick").horizon == "all"


def test_a_number_that_changes_with_time_where_it_is_not_watched_is_seen():
    class Counts(Rarely):
        def __init__(self):
            super().__init__()
            self.many = torch.zeros(())

        def late(self, x):
            self.many = self.many + (0.0 if x.dtype == torch.float64 else 1.0)
            return bool(self.many > LATE)

        def step(self, x):
            y = super().step(x)
            return 2 * y if self.late(x) else y

    subject = coequal.Subject(clip=lambda x: x + 0 * x, stream=Counts, example=torch.randn(1, 1, 8))
    report = coequal.verify(subject, checks=["exact"], effort="quick")
    assert report.horizon != "all", report.proof
