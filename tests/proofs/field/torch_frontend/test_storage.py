"""What is written over: all of a storage, or a part of it, the rest being what it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch

THIRD = torch.full((4,), 1 / 3, dtype=torch.float64)  # a constant that stands for 1/3


@pytest.mark.parametrize(("rows", "noted"), [(4, False), (3, True)], ids=["all of it", "a part"])
def test_constants_that_are_written_over_are_nothing_that_is_assumed(lab: Any, rows: int, noted: bool) -> None:
    target, symbols = THIRD.clone(), lab.symbols(rows)
    with lab.running():
        target[:rows].copy_(symbols)
    assert lab.equal(target[:rows], symbols)
    assert ("1/3" in str(lab.field.account.assumptions)) == noted
    lab.holds(target[rows:], THIRD[rows:])


def test_what_was_written_through_a_view_with_its_places_changed(lab: Any) -> None:
    """As many elements as the storage has, in another order."""
    target, symbols = torch.full((2, 3), 1 / 3, dtype=torch.float64), lab.symbols(3, 2)
    with lab.running():
        target.T.copy_(symbols)
    assert lab.equal(target, symbols.T)
