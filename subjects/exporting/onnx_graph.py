"""A program of torch.export as a model of ONNX: a node or two for each operation, weights by name, nothing folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor
OPSET, IR = 18, 9
MISSING = "ONNX files need the package onnx: pip install 'coequal[onnx]'"


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


def model_of(program: Any, outputs: Sequence[str], hints: Mapping[str, str], inputs: Mapping[str, str] | None = None) -> Any:
    """The model, with these names of outputs. BadSubject: an operation has no operator here, or onnx is not installed.

    `inputs` renames inputs; `hints` stand in the file as metadata.
    """
    try:
        import onnx
    except ImportError:
        raise BadSubject(MISSING) from None
    from coequal.subjects.exporting.onnx_operations import written

    writer, renamed, given = Writer(), inputs or {}, list[Any]()
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    values = {**program.state_dict, **program.constants}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            if spec.kind.name == "USER_INPUT":
                writer.value[node] = renamed.get(node.name, node.name)
                given.append(_info(writer.value[node], node))
            elif node.users:
                writer.value[node] = (spec.target or node.name).removeprefix("net.")
                writer.held[writer.value[node]] = np.ascontiguousarray(values[spec.target].detach().numpy())
        elif node.op == "call_function":
            writer.value[node] = written(writer, node)
        elif node.op == "output":
            results = [x for x in tree_leaves(node.args[0]) if x is not None]
            for name, result in zip(outputs, results, strict=True):
                writer.nodes.append(onnx.helper.make_node("Identity", [writer.value[result]], [name], name=name))
            made = [_info(name, result) for name, result in zip(outputs, results, strict=True)]
    held = [onnx.numpy_helper.from_array(array, name) for name, array in writer.held.items()]
    graph = onnx.helper.make_graph(writer.nodes, "step", given, made, held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.helper.set_model_props(model, dict(hints))
    onnx.checker.check_model(model)
    return model


def _info(name: str, node: Any) -> Any:
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=node.meta["val"].dtype).numpy().dtype)
    return onnx.helper.make_tensor_value_info(name, kind, [n if n is not None else "batch" for n in shape_of(node)])
