"""Norms that an exporter folded into the layer before them: w' = w g / sqrt(v + eps), b' = (b - m) g / sqrt(v + eps) + beta.

The file holds w' and b' rounded to single precision. Where they are that, up to a few roundings, the layer is unfolded into
the clip's own layer and norm, and the report says so: the file is equal up to the rounding of these weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor
ROUNDINGS = 8  # of single precision, on the way to a folded number: four operations, each done twice at most
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
AFFINE, STATISTICS = {"weight": 1.0, "bias": 0.0}, {"running_mean": 0.0, "running_var": 1.0}
EPSILONS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 0.0)


@dataclass(frozen=True)
class Candidate:
    """A layer of the clip, and a norm that may follow it."""

    layer: nn.Module
    norm: nn.Module
    layer_name: str
    norm_name: str

    @property
    def eps(self) -> float:
        return float(self.norm.eps)  # type: ignore[arg-type]

    def scale(self, dtype: torch.dtype, eps: float) -> Tensor:
        return _of(self.norm, "weight", dtype, 1.0) * torch.rsqrt(_of(self.norm, "running_var", dtype) + eps)

    def weight(self, dtype: torch.dtype, eps: float) -> Tensor:
        w = _of(self.layer, "weight", dtype)
        return w * self.scale(dtype, eps).reshape(-1, *[1] * (w.dim() - 1))

    def bias(self, dtype: torch.dtype, eps: float) -> Tensor:
        centred = _of(self.layer, "bias", dtype, 0.0) - _of(self.norm, "running_mean", dtype)
        return centred * self.scale(dtype, eps) + _of(self.norm, "bias", dtype, 0.0)

    def bias_size(self, eps: float) -> Tensor:
        """What the rounding of a folded bias is in proportion to."""
        parts = _of(self.layer, "bias", torch.float64, 0.0).abs() + _of(self.norm, "running_mean", torch.float64).abs()
        return parts * self.scale(torch.float64, eps).abs() + _of(self.norm, "bias", torch.float64, 0.0).abs()

    def fits(self, weight: Tensor, bias: Tensor | None, eps: float) -> bool:
        """Whether these are the folded numbers, but for rounding."""
        folded = self.weight(torch.float64, eps)
        if weight.shape != folded.shape or not _near(weight, folded, folded.abs()):
            return False
        return bias is not None and _near(bias, self.bias(torch.float64, eps), self.bias_size(eps))


def _of(module: nn.Module, name: str, dtype: torch.dtype, default: float | None = None) -> Tensor:
    """A tensor of a module, in a format, the very numbers that it holds; where it has none, a number for each feature."""
    tensor = getattr(module, name)
    if tensor is None:
        count = getattr(module, "num_features", None) or module.weight.shape[0]  # type: ignore[union-attr,index]
        return torch.full((int(count),), float(default or 0.0), dtype=dtype)
    return tensor.detach().cpu().to(dtype)


def _near(got: Tensor, want: Tensor, size: Tensor) -> bool:
    return bool(((got.double() - want).abs() <= ROUNDINGS * 2.0**-24 * size).all())


def unfolded(model: Any, clip: nn.Module) -> tuple[Any, tuple[str, ...]]:
    """The model with norms of the clip unfolded where it holds them folded, and what the report says of each."""
    notes, after = list[str](), dict[str, Candidate]()
    for node, weight, bias in _layers(model):
        one = next((c for c in _candidates(clip) if c.fits(weight, bias, c.eps)), None)
        if one is None:
            continue
        numbers = weight.numel() + (0 if bias is None else bias.numel())
        names = f"{node.input[1]} and {node.input[2]}"
        notes.append(
            f"equal up to the rounding of {numbers} weights, in the initializers {names}: they hold"
            f" {one.norm_name} folded into {one.layer_name}, which were compared unfolded, with the clip's own numbers"
        )
        after[node.output[0]] = one
    return (_rewritten(model, after) if after else model), tuple(notes)


def _rewritten(model: Any, after: Mapping[str, Candidate]) -> Any:
    import onnx

    other, nodes = copy.deepcopy(model), []
    for node in other.graph.node:
        nodes.append(node)
        if node.output[0] not in after:
            continue
        one = after[node.output[0]]
        name, result = f"{one.layer_name} unfolded", node.output[0]
        parts = {"weight": _of(one.layer, "weight", torch.float32), "bias": _of(one.layer, "bias", torch.float32, 0.0)}
        parts |= {key: _of(one.norm, key, torch.float32, value) for key, value in STATISTICS.items() if key not in parts}
        parts |= {f"norm {key}": _of(one.norm, key, torch.float32, value) for key, value in AFFINE.items()}
        for key, tensor in parts.items():
            other.graph.initializer.append(onnx.numpy_helper.from_array(tensor.contiguous().numpy(), f"{name} {key}"))
        node.input[1], node.input[2], node.output[0] = f"{name} weight", f"{name} bias", name
        order = ["norm weight", "norm bias", "running_mean", "running_var"]
        given = [name, *(f"{name} {key}" for key in order)]
        nodes.append(onnx.helper.make_node("BatchNormalization", given, [result], one.norm_name, epsilon=one.eps))
    kept = [copy.deepcopy(node) for node in nodes]
    del other.graph.node[:]
    other.graph.node.extend(kept)
    return other


def misfolded(model: Any, clip: nn.Module) -> Iterator[str]:
    """Initializers that hold norms of the clip folded with another epsilon than the clip's."""
    for node, weight, bias in _layers(model):
        for one in _candidates(clip):
            other = next((e for e in EPSILONS if e != one.eps and one.fits(weight, bias, e)), None)
            if other is not None and not one.fits(weight, bias, one.eps):
                what = f"{one.layer_name} with {one.norm_name} folded in"
                yield (
                    f"{node.op_type} {node.name}: its weight {node.input[1]} is {what} by an epsilon of"
                    f" {other:g}; the clip's is {one.eps:g}"
                )
                break


def _layers(model: Any) -> Iterator[tuple[Any, Tensor, Tensor | None]]:
    """Nodes with a weight and a bias that stand in the file, as a layer of torch holds them."""
    import onnx

    held = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm") or len(node.input) < 3 or not set(node.input[1:3]) <= held.keys():
            continue
        weight, bias = (torch.from_numpy(onnx.numpy_helper.to_array(held[name]).copy()) for name in node.input[1:3])
        yield node, weight, bias


def _candidates(clip: nn.Module) -> list[Candidate]:
    """Every layer with every norm of as many features."""
    named = dict(clip.named_modules())
    layers = {name: m for name, m in named.items() if isinstance(m, LAYERS)}
    norms = {name: m for name, m in named.items() if isinstance(m, NORMS) and m.running_var is not None}
    return [
        Candidate(layer, norm, a, b)
        for a, layer in layers.items()
        for b, norm in norms.items()
        if layer.weight.shape[0] == norm.num_features
    ]
