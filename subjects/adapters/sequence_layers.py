"""Adapter for sequence-layers: layers in JAX, with `layer.layer` for clips and `layer.step` for blocks and a state.

A layer is asked for by name, `sequence_layers:Conv1D`, or by `held(layer, example)`. Its parameters become parameters of
torch, which are handed to JAX in each call, so that weights can be drawn. JAX computes in single precision, and is not
known in exact arithmetic: what agrees is tested. Clips are (B, T, C); chunks are multiples of `block_size`; the first
`output_latency` frames do not count, and at the end as many frames as `input_latency` says are fed that are masked.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "sequence_layers", "sequence-layers"
NAMES = ("AveragePooling1D", "Conv1D", "Conv1DTranspose", "DepthwiseConv1D", "LSTM", "LocalDotProductSelfAttention", "RGLRU")
FRAMES, CHANNELS = 8, 4
SMALL: dict[str, dict[str, Any]] = {
    "AveragePooling1D": {"pool_size": 3, "padding": "causal"},
    "Conv1D": {"filters": 3, "kernel_size": 3, "padding": "causal"},
    "Conv1DTranspose": {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "causal"},
    "DepthwiseConv1D": {"kernel_size": 3, "padding": "causal"},
    "LSTM": {"units": 3},
    "LocalDotProductSelfAttention": {"num_heads": 2, "units_per_head": 3, "block_size": 2, "max_past_horizon": 3},
    "RGLRU": {"units": CHANNELS, "num_heads": 2},
}


class Held(nn.Module):
    """A layer of the package and its parameters, drawn for clips like the example."""

    def __init__(self, layer: Any, example: Tensor) -> None:
        super().__init__()
        import jax
        import numpy as np
        from flax.core import meta

        self.layer = layer
        key = jax.random.key(int(torch.randint(2**31, ())))
        drawn = meta.unbox(layer.init(key, sequence(example), training=False, method=layer.layer))
        leaves, self.tree = jax.tree.flatten(drawn)
        self.weights = nn.ParameterList(torch.from_numpy(np.array(leaf)) for leaf in leaves)

    def called(self, method: Any, *arguments: Any) -> Any:
        """One of the layer's methods with the parameters as they are now."""
        import jax

        leaves = [jax.numpy.asarray(weight.detach().cpu().numpy()) for weight in self.weights]
        return self.layer.apply(jax.tree.unflatten(self.tree, leaves), *arguments, training=False, method=method)

    def forward(self, x: Tensor) -> Tensor:
        """The whole clip."""
        return values(self.called(self.layer.layer, sequence(x)))


class Blocks:
    """A stream of blocks; the state is made for the rows of the first one."""

    def __init__(self, module: Held) -> None:
        self.module, self.layer, self.state = module, module.layer, None
        self.last: Tensor | None = None

    def chunk(self, frames: Tensor) -> Tensor:
        """One block or more."""
        return self._fed(frames, True)

    def flush(self) -> list[Tensor]:
        """What the end of the clip makes of the last frames."""
        late = -(-int(self.layer.input_latency) // int(self.layer.block_size)) * int(self.layer.block_size)
        if self.last is None or not late:
            return []
        masked = torch.zeros_like(self.last[:, :1]).expand(-1, late, *self.last.shape[2:])
        return list(self._fed(masked, False).unbind(1))

    def _fed(self, frames: Tensor, valid: bool) -> Tensor:
        x = sequence(frames, valid)
        if self.state is None:
            self.state = self.module.called(self.layer.get_initial_state, frames.shape[0], x.channel_spec)
        self.last = frames
        output, self.state = self.module.called(self.layer.step, x, self.state)
        return values(output)


def sequence(frames: Tensor, valid: bool = True) -> Any:
    """A Sequence of the package, all frames valid or none."""
    import jax
    import sequence_layers.jax as layers

    return layers.Sequence(
        jax.numpy.asarray(frames.detach().cpu().numpy()), jax.numpy.full(tuple(frames.shape[:2]), valid, dtype=bool)
    )


def values(said: Any) -> Tensor:
    """Frames of a Sequence."""
    import numpy as np

    return torch.from_numpy(np.array(said.values))


def recognises(module: nn.Module) -> bool:
    """Whether a module holds a layer of the package."""
    return isinstance(module, Held)


def held(layer: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a layer of the package on clips (B, T, C)."""
    return subject(Held(layer, example), example, **overrides)


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """The same for `Held(layer, example)`."""
    layer = module.layer
    if not layer.supports_step:
        raise BadSubject(f"{type(layer).__name__}.supports_step is False: by its own account it has no stream")
    fields: dict[str, Any] = {"clip": module, "stream": lambda: Blocks(module), "time": 1, "modules": module}
    fields |= {"plan": int(layer.block_size), "ignore": int(layer.output_latency), "name": type(layer).__name__}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one; settings are those of its `Config`."""
    import sequence_layers.jax as layers

    layer = getattr(layers, name).Config(**(SMALL[name] | settings)).make()
    return Held(layer, torch.zeros(2, FRAMES, shape[-1] if shape else CHANNELS))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, FRAMES, CHANNELS)
