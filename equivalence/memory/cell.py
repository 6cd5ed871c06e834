"""What a memory is made of: cells, each a place with its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Tensor = torch.Tensor
Put = Callable[[Any], None] | None
Part = tuple[str, Any, Put]  # what follows the path of the whole; the part; how to put another one there


class Unobservable(Exception):
    """Something that cannot be looked into; the text says what and where."""


@dataclass
class Cell:
    """One place in a memory."""

    path: str
    content: Any
    put: Put  # None: it cannot be replaced

    def copied(self) -> Cell:
        """The place as it is now: what is kept may be overwritten."""
        content = self.content
        return Cell(self.path, content.detach().clone() if isinstance(content, Tensor) else content, None)


@dataclass(frozen=True)
class Kind:
    """The class of an object: what its methods reach, but for those that make one."""

    kind: type


@dataclass(frozen=True)
class Label:
    """What is compared as a whole: names, texts, flags."""

    content: Any
