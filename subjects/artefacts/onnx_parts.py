"""Each linear node of a file by itself, as a model of one node, with whole numbers for which every partial sum is exact.

A product of two whole numbers below 2^a and 2^b is below 2^(a + b), a sum of K of them below K 2^(a + b). While that is at
most 2^24, single precision holds every partial sum in every order, and a runtime that computes plain sums of products gives
the very numbers. One factor is given 13 bits, more than TF32 and bfloat16 hold, then the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from coequal.subjects.artefacts.onnx_file import OnnxProgram, Watched

Tensor = torch.Tensor
LINEAR = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
WIDE, ALL = 13, 24  # bits of one factor, and of a sum


@dataclass(frozen=True)
class Part:
    """One linear node: a model of it alone, inputs of whole numbers, and what comes out exactly."""

    node: str
    wide: str  # which of the two factors has many digits
    model: Any
    inputs: tuple[Tensor, ...]
    exact: Tensor


def parts(program: OnnxProgram, tensors: tuple[Tensor, ...], seed: int = 0) -> Iterator[Part]:
    """Every linear node of floats that is executed for these inputs, twice."""
    generator = torch.Generator().manual_seed(seed)
    for seen in program.watched(tensors):
        if seen.node.kind in LINEAR and _whole(seen) and all(x is None or x.dtype == torch.float32 for x in seen.inputs):
            for factor, wide in enumerate(("data", "weights")):
                yield _part(seen, program, factor, wide, generator)


def _part(seen: Watched, program: OnnxProgram, factor: int, wide: str, generator: torch.Generator) -> Part:
    terms = _terms(seen)
    narrow = max(1, int(2 ** (ALL - 1 - WIDE) / terms))
    bits = min(2**WIDE, 2 ** (ALL - 1) // terms)
    inputs = []
    for place, x in enumerate(seen.inputs):
        if x is None:
            continue
        most = bits if place == factor or place > 1 else narrow
        inputs.append(torch.randint(-most, most + 1, x.shape, generator=generator).float())
    model = seen.alone(program.model)
    (exact,) = OnnxProgram(model, seen.node.name)(*(x.double() for x in inputs))
    assert float(exact.abs().max()) <= 2.0**ALL
    return Part(str(seen.node), wide, model, tuple(inputs), exact.float())


def _whole(seen: Watched) -> bool:
    """Whether its own factors are whole numbers."""
    return all(float(seen.node.get(name, 1.0)).is_integer() for name in ("alpha", "beta"))


def _terms(seen: Watched) -> int:
    """The greatest number of products in one sum."""
    a, b = seen.inputs[0], seen.inputs[1]
    assert a is not None
    assert b is not None
    if seen.node.kind == "Conv":
        return math.prod(b.shape[1:])
    if seen.node.kind == "ConvTranspose":
        return b.shape[0] * math.prod(b.shape[2:])
    return a.shape[0] if seen.node.get("transA", 0) else a.shape[-1]
