"""ONNX files: the graph is interpreted by torch, node by node, so that exact arithmetic runs over it, too."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from coequal.subjects.artefacts import operators
from coequal.subjects.artefacts.numbers import meant
from coequal.subjects.artefacts.onnx_changes import changed
from coequal.subjects.artefacts.onnx_folds import misfolded, unfolded
from coequal.subjects.artefacts.operators.table import OPERATORS as MEANINGS
from coequal.subjects.artefacts.operators.table import Node, check, computing
from coequal.subjects.artefacts.program import Formats, Port, Size, hints_of, misfit, own_format
from coequal.subjects.errors import BadSubject
from coequal.subjects.listing import modules_of

Tensor = torch.Tensor
OLDEST = 13
FEW_BITS = ("INT2", "UINT2", "INT4", "UINT4")
MISSING = "needs the package onnx: pip install 'coequal[onnx]'"
modules_of(operators, "__name__")  # registers all meanings


def serves(path: Path) -> bool:
    """Whether the file is one of ONNX, by its name."""
    return path.suffix == ".onnx"


def opened(path: Path) -> OnnxProgram:
    """The program of a file. BadSubject: it is none, or something in it has no meaning."""
    try:
        import onnx
    except ImportError:
        raise BadSubject(f"{path} {MISSING}") from None
    try:
        model = onnx.load(str(path))
    except Exception as error:
        raise BadSubject(f"{path} is no ONNX file: {type(error).__name__}: {str(error).strip().splitlines()[0]}") from None
    return OnnxProgram(model, str(path))


class OnnxProgram:
    """A model of ONNX as a function of tensors; it remembers nothing from one call to the next."""

    def __init__(self, model: Any, name: str) -> None:
        self.name, self.model, self.sealed = name, model, True
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
        if self.opset < OLDEST:
            raise BadSubject(f"{name} is of opset {self.opset}: meanings are read from opset {OLDEST} on")
        if model.functions:
            raise BadSubject(f"{name} holds functions of its own ({model.functions[0].name}): inline them first")
        held = {tensor.name for tensor in model.graph.initializer}
        self.inputs = tuple(_port(info) for info in model.graph.input if info.name not in held)
        self.outputs = tuple(_port(info) for info in model.graph.output)
        self.carried: dict[str, str] = {}
        self.initial: dict[str, Tensor] = {}
        self.notes: tuple[str, ...] = ()
        self.hints = hints_of({said.key: said.value for said in model.metadata_props})
        self.format = own_format(self.inputs)
        self.meant: dict[str, float] = {}  # single numbers that were taken for simple ones
        self.graph(Formats(self.format, self.format))  # what has no meaning is refused now

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        if wrong := misfit(self.inputs, tensors):
            raise ValueError(f"{self.name}: {wrong}")
        run = next((x.dtype for x in tensors if x.is_floating_point()), self.format)
        given = dict(zip((port.name for port in self.inputs), tensors, strict=True))
        return self.graph(Formats(self.format, run)).run(given)

    def watched(self, tensors: Sequence[Tensor]) -> list[Watched]:
        """The nodes of the graph, with what goes in for these inputs."""
        seen: list[Watched] = []
        named = dict(zip((port.name for port in self.inputs), tensors, strict=True))
        self.graph(Formats(self.format, self.format)).run(named, seen)
        return seen

    def beside(self, clip: nn.Module) -> OnnxProgram:
        """The same, with norms of the clip unfolded that it holds folded."""
        model, notes = unfolded(self.model, clip)
        other = OnnxProgram(model, self.name) if notes else self
        other.notes = notes
        return other

    def variants(self, clip: nn.Module | None) -> Iterator[tuple[str, OnnxProgram | None]]:
        """What usually goes wrong in an export, each in words, with the program that is without it."""
        if clip is not None:
            yield from ((says, None) for says in misfolded(self.model, clip))
        for says, model in changed(self.model, {} if clip is None else clip.state_dict()):
            with contextlib.suppress(BadSubject):
                yield says, OnnxProgram(model, self.name)

    @functools.cache  # noqa: B019  # few formats, as long as the program lives
    def graph(self, formats: Formats) -> Graph:
        """The same, ready to be run in a format."""
        return Graph(self.model.graph, self.opset, formats)

    def __deepcopy__(self, memo: dict) -> OnnxProgram:
        return self  # nothing in it changes


@dataclass(frozen=True)
class Watched:
    """A node that was computed, and its inputs."""

    node: Node
    inputs: tuple[Tensor | None, ...]

    def alone(self, model: Any) -> Any:
        """A model of this node alone, whose inputs are all given."""
        import onnx

        info = onnx.helper.make_tensor_value_info
        proto = next(n for n in model.graph.node if n.output[0] == self.node.outputs[0])
        names = [f"x{i}" if x is not None else "" for i, x in enumerate(self.inputs)]
        given = [info(n, _kind(x.dtype), list(x.shape)) for n, x in zip(names, self.inputs, strict=True) if x is not None]
        node = onnx.NodeProto()
        node.CopyFrom(proto)
        node.input[:] = names
        node.output[:] = ["y"]
        graph = onnx.helper.make_graph([node], "alone", given, [onnx.ValueInfoProto(name="y")])
        alone = onnx.helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
        return onnx.shape_inference.infer_shapes(alone)


def _kind(dtype: torch.dtype) -> int:
    """The number of ONNX for a format of torch."""
    import onnx

    name = str(dtype).removeprefix("torch.")
    return onnx.TensorProto.DataType.Value({"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper()))


def _port(info: Any) -> Port:
    import onnx

    if info.type.WhichOneof("value") != "tensor_type":
        raise BadSubject(f"the input or output {info.name} is no tensor")
    kind = info.type.tensor_type
    sizes: tuple[Size, ...] | None = None
    if kind.HasField("shape"):
        sizes = tuple(d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in kind.shape.dim)
    return Port(info.name, sizes, _dtype(kind.elem_type, onnx))


def _dtype(number: int, onnx: Any) -> torch.dtype:
    """The format of torch for one of ONNX."""
    called = str(onnx.TensorProto.DataType.Name(number)).lower()
    name = {"float": "float32", "double": "float64"}.get(called, called)
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise BadSubject(f"the format {name} has no meaning here")
    return found


class Graph:
    """Nodes in order, over names; graphs inside see the names of those around them."""

    def __init__(self, graph: Any, opset: int, formats: Formats) -> None:
        self.inputs, self.outputs = [i.name for i in graph.input], [o.name for o in graph.output]
        _few_bits(graph)
        self.constants = {t.name: tensor_of(t, formats) for t in graph.initializer}
        if graph.sparse_initializer:
            raise BadSubject("sparse initializers have no meaning here")
        self.nodes: list[tuple[Node, dict[str, Graph]]] = []
        self.folded: set[str] = set()  # outputs of nodes that were computed before the run
        read = _read(graph)
        for proto in graph.node:
            graphs = {a.name: Graph(a.g, opset, formats) for a in proto.attribute if a.HasField("g")}
            given = {a.name: _attribute(a, formats) for a in proto.attribute}
            inputs, outputs = tuple(proto.input), tuple(proto.output)
            unread = frozenset(outputs) - read
            node = Node(proto.op_type, proto.name, inputs, outputs, given, opset, formats, unread=unread)
            check(node, proto.domain)
            self.nodes.append((node, graphs))
        self._dequantise(graph, formats)

    def _dequantise(self, graph: Any, formats: Formats) -> None:
        """Weights of 8 bits, the very numbers that a runtime makes of them: products, rounded in the file's format."""
        own, held = Formats(formats.own, formats.own), {tensor.name: tensor for tensor in graph.initializer}
        for node, _ in self.nodes:
            if node.kind == "DequantizeLinear" and {"", *held} >= set(node.inputs):
                given = [None if not name else tensor_of(held[name], own) for name in node.inputs]
                made = _applied(dataclasses.replace(node, formats=own), given)
                self.constants[node.outputs[0]] = torch.nn.Parameter(made.to(formats.of(made.dtype)), requires_grad=False)
                self.folded.add(node.outputs[0])

    def run(self, given: dict[str, Tensor], watch: list[Watched] | None = None) -> tuple[Tensor, ...]:
        """The outputs for inputs by name; nodes with their inputs are noted in `watch`."""
        known: dict[str, Any] = {"": None, **given, **{n: t for n, t in self.constants.items() if n not in given}}
        for node, graphs in self.nodes:
            if node.outputs[0] in self.folded:
                continue
            bodies = {name: functools.partial(_body, graph, known) for name, graph in graphs.items()}
            if watch is not None:
                watch.append(Watched(node, tuple(known[name] for name in node.inputs)))
            result = _applied(_with(node, bodies) if bodies else node, [known[name] for name in node.inputs])
            results = result if isinstance(result, (tuple, list)) else (result,)
            known.update((name, value) for name, value in zip(node.outputs, results, strict=False) if name)
        return tuple(known[name] for name in self.outputs)


