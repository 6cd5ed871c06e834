"""`regular`: the plain torch module that computes what a reference layer describes, with the same parameter names.

`coequal.continual.convert` makes it continual. The values of the parameters are torch's initial ones; load others with
`load_state_dict`. Each layer's module is made in the file of its operator (`register`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from coequal.continual.operators import complete
from coequal.reference.layer import Layer

__all__ = ["regular"]

Maker = TypeVar("Maker", bound=Callable[..., nn.Module])


def regular(layer: Layer) -> nn.Module:
    """The torch twin of a reference layer, or of a tree of them; TypeError for a layer that has none."""
    complete()
    return _made(layer)


@functools.singledispatch
def _made(layer: Layer) -> nn.Module:
    raise TypeError(
        f"regular: no torch twin of {type(layer).__name__} is known; register one with coequal.continual.to_torch.makes"
    )


def makes(maker: Maker) -> Maker:
    """Decorator: makes the torch module of the layer that its argument is annotated with."""
    _made.register(maker)
    return maker


def ranked(name: str, rank: int) -> Any:
    """`nn.Conv2d` of "Conv" and 2."""
    return getattr(nn, f"{name}{rank}d")
