"""Functions of torch whose arguments may begin with a number: what passes for a tensor may not come near them.

torch's parser of arguments asks `isinstance(x, Tensor)` and, where a tensor without axes may stand for a number, reads its
memory. A watched number passes for a tensor and has none. While numbers are watched these functions are asked here.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from coequal.equivalence.memory.watched import TensorCounter, seen

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **{"remainder": operator.mod, "bitwise_and": operator.and_, "bitwise_right_shift": operator.rshift},
}


@functools.cache
def names() -> tuple[str, ...]:
    """Those of `torch` that have a form whose first argument is a number and another a tensor."""
    found = set()
    for schema in torch._C._jit_get_all_schemas():
        kinds = [str(argument.type) for argument in schema.arguments]
        if schema.name.startswith("aten::") and kinds[:1] == ["number"] and "Tensor" in kinds:
            found.add(schema.name.removeprefix("aten::"))
    return tuple(sorted(name for name in found if callable(getattr(torch, name, None))))


@contextlib.contextmanager
def watchable() -> Iterator[None]:
    """Inside, these functions know watched numbers."""
    with contextlib.ExitStack() as stack:
        for name in names():
            stack.enter_context(mock.patch.object(torch, name, _asked(name, getattr(torch, name))))
        yield


def _asked(name: str, function: Callable) -> Callable:
    @functools.wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        if type(args[0] if args else None) is TensorCounter and name in OPERATORS and len(args) == 2 and not kwargs:
            return OPERATORS[name](*args)
        return function(*seen(args, name), **dict(zip(kwargs, seen(tuple(kwargs.values()), name), strict=True)))

    return asked
