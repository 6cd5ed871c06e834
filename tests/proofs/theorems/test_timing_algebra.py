"""The algebra of timings: its laws, and its formulas against dependencies found by exact arithmetic, one frame at a time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.proofs.theorems.timing_algebra import inside, lower, may_see, seen, upper
from coequal.reference.timing import Timing

LAWS = settings(max_examples=200)


def timings(stride: int | None = None) -> st.SearchStrategy[Timing]:
    strides = st.integers(1, 4) if stride is None else st.just(stride)
    finite = st.builds(Timing, st.integers(1, 9), strides, st.integers(0, 5), st.integers(0, 5))
    endless = st.builds(Timing, st.just(math.inf), strides, st.integers(0, 5), st.integers(0, 5), st.integers(0, 4))
    return st.one_of(finite, finite, endless)


@LAWS
@given(timings(), timings(), timings())
def test_then_is_associative_with_a_unit(a: Timing, b: Timing, c: Timing) -> None:
    assert a.then(b).then(c) == a.then(b.then(c))
    assert a.then(b).then(c).delay == a.then(b.then(c)).delay
    assert Timing(1).then(a) == a
    assert a.then(Timing(1)) == a


@LAWS
@given(st.data(), st.integers(1, 4))
def test_beside_is_a_maximum(data: st.DataObject, stride: int) -> None:
    a, b, c = (data.draw(timings(stride)) for _ in range(3))
    assert a.beside(b) == b.beside(a)
    assert a.beside(b).beside(c) == a.beside(b.beside(c))
    assert a.beside(a) == a


@LAWS
@given(st.data(), st.integers(1, 3), timings())
def test_then_distributes_over_beside(data: st.DataObject, stride: int, other: Timing) -> None:
    a, b = data.draw(timings(stride)), data.draw(timings(stride))
    assert a.beside(b).then(other) == a.then(other).beside(b.then(other))
    assert other.then(a.beside(b)) == other.then(a).beside(other.then(b))


@LAWS
@given(timings(), timings(), st.integers(0, 20))
def test_then_composes_both_ends(first: Timing, second: Timing, j: int) -> None:
    both = first.then(second)
    assert upper(both, j) == upper(first, upper(second, j))
    if not math.isinf(both.receptive_field):
        assert lower(both, j) == lower(first, int(lower(second, j)))
        assert both.receptive_field == upper(both, j) - lower(both, j) + 1


@LAWS
@given(timings(), timings(), st.integers(1, 60))
def test_lengths_compose(first: Timing, second: Timing, length: int) -> None:
    middle = first.output_length(length)
    if middle > 0:
        assert first.then(second).output_length(length) == second.output_length(middle)


@LAWS
@given(st.data(), st.integers(1, 3), st.integers(0, 20))
def test_beside_is_the_smallest_interval_around_both(data: st.DataObject, stride: int, j: int) -> None:
    a, b = data.draw(timings(stride)), data.draw(timings(stride))
    both = a.beside(b)
    assert upper(both, j) == max(upper(a, j), upper(b, j))
    assert lower(both, j) == min(lower(a, j), lower(b, j))


# -- against dependencies that are seen ------------------------------------------------------------------------------------


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def conv(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> tuple[nn.Module, Timing]:
    span = (kernel - 1) * dilation + 1
    return nn.Conv1d(2, 2, kernel, stride, padding, dilation), Timing(span, stride, padding, padding)


def pool(kind: type, kernel: int, stride: int, padding: int = 0) -> tuple[nn.Module, Timing]:
    return kind(kernel, stride, padding), Timing(kernel, stride, padding, padding)


def shortcut(body: tuple[nn.Module, Timing]) -> tuple[nn.Module, Timing]:
    return Residual(body[0]), Timing(1).beside(body[1])


STACKS = {
    "two convolutions": [conv(3, padding=1), conv(3, padding=1)],
    "strides": [conv(3, 2, 1), conv(2, 1), conv(3, 2, 1)],
    "dilation": [conv(2, 1, 1, 3), conv(3, 1, 0, 2)],
    "pools": [pool(nn.MaxPool1d, 3, 2, 1), (nn.GELU(), Timing(1)), pool(nn.AvgPool1d, 2, 1)],
    "shortcut": [shortcut(conv(3, padding=1)), conv(2, 2), shortcut(conv(5, padding=2))],
    "shortcut around two": [shortcut((nn.Sequential(conv(3, 1, 1)[0], nn.ReLU(), conv(3, 1, 1)[0]), Timing(5, 1, 2, 2)))],
    "nothing": [(nn.Identity(), Timing(1))],
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_formulas_are_what_is_seen(name: str) -> None:
    """Nothing outside of the interval is seen, and both of its ends are, wherever it lies inside the clip."""
    length, exact = 17, Exact(Field.drawn(3, roots=(2,)), symbols := Symbols(3))
    module, timing = nn.Sequential(*(m for m, _ in STACKS[name])).double().eval(), Timing(1)
    for _, part in STACKS[name]:
        timing = timing.then(part)
    for parameter in module.parameters():
        parameter.data = symbols.fresh(parameter.data)
    clips = [symbols.fresh(torch.empty(1, 2, length, dtype=torch.float64)) for _ in range(2)]
    found = seen(exact, module, *clips)
    assert len(found) == timing.output_length(length)
    whole = 0
    for j, frames in enumerate(found):
        assert frames <= may_see(timing, j, length)
        if inside(timing, j, length):
            assert {lower(timing, j), upper(timing, j)} <= frames
            whole += 1
    assert whole > 0


def test_memories_without_end_are_seen() -> None:
    exact = Exact(Field.drawn(3, roots=(2,)), symbols := Symbols(3))
    module = nn.GRU(2, 2).double().eval()
    for parameter in module.parameters():
        parameter.data = symbols.fresh(parameter.data)
    clips = [symbols.fresh(torch.empty(7, 1, 2, dtype=torch.float64)) for _ in range(2)]
    found = seen(exact, lambda x: module(x)[0], *clips, time=0)
    assert found == [may_see(Timing(math.inf), j, 7) for j in range(7)]
