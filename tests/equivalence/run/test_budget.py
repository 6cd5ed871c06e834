"""Budgets are spent by work, or by a deadline, and not by what else the machine does."""

from __future__ import annotations

import time

import pytest

from coequal.equivalence.run import budget
from coequal.equivalence.run.budget import Budget


@pytest.fixture
def clocks(monkeypatch) -> dict[str, float]:
    """Both clocks, to be set."""
    now = {"work": 100.0, "clock": 5000.0}
    monkeypatch.setattr(time, "process_time", lambda: now["work"])
    monkeypatch.setattr(time, "monotonic", lambda: now["clock"])
    return now


def test_other_work_on_the_machine_does_not_spend_it(clocks):
    limit = Budget.of(10.0)
    clocks["clock"] += 30.0
    assert not limit.spent
    clocks["work"] += 10.5
    assert limit.spent


def test_a_stream_that_waits_for_something_else_ends_by_the_clock(clocks):
    limit = Budget.of(10.0)
    clocks["clock"] += 10.0 * budget.IDLE + 1.0
    assert limit.spent


def test_a_deadline_holds_whatever_is_added(clocks):
    limit = Budget.of(10.0, deadline=5020.0).more(1000.0).at_least(1000.0)
    clocks["clock"] = 5019.0
    assert not limit.spent
    clocks["clock"] = 5021.0
    assert limit.spent


def test_it_can_be_longer_and_never_shorter(clocks):
    limit = Budget.of(10.0)
    clocks["work"] += 11.0
    assert limit.spent
    assert not limit.more(2.0).spent
    assert not limit.at_least(5.0).spent
    assert Budget.of(100.0).at_least(1.0) == Budget.of(100.0)


def test_one_without_an_end_is_never_spent(clocks):
    clocks["work"] = clocks["clock"] = 1e12
    assert not Budget().spent


def test_half_of_what_is_left_until_a_deadline(clocks):
    limit = Budget.of(1000.0, deadline=5020.0).half()
    clocks["clock"] = 5009.0
    assert not limit.spent
    clocks["clock"] = 5011.0
    assert limit.spent
    assert not Budget().half().spent
