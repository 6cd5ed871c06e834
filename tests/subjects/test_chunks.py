import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.subjects.chunks import Plan, every_order, plan_of
from coequal.subjects.errors import BadSubject

plans = st.builds(
    Plan,
    unit=st.integers(1, 5),
    first=st.none() | st.integers(1, 5),
    maximum=st.none() | st.integers(5, 12),
)


def possible(prompt, first, **fields):
    """A plan; None where no chunk would be legal."""
    try:
        return Plan(prompt=prompt, first=None if prompt else first, **fields)
    except BadSubject:
        return None


any_plans = st.builds(
    possible,
    unit=st.integers(1, 4),
    first=st.none() | st.integers(1, 5),
    maximum=st.none() | st.integers(1, 9),
    minimum=st.none() | st.integers(1, 9),
    sizes=st.none() | st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    longest=st.none() | st.integers(1, 30),
    prompt=st.booleans(),
).filter(lambda plan: plan is not None)


@given(any_plans, st.integers(0, 30), st.sampled_from(["smallest", "largest", "mixed"]), st.integers(0, 9))
def test_what_any_plan_splits_it_allows(plan, length, style, seed):
    chunks = plan.split(length, style, seed)
    assert plan.allows(chunks)
    assert sum(chunks) <= length


@given(any_plans, st.integers(0, 30))
def test_what_is_legal_can_be_fed_whole(plan, length):
    legal = plan.legal(length)
    assert plan.legal(legal) == legal
    if plan.sizes is None:
        for style in ("smallest", "largest", "mixed"):
            assert sum(plan.split(legal, style)) == legal


@given(any_plans, st.integers(0, 14))
def test_no_longer_length_can_be_fed(plan, length):
    """By all sequences of sizes; those of `sizes` are filled up greedily."""
    if plan.sizes is not None:
        return

    def sums(left, chunks=()):
        if plan.allows(chunks):
            yield sum(chunks)
        for size in range(1, left + 1):
            if plan.allows((*chunks, size)):
                yield from sums(left - size, (*chunks, size))

    assert plan.legal(length) == max(sums(length), default=0)


@pytest.mark.parametrize(
    ("plan", "chunks", "allowed"),
    [
        (Plan(minimum=3), (3, 5), True),
        (Plan(minimum=3), (3, 2), False),
        (Plan(maximum=1, prompt=True), (7, 1, 1), True),
        (Plan(maximum=1, prompt=True), (7, 2), False),
        (Plan(longest=4), (2, 2), True),
        (Plan(longest=4), (2, 3), False),
        (plan_of("single", longest=2), (1, 1, 1), False),
    ],
)
def test_what_else_a_plan_may_say(plan, chunks, allowed):
    assert plan.allows(chunks) is allowed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"unit": 0}, r"Plan\.unit: a number of frames, at least 1; got 0"),
        ({"longest": 0}, r"Plan\.longest"),
        ({"minimum": 5, "maximum": 3}, "Plan: no size of a chunk is legal"),
        ({"unit": 4, "sizes": (3,)}, "Plan: no size of a chunk is legal"),
        ({"sizes": (0,)}, r"Plan\.sizes: numbers of frames, at least 1"),
        ({"whole": "yes"}, "`whole` and `prompt` are True or False"),
        ({"ahead": -1}, r"Plan\.ahead: a number of frames, 0 or more; got -1"),
        ({"prompt": True, "first": 2}, "the first chunk may have any size"),
        ({"whole": True, "ahead": 2}, "each call is handed all frames so far"),
    ],
)
def test_what_no_plan_may_say(fields, text):
    with pytest.raises(BadSubject, match=text):
        Plan(**fields)


@given(plans, st.integers(0, 40), st.sampled_from(["smallest", "largest", "mixed"]), st.integers(0, 9))
def test_what_it_splits_it_allows(plan, length, style, seed):
    chunks = plan.split(length, style, seed)
    assert plan.allows(chunks)
    assert sum(chunks) <= length
    assert length - sum(chunks) < max(plan.unit, plan.first or 1, 1)


@given(plans, st.integers(0, 40))
def test_a_legal_length_is_legal(plan, length):
    legal = plan.legal(length)
    assert plan.legal(legal) == legal


@pytest.mark.parametrize(
    ("given_", "chunks", "allowed"),
    [
        (None, (3, 1, 7), True),
        (4, (4, 8), True),
        (4, (4, 6), False),
        ("single", (1, 1), True),
        ("single", (2,), False),
        ((1, 4), (4, 1, 4), True),
        ((1, 4), (2,), False),
        (Plan(4, first=1), (1, 4, 8), True),
        (Plan(4, first=1), (4, 4), False),
    ],
)
def test_what_plan_may_hold(given_, chunks, allowed):
    assert plan_of(given_).allows(chunks) is allowed


@pytest.mark.parametrize("wrong", [0, -1, "double", (), (0, 2), 1.5, True])
def test_what_it_may_not_hold(wrong):
    with pytest.raises(BadSubject, match=r"Subject\.plan: expected None, a unit"):
        plan_of(wrong)


@given(st.integers(0, 6), st.integers(1, 3))
def test_in_every_order_any_sizes_follow_one_another_once(many, count):
    sizes = range(3, 3 + many)
    chunks = every_order(sizes, count)
    found = [chunks[i : i + count] for i in range(len(chunks) - count + 1)] if many else []
    assert sorted(found) == sorted(itertools.product(sizes, repeat=count))


@given(plans, st.integers(1, 3))
def test_a_schedule_of_every_order_is_legal(plan, count):
    chunks = plan.ordered(plan.smallest(4), count)
    assert plan.allows(chunks)
    assert chunks or not plan.smallest(4)


def test_a_schedule_that_is_too_long_is_none():
    assert Plan(longest=8).ordered((1, 2, 3)) == ()
