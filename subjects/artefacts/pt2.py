"""Programs of torch.export (`.pt2`): buffers that they change are states that go in and come out, like any other."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from coequal.subjects.artefacts.program import Formats, Port, hints_of, misfit, own_format
from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor
KNOWN = ("aten", "prims", "_operator", "math")  # whose operations remember nothing


def serves(path: Path) -> bool:
    """Whether the file is an exported program, by its name."""
    return path.suffix == ".pt2"


def opened(path: Path) -> ExportedStep:
    """The program of a file. BadSubject: it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its own code
            said: dict[str, Any] = dict.fromkeys(("coequal.time", "coequal.ignore"), "")
            return ExportedStep(torch.export.load(str(path), extra_files=said), str(path), said)
    except BadSubject:
        raise
    except Exception as error:
        raise BadSubject(
            f"{path} is no exported program: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        ) from None


class ExportedStep:
    """An exported program as a function of tensors: what it changes, buffers and inputs, it returns instead."""

    def __init__(self, program: Any, name: str, said: Mapping[str, Any]) -> None:
        self.name, self.hints = name, hints_of({key: str(value) for key, value in said.items()})
        program = program.run_decompositions({})  # every change of a buffer or an input becomes an output
        signature, self.module = program.graph_signature, program.graph_module
        placeholders = [node for node in self.module.graph.nodes if node.op == "placeholder"]
        kinds = [spec.kind.name for spec in signature.input_specs]
        values = {**program.state_dict, **program.constants}
        changed = set(signature.buffers_to_mutate.values())
        self.held: list[tuple[int, Tensor]] = []  # parameters and constants, by the place of their placeholder
        self.free: list[int] = []
        self.initial: dict[str, Tensor] = {}
        ports = []
        for place, (node, spec, kind) in enumerate(zip(placeholders, signature.input_specs, kinds, strict=True)):
            if kind not in ("USER_INPUT", "PARAMETER", "BUFFER", "CONSTANT_TENSOR"):
                raise BadSubject(f"{name}: an input of the kind {kind.lower()} has no meaning here")
            meta = node.meta["val"]
            if kind == "USER_INPUT" or spec.target in changed:
                if not isinstance(meta, Tensor):
                    raise BadSubject(f"{name}: the input {node.name} is no tensor")
                port = spec.target if kind == "BUFFER" else node.name
                self.free.append(place)
                ports.append(Port(port, tuple(_size(n) for n in meta.shape), meta.dtype))
                if kind == "BUFFER":
                    self.initial[port] = values[spec.target].detach().clone()
            else:
                self.held.append((place, values[spec.target].detach()))
        self.inputs = tuple(ports)
        self.outputs, self.carried = _returned(self.module, signature, self.inputs)
        self.read = [spec.target for spec, kind in zip(signature.input_specs, kinds, strict=True) if kind == "BUFFER"]
        self.read = [name for name in self.read if name not in changed]
        self.format = own_format(self.inputs)
        self.copies: dict[torch.dtype, dict[int, Any]] = {}
        strange = sorted({op for node in self.module.graph.nodes if (op := _strange(node))})
        self.sealed = not strange
        self.notes = tuple(f"the program calls {op}: what that remembers cannot be seen" for op in strange)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        if wrong := misfit(self.inputs, tensors):
            raise ValueError(f"{self.name}: {wrong}")
        run = next((x.dtype for x in tensors if x.is_floating_point()), self.format)
        if run not in self.copies:
            self.copies[run] = {place: _in_format(t, Formats(self.format, run)) for place, t in self.held}
        given = {**self.copies[run], **dict(zip(self.free, tensors, strict=True))}
        arguments = [given[place] for place in range(len(given))]
        results = _Run(self.module, Formats(self.format, run)).run(*arguments)
        return tuple(x for x in tree_leaves(results) if x is not None)

    def variants(self, clip: torch.nn.Module | None) -> Iterator[tuple[str, None]]:
        """Buffers that are read and never written to, where the clip has none: what would be their states is lost."""
        known = () if clip is None else [name for name, _ in clip.named_buffers()]
        for name in self.read:
            if not any(name == other or name.endswith(f".{other}") for other in known):
                yield f"the buffer {name} is read and never written to: was a write to it (copy_) lost in the export?", None

    def __deepcopy__(self, memo: dict) -> ExportedStep:
        return self  # nothing in it changes


def _size(n: Any) -> int | str:
    return n if isinstance(n, int) else str(n)


def _in_format(tensor: Tensor, formats: Formats) -> Any:
    """A weight of the file is the very number that it is; several, in a tensor, are weights."""
    if not tensor.is_floating_point():
        return tensor
    wide = tensor.to(formats.of(tensor.dtype), copy=True)
    return torch.nn.Parameter(wide, requires_grad=False) if tensor.numel() > 1 else wide


def _returned(module: Any, signature: Any, inputs: tuple[Port, ...]) -> tuple[tuple[Port, ...], dict[str, str]]:
    """What comes out, and which of it is the new state of which input."""
    (end,) = (node for node in module.graph.nodes if node.op == "output")
    ports, carried = [], dict[str, str]()
    fresh = (f"output_{i}" for i in itertools.count())
    for node, spec in zip(tree_leaves(end.args[0]), signature.output_specs, strict=True):
        meta = getattr(node, "meta", {}).get("val")
        if meta is None:
            continue
        if not isinstance(meta, Tensor):
            raise BadSubject(f"the output {node} is no tensor")
        name = next(fresh) if spec.kind.name == "USER_OUTPUT" else f"{spec.target} after"
        ports.append(Port(name, tuple(_size(n) for n in meta.shape), meta.dtype))
        if spec.kind.name in ("BUFFER_MUTATION", "USER_INPUT_MUTATION"):
            carried[spec.target] = name
    return tuple(ports), carried


def _strange(node: Any) -> str | None:
    """The name of an operation that is not torch's own."""
    if node.op in ("placeholder", "output", "get_attr"):
        return None
    target = node.target
    space = getattr(target, "namespace", None) or getattr(target, "__module__", "")
    return None if node.op == "call_function" and space in KNOWN else f"{target}"


class _Run(torch.fx.Interpreter):
    """The graph, node by node; formats that stand in it are those of the run."""

    def __init__(self, module: Any, formats: Formats) -> None:
        super().__init__(module, garbage_collect_values=True)
        self.formats = formats

    def call_function(self, target: Any, args: tuple, kwargs: dict) -> Any:
        if "_assert_tensor_metadata" in str(target):  # of formats, which are others in another precision
            return None
        args, kwargs = tree_map(self._format, (args, kwargs))
        if target is torch.ops.aten.copy.default:  # which has no derivative
            return args[1].to(args[0].dtype).expand(args[0].shape).clone()
        return super().call_function(target, args, kwargs)

    def _format(self, x: Any) -> Any:
        return self.formats.of(x) if isinstance(x, torch.dtype) else x
