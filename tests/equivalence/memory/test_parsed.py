"""Functions of torch whose first argument may be a number: a watched tensor neither crashes them nor escapes them."""

import pytest
import torch

import coequal
from coequal.equivalence.memory.parsed import names, watchable
from coequal.equivalence.memory.watched import TensorCounter, Uses


def test_the_names_of_torch_that_are_meant():
    assert {"remainder", "pow", "bitwise_and", "bitwise_right_shift", "isin"} <= set(names())


def test_torch_is_as_it_was_afterwards():
    before = torch.remainder, torch.pow
    with watchable():
        assert torch.remainder is not before[0]
        assert torch.remainder(torch.tensor(7), 4) == 3
    assert (torch.remainder, torch.pow) == before


@pytest.mark.parametrize("name", ["pow", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "float_power", "xlogy", "isin"])
def test_what_shows_the_number_escapes(name):
    uses = Uses()
    with watchable():
        getattr(torch, name)(TensorCounter.of(torch.tensor(5), uses, 1), 2)
    assert uses.escapes == {f"an argument of {name}"}


class Ring:
    """The last four frames, each in its place."""

    late = False

    def __init__(self):
        self.at, self.ring = torch.zeros((), dtype=torch.int64), None

    def place(self):
        return torch.remainder(self.at, 4)

    def step(self, x):
        if self.ring is None:
            self.ring = torch.zeros(4, *x.shape, dtype=x.dtype)
        here = (torch.arange(4) == self.place()).view(4, 1, 1)
        self.ring = torch.where(here, x, self.ring)
        self.at = self.at + 1
        return self.ring.sum(0)


class Masked(Ring):
    def place(self):
        return torch.bitwise_and(self.at, 3)


class Late(Ring):
    def place(self):
        return torch.remainder(self.at, 4) + (torch.bitwise_right_shift(self.at, 11) > 0) * 4


def verified(kind):
    def clip(x):
        return sum(torch.nn.functional.pad(x, (k, 0))[..., : x.shape[-1]] for k in range(4))

    return coequal.verify(coequal.Subject(clip=clip, stream=kind, example=torch.randn(2, 3, 8)), effort="quick")


@pytest.mark.parametrize("kind", [Ring, Masked])
def test_remainders_of_a_tensor_that_counts(kind):
    report = verified(kind)
    assert (report.verdict, report.horizon) == ("proved", "all"), report.proof


def test_what_is_wrong_after_2048_frames_is_not_proved_for_every_length():
    assert verified(Late).horizon != "all"
