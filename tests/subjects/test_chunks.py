import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.subjects.chunks import Plan, plan_of
from coequal.subjects.errors import BadSubject

plans = st.builds(
    Plan,
    unit=st.integers(1, 5),
    first=st.none() | st.integers(1, 5),
    maximum=st.none() | st.integers(5, 12),
)


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
