"""What a random architecture is made of beside its layers: a clip, weights, the torch twin; and which lengths fit it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from coequal.continual.to_torch import regular
from coequal.reference import (
    linear,
)
from coequal.reference.layer import Layer, Shape


@dataclass(frozen=True)
class Architecture:
    """A layer, or tree of layers, with the shape of a clip that it takes; `window` for those whose stream needs one."""

    layer: Layer
    shape: Shape
    window: int | None = None


def clip(architecture: Architecture, seed: int, *, integer: bool = False) -> np.ndarray:
    """A random clip of the architecture's shape, double precision; small integers if asked for. Tokens for an embedding."""
    rng = np.random.default_rng([seed, 1])
    if isinstance(architecture.layer, linear.Embedding):
        return rng.integers(0, architecture.layer.num_embeddings, architecture.shape)
    return _numbers(rng, architecture.shape, integer)


def weights(layer: Layer, seed: int, *, integer: bool = False) -> dict[str, np.ndarray]:
    """Random values for all parameters and buffers of a layer, by name; variances are positive."""
    rng, values = np.random.default_rng([seed, 2]), dict[str, np.ndarray]()
    for name, shape in layer.parameters().items():
        if name.endswith("num_batches_tracked"):
            values[name] = np.asarray(1)
        elif name.endswith("running_var"):
            values[name] = rng.random(shape) + 0.5
        else:
            values[name] = _numbers(rng, shape, integer) / (1 if integer else max(1, int(np.prod(shape[1:]))) ** 0.5)
    return values


def _numbers(rng: np.random.Generator, shape: Shape, integer: bool) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float) if integer else rng.normal(size=shape)


def twin(layer: Layer, parameters: dict[str, np.ndarray]) -> torch.nn.Module:
    """The torch module that a layer describes, in eval mode and double precision, with these parameters."""
    module = regular(layer).double().eval()
    module.load_state_dict({name: torch.as_tensor(value) for name, value in parameters.items()}, strict=True)
    return module


def fits(architecture: Architecture) -> bool:
    """Whether the layer takes the shape: a stride may have left too few frames for a layer after it."""
    try:
        architecture.layer.output_shape(architecture.shape)
    except ValueError:
        return False
    return True
