"""Executed operations: what really runs when a torch module runs, seen at the dispatcher, by operation and by submodule.

    executed = count(lambda: module(clip), module)
    executed.cost.macs(), executed.modules["layer1.conv"], executed.operators["convolution"]

Nothing is taken at its word: a composite is counted by what it is made of. So the fast paths that would run as one opaque
operation are off while counting: nn.MultiheadAttention's, and oneDNN's recurrent kernels. On fake tensors nothing is
computed at all (`fake_tensors.py`). Sources: torch.utils.flop_counter (the idea); its silent zeros are what this avoids.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._pytree import tree_leaves

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import product
from coequal.proofs.cost.executed.aten import VIEWS, Uncounted, cost_of
from coequal.proofs.cost.executed.module_scopes import entered, plain_paths
from coequal.proofs.eager import EagerMode, eagerly


@dataclass
class Executed:
    """What ran: the total, by aten operation, by submodule (without what ran in submodules of it; "" is the top)."""

    operators: dict[str, Cost] = field(default_factory=dict)
    modules: dict[str, Cost] = field(default_factory=dict)
    bytes: Size = 0  # read and written by every operation that is no view, as if nothing were fused
    peak: int = 0  # numbers held in intermediate results at once
    result: Any = None
    fixed: dict[str, int] = field(default_factory=dict)  # letters that the module made a number

    @property
    def cost(self) -> Cost:
        """Everything."""
        return Cost.total(self.operators.values())

    def map(self, function: Callable[[Size], Size]) -> Executed:
        """Every count through a function."""

        def each(costs: dict[str, Cost]) -> dict[str, Cost]:
            return {name: cost.each(lambda ops: ops.map(function)) for name, cost in costs.items()}

        return replace(self, operators=each(self.operators), modules=each(self.modules), bytes=function(self.bytes))


def count(run: Callable[[], Any], module: torch.nn.Module | None = None) -> Executed:
    """What `run()` executes, by submodules of `module`. Uncounted names an operation, and the submodule it ran in."""
    counter = _Counter()
    with plain_paths(), eagerly(), entered(module, counter.path), torch.no_grad(), counter:
        result = run()
    return counter.executed(result)


def uncounted(run: Callable[[], Any]) -> Any:
    """The result of `run()`, in the same ways of running as while counting."""
    with plain_paths(), torch.no_grad():
        return run()


class _Counter(EagerMode):
    def __init__(self) -> None:
        super().__init__()
        self.operators: dict[str, Cost] = {}
        self.modules: dict[str, Cost] = {}
        self.bytes: Size = 0
        self.peak = 0
        self.path = [""]
        self.held: Counter[int] = Counter()  # tensors for each storage
        self.live = 0

    def executed(self, result: Any) -> Executed:
        """What ran, and gave this result."""
        return Executed(self.operators, self.modules, self.bytes, self.peak, result)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim":  # questions about a tensor, such as its device
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__.rstrip("_") if func.namespace == "aten" else f"{func.namespace}::{func.__name__}"
        if _composite(func):
            with self:
                output = func.decompose(*args, **kwargs)
            if output is not NotImplemented:
                return output
        output = _normalised(args) if name == "native_batch_norm" and _contentless(args) else func(*args, **kwargs)
        self._note(name, args, kwargs, output)
        return output

    def _note(self, name: str, args: Any, kwargs: Any, output: Any) -> None:
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        outputs = [x for x in tree_leaves(output) if isinstance(x, torch.Tensor)]
        self._hold(outputs)
        if not any(x.is_floating_point() or x.is_complex() for x in (*inputs, *outputs)):
            return
        shapes = [sizes(x) if isinstance(x, torch.Tensor) else None for x in args]
        try:
            cost = cost_of(name, shapes, tuple(map(_plain, args)), [sizes(x) for x in outputs])
        except Uncounted as error:
            raise Uncounted(f"{self.path[-1] or 'the module'}: {error}") from None
        if name not in VIEWS:
            moved = {"reads": sum(product(sizes(x)) for x in inputs), "writes": sum(product(sizes(x)) for x in outputs)}
            self.bytes += sum(product(sizes(x)) * x.element_size() for x in (*inputs, *outputs))
            cost = _with_traffic(cost, **moved)
        for table, key in ((self.operators, name), (self.modules, self.path[-1])):
            table[key] = table[key] + cost if key in table else cost

    def _hold(self, outputs: list[torch.Tensor]) -> None:
        """Sizes of intermediate results that are alive; letters are not compared."""
        for tensor in outputs:
            size = tensor.untyped_storage().nbytes()
            if not isinstance(size, int) or not tensor.element_size():
                return
            storage, numbers = tensor.untyped_storage()._cdata, size // tensor.element_size()
            self.live += 0 if self.held[storage] else numbers
            self.held[storage] += 1
            weakref.finalize(tensor, self._release, storage, numbers)
        self.peak = max(self.peak, self.live)

    def _release(self, storage: int, numbers: int) -> None:
        self.held[storage] -= 1
        self.live -= 0 if self.held[storage] else numbers


def _contentless(args: Any) -> bool:
    """Batch norm in eval mode of a tensor without contents."""
    return isinstance(args[0], FakeTensor) and args[5] is False


def _normalised(args: Any) -> tuple[torch.Tensor, ...]:
    """What it returns, at once: torch would walk through the decomposition, which takes most of the time of counting."""
    return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)


def _with_traffic(cost: Cost, reads: Size, writes: Size) -> Cost:
    """Numbers moved, noted with the first class that the operation belongs to."""
    kind = next(iter(cost.items), "move")
    without = cost.each(lambda ops: replace(ops, reads=0, writes=0))
    return without + Cost.of(kind, reads=reads, writes=writes)


def sizes(tensor: torch.Tensor) -> tuple[Size, ...]:
    """A shape in integers and sympy expressions."""
    return tuple(map(_plain, tensor.shape))


def _plain(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size


def _composite(func: Any) -> bool:
    """Made of other operations, and not counted as it is (in inference mode such operations reach us whole)."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    name = func.name()
    if func.namespace != "aten" or not torch._C._dispatch_has_kernel(name):
        return False
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, key)
