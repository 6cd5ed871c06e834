"""What functions keep for next time is forgotten, wherever they were made; the collector is left as it was."""

from __future__ import annotations

import functools
import gc

import pytest

from coequal.equivalence.memory.caches import forgotten


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


def test_what_others_set_aside_is_left_so():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with forgotten():
            assert gc.get_freeze_count() == before
        assert gc.get_freeze_count() == before
    finally:
        gc.unfreeze()
