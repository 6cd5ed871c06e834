"""`convert`: the continual twin of a tree of torch.nn modules, sharing the very same parameters.

Each class of torch.nn has a converter, in the file of its operator (`register` adds one for a class of yours). What cannot
be streamed exactly with its meaning is refused: the error names the layer by its path, says why, and what can be done.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from coequal.continual.operators import complete

__all__ = ["How", "NotStreamable", "convert", "register", "twin"]


class NotStreamable(ValueError):
    """A layer that no stream can compute exactly, or that is not known: which, why, and what can be done."""

    def __init__(self, path: str, module: nn.Module, reason: str, remedy: str) -> None:
        where = f"{path} ({type(module).__name__})" if path else type(module).__name__
        super().__init__(f"{where} cannot be streamed: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


@dataclass(frozen=True)
class How:
    """What `convert` was asked for, and the path of the layer at hand."""

    window: int | None = None
    mode: str | None = None
    path: str = ""

    def at(self, name: str) -> How:
        """The same for a child."""
        return replace(self, path=f"{self.path}.{name}" if self.path else name)


def convert(module: nn.Module, *, window: int | None = None, mode: str | None = None) -> Any:
    """The continual twin of `module`, with the very same parameter objects, dtype, device and train/eval mode.

    `window` (frames) is for layers that need one: global and adaptive pooling in time, squeeze-and-excite over the clip,
    attention. `mode` chooses what attention emits: "retroactive" (the default), "single", "sliding" or "causal". The
    original is not changed. NotStreamable names a layer that cannot be streamed, why, and what can be done.
    """
    complete()
    return converted(module, How(window, mode))


@functools.singledispatch
def converted(module: nn.Module, how: How) -> Any:
    """The twin of one layer, by the converter of its class: what a converter of containers asks for each child."""
    raise NotStreamable(
        how.path, module, "it is of a class without a converter", "register one with coequal.continual.conversion.register"
    )


def register(kind: type) -> Callable:
    """Decorator: `converter(module, how) -> continual module` for a class of modules."""
    return converted.register(kind)


def twin(module: nn.Module, kind: type, **changes: Any) -> Any:
    """`module` as an instance of `kind`, its subclass or sibling, with the same parameters and settings."""
    copied: Any = object.__new__(kind)
    copied.__dict__.update({name: copy.copy(v) if isinstance(v, dict) else v for name, v in module.__dict__.items()})
    copied.__dict__.update(changes)
    return copied


def plainly(parents: dict[type, type], refusal: Callable[[Any, How], tuple[str, str] | None] | None = None) -> None:
    """Converters for classes whose twin is a subclass of the same name."""
    for parent, child in parents.items():

        @register(parent)
        def converter(module: Any, how: How, child: type = child) -> Any:
            refused = refusal(module, how) if refusal is not None else None
            if refused is not None:
                raise NotStreamable(how.path, module, *refused)
            return twin(module, child)


def always(reason: str, remedy: str) -> Callable[[Any, How], tuple[str, str]]:
    """For `plainly`: a class that is refused whatever its settings."""
    return lambda module, how: (reason, remedy)


def needed(module: Any, how: How, reason: str) -> int:
    """The window that was asked for, in frames; NotStreamable where there is none, for the reason why one is needed."""
    if how.window is None:
        raise NotStreamable(
            how.path, module, reason, "give a window: convert(module, window=N) takes that of the last N frames"
        )
    return how.window
