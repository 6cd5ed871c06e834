"""The linear nodes of a program of torch.export, each with inputs of its own, side by side in one module."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from coequal.subjects.artefacts.functional import Functional
from coequal.subjects.artefacts.parts import ALL, FACTORS, Part, whole
from coequal.subjects.artefacts.pt2 import ExportedStep

Tensor = torch.Tensor
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "convolution": (0, 1)}  # places of the factors


@dataclass(frozen=True)
class Call:
    """A node as it was computed; `inputs` are the tensors among its arguments, in order."""

    name: str
    kind: str
    target: Any
    arguments: Any
    inputs: tuple[Tensor, ...]

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        left = iter(tensors)
        arguments, named = tree_map(lambda x: next(left) if isinstance(x, Tensor) else x, self.arguments)
        return self.target(*arguments, **named)

    @property
    def terms(self) -> int:
        """The greatest number of products in one sum."""
        first, second = (self.arguments[0][place] for place in PRODUCTS[self.kind])
        if self.kind != "convolution":
            return first.shape[-1]
        return second.shape[0] * math.prod(second.shape[2:]) if self.arguments[0][6] else math.prod(second.shape[1:])


class Beside(nn.Module):
    """Nodes that have nothing to do with one another: the inputs of all of them in a row, an output for each."""

    def __init__(self, calls: Sequence[Call]) -> None:
        super().__init__()
        self.calls = list(calls)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The output of each node."""
        left = iter(tensors)
        return tuple(call([next(left) for _ in call.inputs]) for call in self.calls)


class _Watched(torch.fx.Interpreter):
    """The graph, node by node; products are noted."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.calls: list[Call] = []

    def run_node(self, n: Any) -> Any:
        kind = getattr(getattr(n.target, "overloadpacket", None), "__name__", "")
        if n.op == "call_function" and kind in PRODUCTS:
            arguments = self.fetch_args_kwargs_from_env(n)
            inputs: list[Tensor] = []
            tree_map(lambda x: inputs.append(x) if isinstance(x, Tensor) else None, arguments)
            if all(x.dtype == torch.float32 for x in inputs):
                self.calls.append(Call(f"{kind} {n.name}", kind, n.target, arguments, tuple(inputs)))
        return super().run_node(n)


def parts(step: ExportedStep, tensors: tuple[Tensor, ...], seed: int = 0) -> Iterator[Part]:
    """Every product and convolution of floats that is executed for these inputs, twice; all are of one model."""
    generator = torch.Generator().manual_seed(seed)
    watched = _Watched(_core(step, tensors))
    watched.run(*tensors)
    calls = [call for call in watched.calls if _alpha(call)]
    if not calls:
        return
    model = Beside(calls)
    for factor, wide in enumerate(FACTORS):
        drawn = [_drawn(call, factor, generator) for call in calls]
        inputs = tuple(x for some in drawn for x in some)
        for place, (call, some) in enumerate(zip(calls, drawn, strict=True)):
            exact = call([x.double() for x in some])
            assert float(exact.abs().max()) <= 2.0**ALL
            yield Part(call.name, wide, model, inputs, exact.float(), place)


def _core(step: ExportedStep, tensors: tuple[Tensor, ...]) -> Any:
    """The graph in torch's core operations, where recurrent layers are products."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of its own code
        return torch.export.export(Functional(step), tensors).run_decompositions().module()


def _alpha(call: Call) -> bool:
    """Whether its own factors are whole numbers."""
    return all(float(call.arguments[1].get(name, 1.0)).is_integer() for name in ("alpha", "beta"))


def _drawn(call: Call, factor: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """A factor has many digits where it is the wide one; what is added has, too."""
    factors = PRODUCTS[call.kind]
    places = [i for i, x in enumerate(call.arguments[0]) if isinstance(x, Tensor)]
    wide = [place not in factors or place == factors[factor] for place in places]
    return tuple(whole(x, call.terms, many, generator) for x, many in zip(call.inputs, wide, strict=True))
