"""What a stream remembers is found wherever it hides, or said to be unobservable."""

from collections import deque
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.walk import cells

LABELS = (".__class__", ".__labels__", ".requires_grad")  # what places are called, which is compared, too


def places(stream):
    return [c for c in cells(stream) if not c.path.endswith(LABELS) and not str(c.content).startswith("the same as ")]


def paths(stream) -> dict[str, object]:
    return {cell.path: cell.content for cell in places(stream)}


class Holder:
    def __init__(self, **held):
        vars(self).update(held)


@dataclass
class Record:
    sums: object
    seen: int


class Slotted:
    __slots__ = ("ring",)

    def __init__(self):
        self.ring = [torch.zeros(2)]


def test_tensors_numbers_and_texts_in_all_containers():
    held = Holder(a=[torch.ones(1), 2], b={"k": (3, "x")}, c=deque([4.0]), d=Record(None, 5), e=Slotted())
    found = paths(held)
    assert found["stream.b['k'][0]"] == 3
    assert found["stream.b['k'][1]"] == "x"
    assert found["stream.c[0]"] == 4.0
    assert found["stream.d.seen"] == 5
    assert found["stream.d.sums"] is None
    assert isinstance(found["stream.a[0]"], torch.Tensor)
    assert isinstance(found["stream.e.ring[0]"], torch.Tensor)


def test_an_attribute_called_state_hides_nothing():
    held = Holder(state={"inner": torch.zeros(1)}, cache=7)
    assert {"stream.state['inner']", "stream.cache"} <= paths(held).keys()


def test_buffers_and_attributes_of_modules_but_no_parameters():
    module = nn.BatchNorm1d(2)
    module.ring = torch.zeros(3)
    found = paths(Holder(net=module))
    assert "stream.net.ring" in found
    assert "stream.net.running_mean" in found
    assert not any("weight" in path for path in found)


def test_what_a_function_closed_over():
    kept = [1, 2]
    assert paths(Holder(step=lambda: kept))["stream.step<kept>[1]"] == 2


def test_what_all_objects_of_a_class_share():
    class Stream:
        shared = [torch.zeros(1)]  # noqa: RUF012

        def step(self, frame):
            return frame

    assert any(path.endswith("Stream.shared[0]") for path in paths(Stream()))


def test_what_the_methods_of_a_local_class_closed_over():
    net = nn.Linear(1, 1)
    net.register_buffer("steps", torch.zeros(()))

    class Stream:
        def step(self, frame):
            net.steps += 1
            return frame

    assert any(path.endswith(".steps") for path in paths(Stream()))


def test_cycles_end():
    a, b = Holder(), Holder()
    a.other, b.other, b.seen = b, a, 3
    assert paths(a) == {"stream.other.seen": 3}


def test_generators_cannot_be_looked_into():
    with pytest.raises(Unobservable, match=r"stream\.running is a generator"):
        cells(Holder(running=(i for i in range(3))))


def test_contents_can_be_replaced_where_they_are_held():
    held = Holder(counts={"seen": 3}, ring=[1, 2], t=4)
    for cell in places(held):
        cell.put(cell.content + 10)
    assert (held.counts["seen"], held.ring, held.t) == (13, [11, 12], 14)
