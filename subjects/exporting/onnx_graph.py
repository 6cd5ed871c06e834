"""A program of torch.export as a model of ONNX: a node or two for each operation, weights by name, nothing folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves

from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.onnx_operations import written
from coequal.subjects.exporting.onnx_writer import Writer, shape_of

OPSET, IR = 18, 9
MISSING = "ONNX files need the package onnx: pip install 'coequal[onnx]'"


def model_of(program: Any, outputs: Sequence[str], hints: Mapping[str, str]) -> Any:
    """The model, with these names of outputs; `hints` stand in it as metadata.

    BadSubject: an operation has no operator here, names collide, or onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise BadSubject(MISSING) from None

    writer, given = Writer(), list[Any]()
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    values = {**program.state_dict, **program.constants}
    known = _without_inputs(program.graph)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            if spec.kind.name == "USER_INPUT":
                writer.value[node] = node.name
                given.append(_info(writer.value[node], node))
            elif node.users:
                writer.value[node] = (spec.target or node.name).removeprefix("net.")
                writer.held[writer.value[node]] = np.ascontiguousarray(values[spec.target].detach().numpy())
        elif node in known:
            if not known.keys() >= node.users.keys():
                writer.value[node] = writer.constant(known[node].numpy())
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
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise BadSubject(f"its graph is no legal one: {str(error).strip().splitlines()[0]}") from None
    return model


def _without_inputs(graph: Any) -> dict[Any, torch.Tensor]:
    """The tensors that depend on no input and no weight, such as masks by age: they are computed now."""
    known = dict[Any, torch.Tensor]()
    for node in graph.nodes:
        drawn = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
        if node.op == "call_function" and not drawn and known.keys() >= set(node.all_input_nodes):
            made = node.target(*map_arg(node.args, known.__getitem__), **map_arg(node.kwargs, known.__getitem__))
            if isinstance(made, torch.Tensor):
                known[node] = made.detach().contiguous()
    return known


def _info(name: str, node: Any) -> Any:
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=node.meta["val"].dtype).numpy().dtype)
    return onnx.helper.make_tensor_value_info(name, kind, [n if n is not None else "batch" for n in shape_of(node)])