def _few_bits(graph: Any) -> None:
    """BadSubject where numbers of fewer than 8 bits are for anything but DequantizeLinear: torch computes with none."""
    import onnx

    for tensor in graph.initializer:
        kind = onnx.TensorProto.DataType.Name(tensor.data_type)
        others = [node for node in graph.node if tensor.name in node.input and node.op_type != "DequantizeLinear"]
        if kind in FEW_BITS and others:
            raise BadSubject(f"the format {kind.lower()} of {tensor.name} has no meaning in {others[0].op_type} here")


def _read(graph: Any) -> set[str]:
    """The names that nodes read, also those in graphs inside, and the graph's outputs."""
    inside = [_read(a.g) for node in graph.node for a in node.attribute if a.HasField("g")]
    return {o.name for o in graph.output}.union(*(node.input for node in graph.node), *inside)


def _applied(node: Node, inputs: list[Any]) -> Any:
    """What the node gives; an error says which node it was."""
    try:
        with computing(node):
            return MEANINGS[node.kind].rule(node, *inputs)
    except (BadSubject, NodeRaised):
        raise
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NodeRaised(f"{node}: {first}") from error


class NodeRaised(ValueError):
    """A node could not be computed; the text says which."""


def _with(node: Node, bodies: dict[str, Any]) -> Node:
    return dataclasses.replace(node, bodies=bodies)


