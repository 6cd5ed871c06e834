"""Counting without computing: fake tensors have shapes, types and no contents; sizes may be letters.

    clip_executed(module, example)                 integers, in about the time that Python needs to walk through the model
    clip_executed(module, example, letters="BCTHW")   expressions in B, T, H, W: torch's symbolic sizes, as sympy

A letter is an axis of the example: batch, time and space may be letters, channels are what the weights are made for. An axis
of one element stays a number (torch specialises 0 and 1), and so does one that the module fixes, for instance by a linear
layer behind `flatten`. A model whose shapes depend on the values of its input cannot be counted this way: CostError says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sympy
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    GuardOnDataDependentSymNode,
    ShapeEnv,
    StatelessSymbolicContext,
)
from torch.utils._pytree import tree_leaves
from torch.utils._sympy import functions

from coequal.proofs.cost.algebra.counts import CostError, Size, simplified
from coequal.proofs.cost.algebra.symbols import LETTERS, ceil_div, floor_div
from coequal.proofs.cost.executed.counter import Executed, count

DATA_DEPENDENT = (DataDependentOutputException, DynamicOutputShapeException, GuardOnDataDependentSymNode)


def clip_executed(module: torch.nn.Module, example: torch.Tensor, letters: str = "") -> Executed:
    """What `module(example)` would execute; `letters` names its axes, of which all but C and E become letters."""
    environment = ShapeEnv()
    with faked(environment if letters else None) as mode:
        clip = mode.from_tensor(example, symbolic_context=_context(letters)) if letters else mode.from_tensor(example)
        executed = count(lambda: module(clip), module)
        if not any(isinstance(x, torch.Tensor) for x in tree_leaves(executed.result)):
            raise CostError("data-dependent shape: on tensors without contents the clip mode returned no tensor")
        executed.result = None
    if not letters:
        return executed
    sizes: tuple[Any, ...] = tuple(clip.shape)
    names = {s.node.expr: LETTERS[c] for c, s in zip(letters, sizes, strict=True) if isinstance(s, torch.SymInt)}
    executed.fixed = {str(c): int(fixed) for s, c in names.items() if (fixed := environment.replace(s)).is_Integer}
    return executed.map(lambda size: translated(size, environment, names))


@contextlib.contextmanager
def faked(environment: ShapeEnv | None = None) -> Iterator[FakeTensorMode]:
    """Within it nothing is computed; a shape that depends on values is a CostError."""
    with FakeTensorMode(shape_env=environment, allow_non_fake_inputs=True) as mode:
        try:
            yield mode
        except DATA_DEPENDENT as error:
            raise CostError(
                "data-dependent shape: what runs depends on the values of the input, so there is no count for all inputs"
                f" ({' '.join(str(error).split())[:120]}); count it with numbers, or on the part that does not"
            ) from None


def _context(letters: str) -> StatelessSymbolicContext:
    dynamic = [DimDynamic.STATIC if letter in "CE" else DimDynamic.DYNAMIC for letter in letters]
    return StatelessSymbolicContext(dynamic_sizes=dynamic)


def translated(size: Size, environment: ShapeEnv, names: dict[Any, Any]) -> Size:
    """From torch's symbols and functions to letters and one kind of rounding."""
    if isinstance(size, int):
        return size
    expression = environment.replace(sympy.sympify(size)).subs(names)
    for function in (functions.FloorDiv, functions.CleanDiv):
        expression = expression.replace(function, _floor)
    expression = expression.replace(functions.IntTrueDiv, lambda a, b: a / b)
    expression = expression.replace(functions.CeilDiv, lambda a, b: ceil_div(a, int(b)))
    return simplified(expression)


def _floor(a: Any, b: Any) -> Any:
    return floor_div(a, int(b)) if b.is_Integer else sympy.floor(a / b)
