"""A graph of ONNX that grows node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

Tensor = torch.Tensor


class Writer:
    """A graph of ONNX that grows node by node; `value[node]` is what stands for a node of torch's graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.held: dict[str, np.ndarray] = {}
        self.value: dict[Any, Any] = {}

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """The name of the output of a new node; inputs are names, nodes of torch's graph, or numbers."""
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: Any, **attributes: Any) -> list[str]:
        """The same of a node with several outputs."""
        import onnx

        place = len(self.nodes)
        names = [f"{kind.lower()}_{place}" + (f"_{i}" if count > 1 else "") for i in range(count)]
        given = [self.named(x) for x in inputs]
        self.nodes.append(onnx.helper.make_node(kind, given, names, name=f"{kind.lower()}_{place}", **attributes))
        return names

    def named(self, x: Any) -> str:
        """The name under which a value stands."""
        if isinstance(x, str):
            return x
        if isinstance(x, torch.fx.Node):
            return self.value[x]
        return self.whole([x]) if isinstance(x, int) else self.whole(x)

    def whole(self, numbers: Sequence[Any]) -> str:
        """Whole numbers as a constant of the graph."""
        return self.constant(np.array(numbers, np.int64))

    def number(self, x: float, like: Tensor) -> str:
        """A number in the format of a tensor."""
        return self.constant(np.array(x, torch.empty(0, dtype=like.dtype).numpy().dtype))

    def constant(self, array: np.ndarray) -> str:
        """A constant; equal ones are held once."""
        for name, other in self.held.items():
            alike = name.startswith("constant_") and other.dtype == array.dtype and other.shape == array.shape
            if alike and other.tobytes() == array.tobytes():
                return name
        name = f"constant_{len(self.held)}"
        self.held[name] = array
        return name


def shape_of(node: Any) -> list[int | None]:
    """Sizes of a node's tensor; None for the number of rows, which varies."""
    return [n if isinstance(n, int) else None for n in node.meta["val"].shape]
