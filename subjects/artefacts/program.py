"""What all artefacts are to the harness: a program with named inputs and outputs, in the precision of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

Tensor = torch.Tensor
Size = int | str | None  # a number, the name of a size that may vary, or nothing said
STANDARD = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Port:
    """An input or an output; `shape` None: nothing is said of it."""

    name: str
    shape: tuple[Size, ...] | None
    dtype: torch.dtype

    def __str__(self) -> str:
        return self.name if self.shape is None else f"{self.name} {shown(self.shape)}"

    @property
    def fixed(self) -> bool:
        """Whether every size is a number."""
        return self.shape is not None and all(isinstance(size, int) for size in self.shape)


def shown(shape: Sequence[Size]) -> str:
    """`(1, batch, ?)`."""
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


class Program(Protocol):
    """A function of tensors that remembers nothing: what a step remembers goes in and comes out.

    `inputs` and `outputs` are its ports in order; calling it takes and gives as many tensors. `carried` pairs inputs with
    outputs where the file says which state comes back as which; `initial` holds values for inputs, where the file has some.
    `sealed`: what it is made of is known, and remembers nothing. `hints`: what the file says of how it is fed, `time` and
    `ignore`, which the user may say otherwise.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    carried: dict[str, str]
    initial: dict[str, Tensor]
    sealed: bool
    notes: tuple[str, ...]
    hints: dict[str, int]

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class Formats:
    """Floating-point formats of a file in a run of another precision.

    The format that the file computes in becomes that of the run; a coarser one stays what it is, since a cast to it loses
    digits; a finer one is at least that of the run.
    """

    own: torch.dtype = torch.float32
    run: torch.dtype = torch.float32
    noted: set[str] = field(default_factory=set, compare=False)

    def of(self, dtype: torch.dtype) -> torch.dtype:
        """What stands for this format of the file."""
        if not dtype.is_floating_point or self.own == self.run:
            return dtype
        if torch.finfo(dtype).eps > torch.finfo(self.own).eps:
            return dtype
        return self.run if dtype == self.own else torch.promote_types(dtype, self.run)


def hints_of(said: Mapping[str, str]) -> dict[str, int]:
    """What metadata of a file say: `coequal.time`, the axis, and `coequal.ignore`, emissions that stand for no frame."""
    names = {f"coequal.{name}": name for name in ("time", "ignore")}
    return {names[key]: int(value) for key, value in said.items() if key in names and value.isdecimal()}


def own_format(ports: Sequence[Port]) -> torch.dtype:
    """The format that a file computes in: that of its first input of floats."""
    return next((port.dtype for port in ports if port.dtype.is_floating_point), torch.float32)


def misfit(ports: Sequence[Port], tensors: Sequence[Tensor]) -> str | None:
    """What is wrong with these inputs: their number, axes, or a size that the file fixes."""
    if len(ports) != len(tensors):
        return f"it takes {len(ports)} inputs, and was given {len(tensors)}"
    named: dict[str, int] = {}
    for port, tensor in zip(ports, tensors, strict=True):
        if port.shape is None:
            continue
        got = tuple(tensor.shape)
        bound = [
            named.setdefault(size, n) if isinstance(size, str) else size for size, n in zip(port.shape, got, strict=False)
        ]
        if len(got) != len(port.shape) or any(size not in (None, n) for size, n in zip(bound, got, strict=True)):
            return f"its input {port} was given {got}"
    return None
