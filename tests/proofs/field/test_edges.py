"""Edges of the field core that the catalogue met: where symbols are made, what is written, what minus infinity means."""

import math

import pytest
import torch

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.numbers.number import number_of
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.torch_frontend.dispatch import Exact

LOWEST = torch.finfo(torch.float64).min


def fresh(exact, *shape):
    return exact.store.symbols.fresh(torch.empty(shape, dtype=torch.float64))


def test_symbols_made_inside_a_run_are_variables():
    exact = Exact(Field.drawn(1))
    with exact.running():
        x = fresh(exact, 3)
        assert exact.value(x).degree.excess == 1
        assert not exact.same(x, x.new_tensor([2.0**40] * 3)).any()


def test_a_number_written_through_an_index_is_broadcast():
    exact = Exact(Field.drawn(1))
    x, y = fresh(exact, 2, 3, 4), fresh(exact, 4)
    with exact.running():
        z = x.clone()
        z[:, 1] = 0
        z[0] = y
        assert exact.same(z[0], y.expand(3, 4)).all()
        assert exact.same(z[1, 1], torch.zeros(4, dtype=torch.float64)).all()
        assert exact.same(z[1, 0], x[1, 0]).all()


def test_minus_infinity_in_a_large_table_of_constants():
    field, table = Field.drawn(2), torch.randn(1000, dtype=torch.float64)
    table[3], table[5], table[7] = -torch.inf, -1e38, 0.1
    for literal in (False, True):
        value = field.constants(table, literal=literal)
        assert value.minus_infinity().nonzero().flatten().tolist() == [3, 5]
    assert field.constants(table).planes[:, 7].tolist() == field.number(0.1).tolist()


@pytest.mark.parametrize("value", [5e-324, -1e-310, 1e300, -1.7e308])
def test_floats_at_the_ends_of_their_range_are_what_they_are(value):
    assert number_of(value).exact
    assert float(number_of(value).rational) == value


def test_a_finite_mask_value_taken_from_itself_is_zero_and_minus_infinity_is_not():
    exact = Exact(Field.drawn(1))
    x = fresh(exact, 3)
    with exact.running():
        masked = torch.stack([x, torch.full_like(x, LOWEST)])
        difference = torch.exp(masked[1:] - masked[1:])
        assert exact.same(difference, torch.ones(1, 3, dtype=torch.float64)).all()
        with pytest.raises(NotDecided, match="minus infinity is subtracted"):
            x - masked[1]
        infinite = x.masked_fill(torch.tensor([False, True, False]), -math.inf)
        with pytest.raises(NotDecided, match="minus infinity is subtracted"):
            infinite - infinite


def test_softmax_beyond_the_chains_knows_that_shifts_cancel():
    exact = Exact(Field.drawn(1, count=4, levels=2))
    x, shift, mask = fresh(exact, 2, 5), fresh(exact, 2, 1), torch.ones(2, 5).tril(2).bool()
    with exact.running():
        deep = torch.exp(x)  # known modulo the first primes alone
        assert exact.value(deep).planes.shape[0] == 4
        for scores in (deep, deep.masked_fill(~mask, LOWEST)):
            softmax = torch.softmax(scores, -1)
            assert exact.same(torch.softmax(scores + shift, -1), softmax).all()
            assert exact.same(torch.softmax(scores.flip(-1), -1).flip(-1), softmax).all()
            assert not exact.same(torch.softmax(scores * 2, -1), softmax)[:, 0].any()
        assert exact.same(torch.softmax(deep.masked_fill(~mask, LOWEST), -1)[0, :3], torch.softmax(deep[0, :3], -1)).all()
        assert exact.same(torch.exp(x + shift), torch.exp(x) * torch.exp(shift)).all()


def test_memory_that_was_not_written_to_holds_no_number_of_old():
    """Floats left behind in freed memory, under a buffer that is filled piece by piece, must ask for no roots."""
    symbols = Symbols(1)
    x = symbols.fresh(torch.empty(1, dtype=torch.float64))
    for _ in range(20):
        left = torch.full((3,), 3**-0.5, dtype=torch.float64)
        del left
        with Exact(Field.drawn(1), symbols).running():
            buffer = torch.empty(3, dtype=torch.float64)
            buffer[:1] = x
            with pytest.raises(NotDecided, match="memory that was never written"):
                buffer.sum()


SAME = {
    "relu": torch.relu,
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(min=0),
    "clamp from below": lambda x: x.clamp(min=-1.0),
    "nan_to_num": torch.nan_to_num,
    "times one": lambda x: torch.add(x, x, alpha=0) * 1,
}


@pytest.mark.parametrize("what", SAME)
def test_a_write_to_a_result_is_none_to_what_it_came_from(lab, what):
    with lab.running():
        x = lab.symbols(2, 3).exp()  # known to be positive
        before = x.clone()
        y = SAME[what](x)
        y += 1
        y[0] = 0
        assert lab.equal(x, before)
        assert lab.equal(y[1], before[1] + 1)
