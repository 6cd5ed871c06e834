"""What runtimes for files have in common: a program that they run, in the file's own format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from coequal.subjects.artefacts.program import Port, Program, misfit

Tensor = torch.Tensor
Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Started:
    """A model in a runtime: a function of arrays, and the runtime's name with its version."""

    run: Callable[[Arrays], list[np.ndarray]]
    name: str


@dataclass(frozen=True)
class Cure:
    """A setting with which a runtime computes plain sums of products, and what it computes without."""

    settings: Mapping[str, str]
    why: str

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


@dataclass
class RuntimeProgram:
    """A file's program, run by a runtime: same ports, its own format only. It is not looked into."""

    file: Program
    started: Started
    sealed: bool = False
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        self.name, self.inputs, self.outputs = self.file.name, self.file.inputs, self.file.outputs
        self.carried: dict[str, str] = self.file.carried
        self.initial: dict[str, Tensor] = self.file.initial
        self.hints = self.file.hints

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        if wrong := misfit(self.inputs, tensors) or _format(self.inputs, tensors):
            raise ValueError(f"{self.name}: {wrong}")
        arrays = self.started.run([x.detach().contiguous().numpy() for x in tensors])
        return tuple(torch.from_numpy(np.ascontiguousarray(a)).clone() for a in arrays)

    def __deepcopy__(self, memo: dict) -> RuntimeProgram:
        return self  # a session that remembers nothing between its runs


def _format(ports: Sequence[Port], tensors: Sequence[Tensor]) -> str | None:
    """A runtime computes in the formats of the file."""
    for port, tensor in zip(ports, tensors, strict=True):
        if port.dtype != tensor.dtype:
            return f"its input {port} is of {port.dtype}, and was given {tensor.dtype}"
    return None
