"""Roots that are squared, powers and their inverses, functions that a number takes above zero; and what is near them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from coequal.proofs.field.errors import NotDecided

if TYPE_CHECKING:
    from tests.proofs.field.conftest import Lab

Tensor = torch.Tensor
F = torch.nn.functional
Function = Callable[[Tensor], Tensor]


def cancelled(positive: Function) -> tuple[Function, Function]:
    """A factor that is cancelled where it is known to be positive."""
    return lambda x: x * positive(x) / positive(x), lambda x: x + 0


RIGHT: dict[str, tuple[Function, Function]] = {
    "a root, squared": (lambda x: (x * x + 1).sqrt() ** 2, lambda x: x * x + 1),
    "by square": (lambda x: (x * x + 1).sqrt().square(), lambda x: 1 + x * x),
    "by itself": (lambda x: (y := x.relu().sqrt()) * y, torch.relu),
    "to the fourth": (lambda x: x.norm(dim=-1) ** 4, lambda x: (x * x).sum(-1) ** 2),
    "of a hypotenuse": (lambda x: torch.hypot(x, 2 * x) ** 2, lambda x: 5 * x * x),
    "a magnitude": (lambda x: torch.complex(x, 1 - x).abs() ** 2, lambda x: x * x + (1 - x) ** 2),
    "the inverse of a power": (lambda x: 1 / (x * x + 1) ** 0.3, lambda x: (x * x + 1) ** -0.3),
    "elu, raised": cancelled(lambda x: F.elu(x) + 1),
    "elu of two, raised": cancelled(lambda x: 2 + F.elu(x, alpha=2.0)),
    "celu, raised": cancelled(lambda x: F.celu(x, 0.5) + 0.5),
    "tanh of relu, raised": cancelled(lambda x: torch.tanh(x.relu() - 3) + 1),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_known_is_equal(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1)
    assert lab.equal(*lab.both(*RIGHT[what], (2, 3)))


WRONG: dict[str, tuple[Function, Function]] = {
    "a little more below the root": (lambda x: (x * x + 1 + 1e-13).sqrt() ** 2, lambda x: x * x + 1),
    "a root of a square": (lambda x: (x * x).sqrt(), lambda x: x + 0),
    "a root of what may be negative": (lambda x: (x**3).sqrt() ** 2, lambda x: x**3),
    "of relu": (lambda x: x.relu().sqrt() ** 2, lambda x: x + 0),
    "cubed": (lambda x: (x * x + 1).sqrt() ** 3, lambda x: x * x + 1),
    "another power": (lambda x: 1 / (x * x + 1) ** 0.3, lambda x: (x * x + 1) ** -(0.3 + 1e-9)),
    "elu, raised too little": cancelled(lambda x: F.elu(x) + 0.9),
    "elu of two, raised by one": cancelled(lambda x: F.elu(x, alpha=2.0) + 1),
    "elu, negated": cancelled(lambda x: 1 - F.elu(x)),
    "elu, doubled": cancelled(lambda x: 2 * F.elu(x) + 1),
    "two elus": cancelled(lambda x: F.elu(x) + F.elu(x) + 1),
    "a sum of elus": cancelled(lambda x: F.elu(x).sum(-1, keepdim=True) + 1),
    "tanh of relu, twice taken off": cancelled(lambda x: 1 - 2 * torch.tanh(x.relu())),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_near_is_told_apart(what: str, labs: Callable[..., Lab]) -> None:
    lab = labs(1)
    assert lab.different(*lab.both(*WRONG[what], (2, 3)))


def test_memory_that_nobody_wrote_to_is_moved_and_never_read(labs: Callable[..., Lab]) -> None:
    """A cache that gets more room."""
    lab = labs(1)
    x = lab.symbols(2, 3)
    with lab.running():
        room = torch.empty(2, 3, dtype=torch.float64)
        wider = torch.cat([torch.cat([x, room], 1), torch.empty_like(room)], 1)
        assert bool(lab.same(wider[:, :3], x).all())
        wider[:, 3:6] = 2 * x
        assert bool(lab.same(wider[:, 3:6].sum(1), 2 * x.sum(1)).all())
        with pytest.raises(NotDecided, match="never written"):
            wider.sum(1)
