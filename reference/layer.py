"""What every layer description of the reference offers: the common language of all rooms.

A layer is a frozen dataclass that holds hyper-parameters, never weights. Weights come in as a mapping from the names of the
torch state_dict to arrays. Layer trees (`reference/compose.py`) prefix the names of their children, `"0.weight"`, exactly
as torch.nn containers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from coequal.reference.timing import Timing

Array = Any  # anything that speaks NumPy's array protocols: floats, fractions, a prime field, a counting array
Parameters = Mapping[str, Array]
Shape = tuple[int, ...]


@runtime_checkable
class Layer(Protocol):
    """One operator with its hyper-parameters, on whole clips."""

    @property
    def time(self) -> int | None:
        """The time axis of its clips: 2 for `(B, C, T, ...)`, 1 for tokens `(B, T, E)`, None when any will do."""

    @property
    def timing(self) -> Timing | None:
        """Receptive field, stride and padding in time; None when the layer needs the whole clip (not streamable)."""

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes of parameters and buffers, exactly as in the torch state_dict."""
        ...

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output clip for an input clip of `shape`; ValueError names the axis that does not fit."""
        ...

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The operator applied to a whole clip."""


class Framewise:
    """What layers have in common that look at each frame alone and learn nothing."""

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}


def scope(parameters: Parameters, prefix: str) -> dict[str, Array]:
    """The parameters of one child: those whose name starts with `prefix.`, without it."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in parameters.items() if name.startswith(start)}
