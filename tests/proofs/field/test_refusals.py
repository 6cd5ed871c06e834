"""What has no meaning over a field refuses, with the name of the operation and the line of the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics.table import MEANINGS, REFUSED

Tensor = torch.Tensor
F64 = torch.float64


def branch(x: Tensor) -> Tensor:
    if x.sum() > 0:
        return x
    return -x


def partly_written(x: Tensor) -> Tensor:
    held = torch.full((3, 4), torch.nan, dtype=F64)
    held[1] = x[0]
    return held


# program -> operation and reason that the text must hold
REFUSALS: dict[str, tuple[Callable[[Tensor], object], str, str]] = {
    "comparison": (lambda x: x > 0, "aten.gt", "it compares data"),
    "equality": (lambda x: x == x[0], "aten.eq", "it compares data"),
    "branch": (branch, "aten.gt", "it compares data"),
    "argmax": (lambda x: x.argmax(), "aten.argmax", "its indices depend on data"),
    "topk": (lambda x: x.topk(2, sorted=False), "topk", "in no order"),
    "indices of a sort": (lambda x: x[:, x.sort().indices[0]], "aten.index", "depend on data"),
    "nonzero": (lambda x: x.nonzero(), "aten.nonzero", "its indices depend on data"),
    "item": (lambda x: x.sum().item(), "aten._local_scalar_dense", "reads a value"),
    "float of it": (lambda x: float(x[0, 0]), "aten._local_scalar_dense", "reads a value"),
    "round": (lambda x: x.round(), "aten.round", "it rounds data"),
    "floor": (lambda x: x.floor(), "aten.floor", "it rounds data"),
    "rounded quotient": (lambda x: torch.div(x, 2, rounding_mode="floor"), "aten.div", "a quotient rounded by 'floor'"),
    "remainder": (lambda x: x % 2, "aten.remainder", "it rounds data"),
    "dropout": (lambda x: functional.dropout(x, 0.5, training=True), "aten.bernoulli_", "it is random"),
    "bernoulli": (lambda x: x.bernoulli(), "aten.bernoulli", "it is random"),
    "a function of complex numbers": (lambda x: torch.sinh(x * 1j), "aten.sinh", "no meaning for complex numbers here yet"),
    "a part of complex numbers": (lambda x: (x * 1j).to(x.dtype), "aten._to_copy", "the imaginary part is thrown away"),
    "other views of the bits": (lambda x: x.view(torch.int64), "aten.view", "looks at the bits"),
    "cast to flags": (lambda x: x.bool(), "aten._to_copy", "data is cast to whole numbers"),
    "numpy": (lambda x: (x + 1).numpy(), "Tensor.numpy", "the program looks at a value"),
    "list": (lambda x: (x + 1).tolist(), "Tensor.tolist", "the program looks at a value"),
    "printing": (lambda x: repr(x.neg()), "Tensor.__repr__", "the program looks at a value"),
    "formatting": (lambda x: f"{(x + 1).sum()}", "Tensor.__format__", "the program looks at a value"),
    "memory address": (lambda x: (x + 1).data_ptr(), "Tensor.data_ptr", "the program looks at a value"),
    "indices of a maximum": (lambda x: x.max(1).indices + 1, "aten.add", "indices of a maximum depend on data"),
    "gather by them": (lambda x: x.gather(1, x.max(1, keepdim=True).indices), "aten.gather", "indices of a maximum"),
    "max unpooling": (
        lambda x: functional.max_unpool1d(*functional.max_pool1d(x, 2, return_indices=True), 2), "aten.", "indices of a max"
    ),
    "cast to integers": (lambda x: x.long(), "aten._to_copy", "data is cast to whole numbers"),
    "no meaning": (lambda x: torch.linalg.svdvals(x + 1), "aten.", "it has no meaning here yet"),
    "a norm of another order": (lambda x: x.norm(3), "aten.linalg_vector_norm", "a norm of order 3"),
    "softmax of nothing": (
        lambda x: torch.softmax(x.masked_fill(torch.ones(4).bool(), -torch.inf), 1), "aten._softmax", "masked out entirely"
    ),
    "minus infinity times data": (lambda x: x.masked_fill(torch.eye(3, 4).bool(), -torch.inf) * x, "aten.mul", "multiplied"),
    "minus infinity negated": (lambda x: x.masked_fill(torch.eye(3, 4).bool(), -torch.inf) * -1.0, "aten.mul", "multiplied"),
    "gelu of minus infinity": (
        lambda x: functional.gelu(x.masked_fill(torch.eye(3, 4).bool(), -torch.inf)), "aten.gelu", "minus infinity is among"
    ),
    "uninitialised memory": (lambda x: partly_written(x) + 1, "aten.add", "memory that was never written"),
    "batch norm in train mode": (lambda x: nn.BatchNorm1d(4).double()(x + 1), "aten.", "running statistics"),
    "whole-number memory": (lambda x: torch.zeros(3, 4, dtype=torch.int64).copy_(x), "aten.copy_", "whole numbers"),
    "plus infinity": (lambda x: x + torch.inf, "aten.add", "the constant inf"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_by_name_and_line(name: str, lab) -> None:
    program, operation, reason = REFUSALS[name]
    x = lab.symbols(3, 4)
    with lab.running(), pytest.raises(NotDecided) as caught:
        program(x)
    text = str(caught.value)
    assert operation in text
    assert reason in text
    source, first = inspect.getsourcelines(program)
    file, line = text.rpartition(" (")[2].rstrip(")").split(", line ")
    assert file == Path(__file__).name
    assert first <= int(line) < first + len(source) + 1


def test_what_is_refused_has_no_meaning() -> None:
    assert not REFUSED.keys() & {name.partition(".")[0] for name in MEANINGS}


def test_the_same_on_constants_is_not_refused(lab) -> None:
    """Positions, masks and thresholds may be compared, rounded and looked at."""
    with lab.running():
        position = torch.arange(4, dtype=F64)
        assert (position > 1).tolist() == [False, False, True, True]
        assert position.argmax().item() == 3
        assert position.div(2).floor().numpy().tolist() == [0, 0, 1, 1]


def test_a_program_may_go_on_after_a_refusal(lab) -> None:
    x = lab.symbols(3)
    with lab.running():
        with pytest.raises(NotDecided):
            x.round()
        assert lab.equal(x + x, 2 * x)
    assert torch.ones(3).sum().item() == 3.0


def test_modes_are_left_as_they_were(lab) -> None:
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn.enabled, torch.is_grad_enabled()
    with pytest.raises(NotDecided), lab.running():
        lab.symbols(3).round()
    assert (torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn.enabled, torch.is_grad_enabled()) == before


def test_uninitialised_memory_that_is_written_first_may_be_read(lab) -> None:
    x = lab.symbols(3, 4)
    with lab.running():
        held = torch.full((5, 4), torch.nan, dtype=F64)
        held[1:4] = x
        assert lab.equal(held[1:4] * 2, x + x)
        with pytest.raises(NotDecided, match="never written"):
            held * 2


def test_a_backend_that_does_not_add_up_products_is_noticed(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from coequal.proofs.field.errors import NotExact

    plain = torch.matmul
    monkeypatch.setattr(torch, "matmul", lambda a, b: plain(a, b) + 1)
    x, y = lab.symbols(3, 4), lab.symbols(4, 5)
    with lab.running(), pytest.raises(NotExact, match="not exact on whole numbers"):
        torch.mm(x, y)
