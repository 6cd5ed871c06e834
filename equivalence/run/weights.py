"""Weights: drawn afresh for each example, put back afterwards.

Zero-initialised gates, codebooks and residual branches make a comparison vacuous, so every floating-point parameter is
drawn; of the buffers only the running statistics of norms are, the rest (tables, masks, states) being no weights.
Values are those of single precision, so that the same weights can be used in single and in double.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

Tensor = torch.Tensor
STATISTICS = ("running_mean", "running_var")


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by its dotted name, shared ones once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def is_weight(name: str, tensor: Tensor) -> bool:
    """Whether a tensor of a module is drawn: a floating-point or complex parameter, or a running statistic."""
    numbers = tensor.is_floating_point() or tensor.is_complex()
    return numbers and (isinstance(tensor, nn.Parameter) or name.endswith(STATISTICS))


def by_parts(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """A function of the real numbers of a tensor: of complex ones the two parts, which it gets along a last axis."""
    if not tensor.is_complex():
        return function(tensor)
    return torch.view_as_complex(function(torch.view_as_real(tensor.resolve_conj())).contiguous())


def in_format(tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    """The format of a tensor in a module that computes in `dtype`: that of its parts, for complex numbers."""
    if tensor.is_complex():
        return dtype.to_complex()
    return dtype if tensor.is_floating_point() else tensor.dtype


@contextlib.contextmanager
def borrowed(module: nn.Module | None, dtype: torch.dtype | None) -> Iterator[None]:
    """Inside, floating-point tensors of the module are copies in `dtype` (None: their own), free to be drawn.

    All of them, and every buffer a stream may have registered or replaced, are put back at the end.
    """
    if module is None:
        yield
        return
    before = [(owner, dict(owner._parameters), dict(owner._buffers), owner.training) for owner in module.modules()]
    data = {id(t): (t, t.data) for t in tensors(module).values()}
    grads = {id(p): p.grad for p in module.parameters()}
    try:
        for tensor, kept in data.values():
            tensor.grad = None  # a gradient of another precision may not stay
            tensor.data = kept.to(kept.dtype if dtype is None else in_format(kept, dtype), copy=True)
        yield
    finally:
        for owner, parameters, buffers, training in before:
            owner._parameters.clear()
            owner._parameters.update(parameters)
            owner._buffers.clear()
            owner._buffers.update(buffers)
            owner.training = training
        for tensor, kept in data.values():
            tensor.data = kept
            if isinstance(tensor, nn.Parameter):
                tensor.grad = grads.get(id(tensor))


def drawn(module: nn.Module, seed: int, scale: float = 1.0) -> dict[str, Tensor]:
    """Random values for every floating-point parameter and running statistic, in the shapes of the module.

    Matrices have variance `scale^2 / fan_in`, vectors called weight (norms) lie around `scale`, others in `scale * [-1, 1]`.
    """
    values: dict[str, Tensor] = {}
    for index, (name, tensor) in enumerate(tensors(module).items()):
        if not is_weight(name, tensor):
            continue
        generator = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
        values[name] = by_parts(functools.partial(_drawn_like, name, generator, scale), tensor.detach())
    return values


def _drawn_like(name: str, generator: torch.Generator, scale: float, tensor: Tensor) -> Tensor:
    return _draw(name, tensor, generator, scale).to(tensor.device, tensor.dtype)


def _draw(name: str, tensor: Tensor, generator: torch.Generator, scale: float) -> Tensor:
    shape = tuple(tensor.shape)
    if name.endswith("running_var"):
        return torch.rand(shape, generator=generator) + 0.5
    if tensor.dim() >= 2:
        fan_in = max(1, math.prod(shape[1:]))
        return torch.randn(shape, generator=generator) * scale / fan_in**0.5
    uniform = torch.rand(shape, generator=generator) * 2 - 1
    return (1 + uniform / 2) * scale if name.endswith("weight") else uniform * scale


def integers(module: nn.Module, seed: int, largest: int = 2) -> dict[str, Tensor]:
    """Random small integers for every floating-point parameter; running statistics become mean 0 and variance 1."""
    values: dict[str, Tensor] = {}
    for index, (name, tensor) in enumerate(tensors(module).items()):
        if not is_weight(name, tensor):
            continue
        generator = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
        whole = functools.partial(_whole_like, generator, largest)
        values[name] = by_parts(whole, tensor.detach())
        if name.endswith(STATISTICS):
            values[name] = torch.full_like(tensor, float(name.endswith("running_var")))
    return values


def _whole_like(generator: torch.Generator, largest: int, tensor: Tensor) -> Tensor:
    whole = torch.randint(-largest, largest + 1, tuple(tensor.shape), generator=generator)
    return whole.to(tensor.device, tensor.dtype)


def put(module: nn.Module, values: dict[str, Tensor]) -> None:
    """Write values into the tensors of a module, in place, as `load_state_dict` does."""
    named = tensors(module)
    with torch.no_grad():
        for name, value in values.items():
            if name in named:
                named[name].copy_(value)