def _body(graph: Graph, around: dict[str, Any], *tensors: Tensor) -> tuple[Tensor, ...]:
    """A graph inside another one, on these inputs."""
    return graph.run({**around, **dict(zip(graph.inputs, tensors, strict=True))})


def _attribute(attribute: Any, formats: Formats) -> Any:
    """Its value: a number of single precision is the simple one it stands for where the run is finer."""
    import onnx

    if attribute.HasField("g"):
        return None
    if attribute.ref_attr_name:
        raise BadSubject(f"the attribute {attribute.name} refers to a function's: it has no meaning here")
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name in ("to", "dtype", "output_dtype") and isinstance(value, int):
        return _dtype(value, onnx) if value else None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        value = number(value, formats)
    if attribute.name in ("value_float", "value_int", "value_floats", "value_ints"):
        return _plain(value, "float" in attribute.name, formats)
    if isinstance(value, Sequence) and value and isinstance(value[0], bytes):
        return [text.decode() for text in value]
    return tensor_of(value, formats) if isinstance(value, onnx.TensorProto) else _listed(value)


def _plain(value: Any, floats: bool, formats: Formats) -> Tensor:
    return torch.tensor(_listed(value), dtype=formats.of(torch.float32) if floats else torch.int64)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def number(value: float, formats: Formats) -> float:
    """A single number of single precision, in a run of this format."""
    return meant(value) if formats.run == torch.float64 and formats.own == torch.float32 else value


def tensor_of(proto: Any, formats: Formats) -> Tensor:
    """What stands in the file. Several floats are weights, the very numbers that they are; a single one is a constant."""
    import onnx

    array = onnx.numpy_helper.to_array(proto)
    if (few := onnx.TensorProto.DataType.Name(proto.data_type)) in FEW_BITS:
        return torch.tensor(array.astype("uint8" if few.startswith("U") else "int8"))
    kind = _dtype(proto.data_type, onnx)
    if kind == torch.bfloat16:
        tensor = torch.tensor(array.astype("float32")).to(kind)
    else:
        tensor = torch.tensor(array.copy() if array.shape else array[()])
    if not kind.is_floating_point:
        return tensor
    wide = tensor.to(formats.of(kind))
    if tensor.numel() == 1 and kind == torch.float32:
        return torch.full(tensor.shape, number(float(tensor), formats), dtype=wide.dtype)
    return torch.nn.Parameter(wide, requires_grad=False) if tensor.numel() > 1 else wide
