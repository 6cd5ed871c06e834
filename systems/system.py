"""A published network: what it computes on a clip, what it computes for a frame, and where both were read.

`layer` is the reference tree of the clip and `shape` the clip it was published with (batch 1). A network that streams has
`step_layer`, the tree that runs a frame at a time, and `step_shape`, one frame with its time axis of length 1. Where the
streaming network was made from a clip-mode one, `original` is the name of that one: their costs are what papers compare.

Parameters are counted as papers do: what training changes. Running statistics are buffers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from coequal.reference.layer import Layer, Shape

BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "adjacency")


@dataclass(frozen=True)
class System:
    """One published network; shapes are `(B, C, T, H, W)` or `(B, T, E)` with `B = 1`."""

    name: str
    family: str
    layer: Layer
    shape: Shape
    source: str
    notes: str = ""
    step_layer: Layer | None = None
    step_shape: Shape | None = None
    original: str | None = None

    @property
    def streams(self) -> bool:
        """Whether the paper computes it a frame at a time."""
        return self.step_layer is not None

    @property
    def stream(self) -> Layer | None:
        """The tree that runs a frame at a time: the paper's, else the network itself if all of its operators stream."""
        return self.step_layer if self.step_layer is not None or self.layer.timing is None else self.layer

    @functools.cached_property
    def params(self) -> int:
        """Numbers that training changes."""
        return trainable(self.layer)

    @property
    def buffers(self) -> int:
        """Numbers that the state_dict keeps besides."""
        return sum(math.prod(shape) for name, shape in self.layer.parameters().items() if is_buffer(name))


def is_buffer(name: str) -> bool:
    """Whether a name of the state_dict is a running statistic.

    >>> is_buffer("3.main.1.running_mean"), is_buffer("0.weight")
    (True, False)
    """
    return name.rpartition(".")[2] in BUFFERS


def trainable(layer: Layer) -> int:
    """Number of trainable parameters of a layer tree."""
    return sum(math.prod(shape) for name, shape in layer.parameters().items() if not is_buffer(name))
