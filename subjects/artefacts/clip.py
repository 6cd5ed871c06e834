"""The clip function beside an exported step: a module in the precision that is asked for, with its own weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from coequal.subjects.artefacts.program import Program
from coequal.subjects.errors import BadSubject

Tensor = torch.Tensor


class ClipInAnyFormat:
    """A clip function whose module's floats are cast to the format of its input, while it runs.

    An exported file holds its weights: they are not drawn, and the clip's are the very numbers that they are, too.
    """

    def __init__(self, function: Callable[..., Any], module: nn.Module | None) -> None:
        self.function, self.module = function, module
        self.copies: dict[torch.dtype, dict[int, Tensor]] = {}

    def __call__(self, *clips: Any, **named: Any) -> Any:
        leaves = [x for x in (*clips, *named.values()) if isinstance(x, Tensor) and x.is_floating_point()]
        if self.module is None or not leaves:
            return self.function(*clips, **named)
        with self._cast(leaves[0].dtype):
            return self.function(*clips, **named)

    @contextlib.contextmanager
    def _cast(self, dtype: torch.dtype) -> Iterator[None]:
        """Inside, the module's floats are others of this format: those that a graph of gradients holds stay as they are."""
        assert self.module is not None
        copies, before = self.copies.setdefault(dtype, {}), list[tuple[nn.Module, str, Tensor]]()
        try:
            for owner in self.module.modules():
                for name, tensor in [*owner._parameters.items(), *owner._buffers.items()]:
                    if tensor is None or not tensor.is_floating_point():
                        continue
                    if id(tensor) not in copies:
                        copies[id(tensor)] = _weight(tensor, dtype)
                    before.append((owner, name, tensor))
                    setattr(owner, name, copies[id(tensor)])
            yield
        finally:
            for owner, name, tensor in before:
                setattr(owner, name, tensor)


def _weight(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Marked as the very numbers that it holds, a buffer like a parameter: exact arithmetic takes them for no others."""
    copy = tensor.detach().to(dtype, copy=True)
    copy.untyped_storage().literal = True  # type: ignore[attr-defined]
    return nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy


class ProgramClip:
    """A file as a clip function: as many results as the step has outputs."""

    def __init__(self, program: Program, outputs: int) -> None:
        if program.carried:
            raise BadSubject(f"{program.name} changes its own buffers: a clip function remembers nothing")
        self.program, self.outputs = program, outputs

    def __call__(self, *clips: Tensor) -> Any:
        results = self.program(*clips)[: self.outputs]
        return results[0] if self.outputs == 1 else tuple(results)
