"""Elementwise functions (`reference/activation.py`): a table of operations for each element.

Both sides of a case distinction are computed, as vector hardware does and as the reference writes it. The classes
"rectifier" and "activation" are what ptflops counts and what it does not (`conventions.py`).
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import NoFormula, Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import activation
from coequal.reference.activation import Activation
from coequal.reference.layer import Layer, Shape

RECTIFIERS = ("ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU")

# name -> multiplications, additions, divisions, transcendentals, comparisons for each element
PER_ELEMENT = {
    "CELU": (1, 0, 1, 1, 2),
    "ELU": (1, 0, 0, 1, 2),
    "GELU": (1, 1, 2, 1, 0),
    "GELU tanh": (5, 2, 1, 1, 0),
    "Hardshrink": (1, 0, 0, 0, 1),
    "Hardsigmoid": (0, 1, 1, 0, 2),
    "Hardswish": (1, 1, 1, 0, 2),
    "Hardtanh": (0, 0, 0, 0, 2),
    "LeakyReLU": (1, 0, 0, 0, 1),
    "LogSigmoid": (0, 1, 0, 2, 1),
    "Mish": (2, 1, 1, 3, 2),
    "PReLU": (1, 0, 0, 0, 1),
    "ReLU": (0, 0, 0, 0, 1),
    "ReLU6": (0, 0, 0, 0, 2),
    "RReLU": (1, 0, 0, 0, 1),
    "SELU": (2, 0, 0, 1, 2),
    "SiLU": (1, 2, 2, 1, 1),
    "Sigmoid": (0, 2, 2, 1, 1),
    "Softplus": (1, 1, 1, 2, 2),
    "Softshrink": (2, 1, 0, 0, 1),
    "Softsign": (0, 1, 1, 0, 0),
    "Tanh": (0, 0, 0, 1, 0),
    "Tanhshrink": (0, 1, 0, 1, 0),
    "Threshold": (0, 0, 0, 0, 1),
}


@shape_formula.register
def _(layer: Activation, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: Activation, shape: Sizes, padding: str) -> Cost:
    row = f"{layer.name} tanh" if dict(layer.options).get("approximate") == "tanh" else layer.name
    if row not in PER_ELEMENT:
        raise NoFormula(f"activation {row}", layer)
    mul, add, div, exp, compare = PER_ELEMENT[row]
    kind = "rectifier" if layer.name in RECTIFIERS else "activation"
    parameters = sum(map(numel, layer.parameters().values()))
    each = Cost.of(kind, mul=mul, add=add, div=div, exp=exp, compare=compare, reads=1, writes=1) * numel(shape)
    return each + Cost.of(kind, weights=parameters)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return activation.Activation("ReLU"), scale.video
