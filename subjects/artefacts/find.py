"""The program in a file, by the kind of its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from coequal.subjects import artefacts
from coequal.subjects.artefacts.program import Program
from coequal.subjects.errors import BadSubject
from coequal.subjects.listing import modules_of

Tensor = torch.Tensor


def is_artefact(target: str) -> bool:
    """Whether a target is an exported file, by its name."""
    return any(kind.serves(Path(target)) for kind in _kinds())


def program_of(target: str) -> Program:
    """The program. BadSubject: there is no such file, it is none, or something in it has no meaning."""
    path = Path(target)
    if not path.is_file():
        raise BadSubject(f"no file {target}")
    return next(kind.opened(path) for kind in _kinds() if kind.serves(path))


def _kinds() -> list[Any]:
    return list(modules_of(artefacts, "serves").values())


def initial_of(path: str | None) -> Mapping[str, Tensor] | tuple[Tensor, ...]:
    """Tensors by name, or in order, that `torch.save` wrote."""
    if path is None:
        return ()
    try:
        value = torch.load(path, weights_only=True)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise BadSubject(f"--initial {path}: {type(error).__name__}: {first}") from None
    parts = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(part, Tensor) for part in parts):
        raise BadSubject(f"--initial {path}: expected a tensor, a list of tensors, or a dictionary of tensors by name")
    return value if isinstance(value, dict) else tuple(parts)
