"""A watched frame number: what may be done with it for ever, and what gives the number away."""

import pytest

from coequal.equivalence.memory.watched import MANY, MOST, Counter, TooMany, Uses


def watched(value: int = 20, growth: int = 12) -> tuple[Counter, Uses]:
    uses = Uses()
    return Counter(value, uses, growth), uses


def test_it_is_no_int_and_passes_for_one():
    """A subclass of int would be read by C code without a trace."""
    assert not issubclass(type(watched()[0]), int)
    assert isinstance(watched()[0], int)


@pytest.mark.parametrize("modulus", [1, 2, 3, 4, 6, 12])
def test_remainders_that_come_back(modulus):
    counter, uses = watched()
    assert (counter + 1) % modulus == 21 % modulus
    assert uses.moduli == {modulus}
    assert not uses.misfits
    assert not uses.escapes


def test_remainders_that_do_not_come_back_after_a_period():
    counter, uses = watched(growth=12)
    assert counter % 8 == 4
    assert uses.misfits == {"8, though it grows by 12 in a period"}


def test_a_mask_of_low_bits_is_a_remainder():
    counter, uses = watched()
    assert counter & 3 == 0
    assert uses.moduli == {4}


def test_comparisons_with_what_has_been_passed_are_decided():
    counter, uses = watched()
    assert counter > 19
    assert counter >= 4
    assert not counter < 5
    assert counter != 7
    assert min(counter, 6) == 6
    assert bool(counter)
    assert not uses.ahead


@pytest.mark.parametrize("compare", [lambda c: c < 1000, lambda c: c == 1000, lambda c: c >= 1000, lambda c: min(c, 1000)])
def test_comparisons_with_what_lies_ahead_are_noted(compare):
    counter, uses = watched()
    compare(counter)
    assert uses.ahead == {1000}


def test_it_is_compared_with_so_many_numbers_and_no_more():
    """`in` tries each number of a range, since it is no int."""
    counter, uses = watched()
    assert counter not in range(21, 21 + MOST)
    assert not uses.escapes
    with pytest.raises(TooMany):
        assert counter in range(1500, 10**9)
    assert uses.escapes == {MANY}
    assert len(uses.ahead) == MOST + 1


def test_it_stays_a_counter_when_it_is_moved():
    counter, uses = watched()
    moved = 3 + counter - 1
    assert isinstance(moved, Counter)
    assert moved.value == 22
    assert moved - counter == 2
    assert not uses.escapes


def test_counters_of_different_pace_give_themselves_away():
    uses = Uses()
    fast, slow = Counter(20, uses, 4), Counter(10, uses, 2)
    assert fast > slow
    assert uses.escapes == {"compared with another counter"}


def test_a_whole_part_counts_on():
    uses = Uses()
    counter = Counter(20, uses, growth=12)
    assert counter // 4 + 1 == 6
    assert (counter >> 1) % 3 == 1
    assert divmod(counter, 6)[1] == 2
    assert not uses.escapes
    assert not uses.misfits
    assert {4, 2, 6} <= uses.moduli  # remainders of whole parts are remainders of the count
    assert counter // 5
    assert uses.misfits


def test_what_a_whole_part_is_compared_with_is_told_in_frames():
    uses = Uses()
    assert Counter(20, uses, growth=12) // 4 < 100
    assert uses.ahead == {403}


ESCAPES = {
    "an index": lambda c: [0] * 30 and list(range(30))[c],
    "int()": int,
    "float()": float,
    "a key": lambda c: {20: 1}[c],
    "a text": lambda c: f"{c}",
    "*": lambda c: c * 2,
    "//": lambda c: c // 2.5,
    ">>": lambda c: c >> 40,
    "/": lambda c: c / 2,
    "-": lambda c: 100 - c,
    "&": lambda c: c & 5,
    "%": lambda c: c % 2.5,
    "arithmetic": lambda c: c + 0.5,
}


@pytest.mark.parametrize("how", ESCAPES)
def test_anything_else_escapes(how):
    counter, uses = watched()
    ESCAPES[how](counter)
    assert how in uses.escapes
