"""Elementwise functions: every activation of torch.nn, one row each in a table.

    y = f(x), element by element, so frame by frame and with any layout

Those with exponentials are written so that nothing overflows: `exp` is only ever taken of what is not positive (but for
CELU with a negative alpha, which overflows in torch too). Shapes: x and y `(...)`. PReLU has a parameter, one slope or one
a channel (axis 1).
Sources: the definitions of torch.nn; Hendrycks & Gimpel, arXiv 1606.08415 (GELU); Ramachandran et al., arXiv 1710.05941
(SiLU); Clevert et al., ICLR 2016 (ELU); Klambauer et al., NeurIPS 2017 (SELU); Misra, BMVC 2020 (Mish); Howard et al.,
ICCV 2019 (hard-swish).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing

SELU_ALPHA, SELU_SCALE = (
    1.6732632423543772848170429916717,
    1.0507009873554804934193349852946,
)  # Klambauer et al., equation 14


_erf = np.frompyfunc(math.erf, 1, 1)  # a ufunc: arrays of other number systems can answer it


def erf(x: Array) -> Array:
    """The error function (NumPy has none), in the precision of x up to float64."""
    values = _erf(x)
    if not isinstance(values, np.ndarray) or x.dtype == object:
        return values
    return values.astype(x.dtype if x.dtype.kind == "f" else float)


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, from the exponential of `-|x|`."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """`log(1 + exp(beta x)) / beta`; x itself where `beta x` is above the threshold, as in torch."""
    z = x * beta
    return np.where(z > threshold, x, (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / beta)


def negative(x: Array) -> Array:
    """`min(x, 0)`: where the exponential of a branch is taken that the other branch replaces."""
    return np.minimum(x, 0)


def gelu(x: Array, approximate: str = "none") -> Array:
    """`x Phi(x)` with the normal distribution's Phi, or its approximation by tanh (Hendrycks & Gimpel, section 2)."""
    if approximate == "tanh":
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))) / 2
    return x * (1 + erf(x / math.sqrt(2))) / 2


def celu(x: Array, alpha: float = 1.0) -> Array:
    """`x` where positive, `alpha (exp(x / alpha) - 1)` elsewhere (Barron, arXiv 1704.07483, equation 2)."""
    return np.where(x > 0, x, alpha * np.expm1(negative(x) / alpha))


# name in torch.nn -> (the function, default options); options are called as in torch.nn
TABLE: dict[str, tuple[Callable[..., Array], dict[str, Any]]] = {
    "CELU": (celu, {"alpha": 1.0}),
    "ELU": (lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(negative(x))), {"alpha": 1.0}),
    "GELU": (gelu, {"approximate": "none"}),
    "Hardshrink": (lambda x, lambd: np.where(np.abs(x) > lambd, x, x * 0), {"lambd": 0.5}),
    "Hardsigmoid": (lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6, {}),
    "Hardswish": (lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6, {}),
    "Hardtanh": (lambda x, min_val, max_val: np.minimum(np.maximum(x, min_val), max_val), {"min_val": -1.0, "max_val": 1.0}),
    "LeakyReLU": (lambda x, negative_slope: np.where(x > 0, x, x * negative_slope), {"negative_slope": 0.01}),
    "LogSigmoid": (lambda x: negative(x) - np.log1p(np.exp(-np.abs(x))), {}),
    "Mish": (lambda x: x * np.tanh(softplus(x, threshold=math.inf)), {}),
    "ReLU": (lambda x: np.maximum(x, 0), {}),
    "ReLU6": (lambda x: np.minimum(np.maximum(x, 0), 6), {}),
    "RReLU": (lambda x, lower, upper: np.where(x >= 0, x, x * ((lower + upper) / 2)), {"lower": 1 / 8, "upper": 1 / 3}),
    "SELU": (lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(negative(x))), {}),
    "SiLU": (lambda x: x * sigmoid(x), {}),
    "Sigmoid": (sigmoid, {}),
    "Softplus": (softplus, {"beta": 1.0, "threshold": 20.0}),
    "Softshrink": (lambda x, lambd: np.where(np.abs(x) > lambd, x - np.sign(x) * lambd, x * 0), {"lambd": 0.5}),
    "Softsign": (lambda x: x / (1 + np.abs(x)), {}),
    "Tanh": (np.tanh, {}),
    "Tanhshrink": (lambda x: x - np.tanh(x), {}),
    "Threshold": (lambda x, threshold, value: np.where(x <= threshold, value, x), {"threshold": 0.0, "value": 0.0}),
}


def activation(name: str, x: Array, **options: Any) -> Array:
    """Vectorised form: the row `name` of the table with its options, defaults as in torch.nn."""
    function, defaults = TABLE[name]
    return function(x, **(defaults | options))


def activation_loops(name: str, x: Array, **options: Any) -> Array:
    """Naive form: one element at a time."""
    y = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        y[index] = activation(name, x[index], **options)
    return y


def prelu(x: Array, weight: Array) -> Array:
    """`x` where positive, `weight x` elsewhere; one weight, or one a channel (axis 1)."""
    slope = weight.reshape(1, -1, *[1] * (x.ndim - 2)) if weight.shape[0] > 1 else weight
    return np.where(x > 0, x, x * slope)


@dataclass(frozen=True)
class Activation:
    """One of torch.nn's elementwise activations by its name there.

    `options`: pairs `(name, value)` as in torch.nn, for example `Activation("GELU", (("approximate", "tanh"),))`. RReLU is
    that of eval mode. PReLU has `num_parameters` and the parameter `weight`.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    time: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple((str(k), v) for k, v in dict(self.options).items()))
        if self.name not in TABLE and self.name != "PReLU":
            raise ValueError(f"Activation: {self.name!r} is not one of {', '.join(sorted([*TABLE, 'PReLU']))}")
        known = {"num_parameters": 1, "init": 0.25} if self.name == "PReLU" else TABLE[self.name][1]
        unknown = set(dict(self.options)) - set(known)
        if unknown:
            raise ValueError(f"Activation: {self.name} has the options {sorted(known)}, got {sorted(unknown)}")

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """`weight` of PReLU; nothing else has any."""
        return {"weight": (dict(self.options).get("num_parameters", 1),)} if self.name == "PReLU" else {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself."""
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The function of every element."""
        if self.name == "PReLU":
            return prelu(clip, parameters["weight"])
        return activation(self.name, clip, **dict(self.options))
