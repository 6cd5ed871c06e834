"""Which inputs a result depends on, by running: what is written into memory that others look at, they depend on as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Tensor = torch.Tensor


class Dependence(TorchDispatchMode):
    """While it is entered, of each memory the names of the inputs that its numbers were made of."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.kept: list[Tensor] = []  # while it lives, no other memory has its address
        self.names: dict[int, frozenset[str]] = {}
        for name, tensor in named.items():
            self._note(tensor, frozenset({name}))

    def of(self, x: Tensor) -> frozenset[str]:
        """The names of the inputs that a tensor was made of."""
        return self.names.get(x.untyped_storage()._cdata, frozenset())

    def _note(self, x: Tensor, names: frozenset[str]) -> None:
        self.kept.append(x)
        self.names[x.untyped_storage()._cdata] = self.of(x) | names

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        names = frozenset[str]().union(*map(self.of, given))
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                self._note(x, names)
        if func._schema.is_mutable:
            for x, argument in zip(args, func._schema.arguments, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write and isinstance(x, Tensor):
                    self._note(x, names)
        return result
