"""Files of torch.jit (`.pt`, `.ts`, `.jit`): a scripted or traced module whose states are arguments and results."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from coequal.subjects.artefacts.program import Port
from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor


def serves(path: Path) -> bool:
    """Whether the file is TorchScript: `.ts`, `.jit`, or a `.pt` that holds code."""
    if path.suffix in (".ts", ".jit"):
        return True
    if path.suffix != ".pt" or not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def opened(path: Path) -> ScriptedStep:
    """The module of a file. BadSubject: it is none."""
    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:
        raise BadSubject(
            f"{path} is no file of torch.jit: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        ) from None
    return ScriptedStep(module, str(path))


class ScriptedStep:
    """A scripted module as a function of tensors. Of sizes it says nothing, and what it remembers cannot be seen."""

    def __init__(self, module: Any, name: str) -> None:
        self.name, self.carried, self.initial, self.sealed = name, dict[str, str](), dict[str, Tensor](), False
        self.hints: dict[str, int] = {}
        self.notes = ("a module of torch.jit: what it remembers beside its states cannot be seen",)
        schema = module.forward.schema
        names = [argument.name for argument in schema.arguments[1:]]
        if any(str(argument.type) != "Tensor" for argument in schema.arguments[1:]):
            raise BadSubject(f"{name}: forward takes other things than tensors: {schema}")
        kinds = [str(kind) for kind in _flat(schema.returns[0].type)]
        self.inputs = tuple(Port(name, None, torch.float32) for name in names)
        self.outputs = tuple(Port(f"output_{i}", None, torch.float32) for i, _ in enumerate(kinds))
        self.modules = {torch.float32: module}

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        run = next((x.dtype for x in tensors if x.is_floating_point()), torch.float32)
        if run not in self.modules:
            self.modules[run] = torch.jit.load(self.name, map_location="cpu").eval().to(run)
        return tuple(tree_leaves(self.modules[run](*tensors)))

    def __deepcopy__(self, memo: dict) -> ScriptedStep:
        return self


def _flat(kind: Any) -> list[Any]:
    """The types within a tuple, or the one type."""
    return [part for inner in kind.elements() for part in _flat(inner)] if kind.kind() == "TupleType" else [kind]
