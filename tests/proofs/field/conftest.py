"""A laboratory: tensors that hold known residues and count as data, so that rules meet torch on whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.torch_frontend.dispatch import Exact

Tensor = torch.Tensor


class Lab:
    """One draw."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.field = Field.drawn(seed, **options)
        self.exact = Exact(self.field, Symbols(seed))
        self.generator = torch.Generator().manual_seed(seed)
        self.running = self.exact.running
        self.same = self.exact.same

    def whole(self, *shape: int, low: int = -9, high: int = 10) -> Tensor:
        """Random whole numbers as ordinary float64."""
        return torch.randint(low, high, shape, generator=self.generator).double()

    def symbols(self, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Fresh variables."""
        with torch._C._DisableTorchDispatch():  # outside of what runs
            return self.exact.store.symbols.fresh(torch.empty(shape, dtype=dtype))

    def data(self, tensor: Any) -> Any:
        """Floating tensors with the residues of their numbers, but which count as data; all else as it is."""
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            return tensor
        return self.exact.store.fresh(self.field.constants(tensor), tensor.dtype, tensor.device)

    def dispatched(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """An ATen operation on data, straight at the dispatch mode."""
        return self.direct(operation, *tree_map(self.data, args), **tree_map(self.data, kwargs))

    def direct(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """An ATen operation that torch would take apart, or would not run here, straight at the dispatch mode."""
        with torch._C._DisableTorchDispatch():
            return self.exact.__torch_dispatch__(operation, (), args, kwargs)

    def planes(self, tensor: Tensor) -> Tensor:
        return self.exact.value(tensor).planes

    def holds(self, tensor: Tensor, expected: Tensor) -> None:
        """The residues of a tensor are those of these numbers."""
        assert tensor.shape == expected.shape
        assert tensor.dtype == expected.dtype
        if not expected.is_floating_point():
            assert torch.equal(tensor, expected)
            return
        got, want = self.planes(tensor), self.field.constants(expected).planes
        assert torch.equal(got.nan_to_num(torch.inf), want.nan_to_num(torch.inf))

    def agree(self, results: Any, expected: Any) -> None:
        """The same for every tensor in a structure."""
        one, other = tree_leaves(results), tree_leaves(expected)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            self.holds(a, b)

    def both(
        self, one: Callable[..., Tensor], other: Callable[..., Tensor], *shapes: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """Two functions of the same variables, of these shapes."""
        variables = [self.symbols(*shape) for shape in shapes]
        with self.running():
            return one(*variables), other(*variables)

    def equal(self, a: Tensor, b: Tensor) -> bool:
        assert a.shape == b.shape
        return bool(self.same(a, b).all())

    def different(self, a: Tensor, b: Tensor) -> bool:
        """In every element."""
        assert a.shape == b.shape
        return not bool(self.same(a, b).any())


@pytest.fixture
def lab() -> Lab:
    return Lab(1, roots=(2,))


@pytest.fixture
def labs() -> Callable[..., Lab]:
    return Lab


__all__ = ["Lab", "Value"]
