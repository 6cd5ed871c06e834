"""What functions keep for next time is forgotten, wherever they were made; the collector is left as it was."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator

import pytest

from coequal.equivalence.memory import caches
from coequal.equivalence.memory.caches import forgotten, looked_through_once, set_aside


@pytest.fixture(autouse=True)
def nothing_is_aside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process of a user; afterwards as in one of the tests."""
    gc.unfreeze()
    with monkeypatch.context() as patched:
        patched.setattr(caches, "_looked", [])
        patched.setattr(caches, "_aside", [])
        yield
    gc.unfreeze()
    set_aside()


@functools.cache
def made_before(size: int) -> list[int]:
    return [size]


def test_nothing_that_is_kept_outlives_it():
    outside = made_before(1)
    with forgotten():
        made_within = functools.cache(lambda size: [size])
        within, new = made_before(1), made_within(1)
    assert within is not outside
    assert made_before(1) is not within
    assert made_within(1) is not new
    assert gc.get_freeze_count() == 0


def test_an_error_does_not_keep_it():
    def fail() -> None:
        with forgotten():
            kept.append(made_before(1))
            raise KeyError

    kept: list[list[int]] = []
    with pytest.raises(KeyError):
        fail()
    assert made_before(1) is not kept[0]
    assert gc.get_freeze_count() == 0


def test_what_there_was_is_set_aside_once_for_several_proofs():
    with looked_through_once():
        aside = gc.get_freeze_count()
        assert aside > 0
        for _ in range(2):
            outside = made_before(1)
            with forgotten():
                within = made_before(1)
                assert aside - 100 < gc.get_freeze_count() <= aside
            assert within is not outside
            assert made_before(1) is not within
    assert gc.get_freeze_count() == 0


def test_what_others_set_aside_is_left_so():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        made_since = [[] for _ in range(1000)]
        with forgotten():
            assert before - 100 < gc.get_freeze_count() <= before  # some end meanwhile
        assert before - 100 < gc.get_freeze_count() <= before
        assert len(made_since) == 1000
    finally:
        gc.unfreeze()


def test_what_was_set_aside_before_it_was_filled_is_forgotten_too():
    kept = functools.cache(lambda size: [size])
    set_aside()
    outside = kept(1)
    with forgotten():
        within = kept(1)
    assert within is not outside
    assert kept(1) is not within
