"""Each linear node of a file of ONNX by itself, as a model of one node.

One of floats gets whole numbers for which every partial sum is exact; one of 8-bit numbers all that its format holds, and
the scales and zero points that it has in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from coequal.subjects.artefacts.onnx_file import OnnxProgram, Watched
from coequal.subjects.artefacts.parts import ALL, FACTORS, Part, whole

Tensor = torch.Tensor
LINEAR = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
INTEGER = {"MatMulInteger": (0, 1), "ConvInteger": (0, 1), "QLinearMatMul": (0, 3), "QLinearConv": (0, 3)}  # its factors


def parts(program: OnnxProgram, tensors: tuple[Tensor, ...], seed: int = 0) -> Iterator[Part]:
    """Every linear node that is executed for these inputs: one of floats twice, one of whole numbers once."""
    generator = torch.Generator().manual_seed(seed)
    for seen in program.watched(tensors):
        if seen.node.kind in INTEGER:
            yield _of_integers(seen, program, seen.alone(program.model), generator)
        elif seen.node.kind in LINEAR and _whole(seen) and all(x is None or x.dtype == torch.float32 for x in seen.inputs):
            model = seen.alone(program.model)
            yield from (_of_floats(seen, model, factor, generator) for factor in range(len(FACTORS)))


def _of_floats(seen: Watched, model: Any, factor: int, generator: torch.Generator) -> Part:
    terms, given = _terms(seen), [(place, x) for place, x in enumerate(seen.inputs) if x is not None]
    inputs = tuple(whole(x, terms, place == factor or place > 1, generator) for place, x in given)
    (exact,) = OnnxProgram(model, seen.node.name)(*(x.double() for x in inputs))
    assert float(exact.abs().max()) <= 2.0**ALL
    return Part(str(seen.node), FACTORS[factor], model, inputs, exact.float())


def _of_integers(seen: Watched, program: OnnxProgram, model: Any, generator: torch.Generator) -> Part:
    """Its scales and zero points are those of the file: they are part of the function."""
    factors = INTEGER[seen.node.kind]
    inputs = tuple(_any(x, generator) if place in factors else x for place, x in enumerate(seen.inputs) if x is not None)
    (exact,) = OnnxProgram(model, seen.node.name)(*inputs)
    return Part(str(seen.node), "both", model, inputs, exact)


def _any(x: Tensor, generator: torch.Generator) -> Tensor:
    """Whole numbers over all of the format, half of them the greatest: sums that are cut to fewer bits are cut there."""
    limits = torch.iinfo(x.dtype)
    drawn = torch.randint(limits.min, limits.max + 1, x.shape, generator=generator)
    return torch.where(torch.rand(x.shape, generator=generator) < 0.5, limits.max, drawn).to(x.dtype)


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
