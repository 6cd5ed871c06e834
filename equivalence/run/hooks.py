"""Listening to the submodules of a clip function and of a stream while they run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor


METHODS = ("forward", "forward_step", "step")  # how modules are called on a clip, and on a frame


STEPS = 2500  # frames fed to find out what a frame depends on, at most


Calls = dict[str, list[Tensor]]


@contextlib.contextmanager
def listening(root: nn.Module, calls: Calls) -> Iterator[None]:
    """Inside, the output of every call of every submodule is noted under its name, in order of completion."""
    patched: list[tuple[nn.Module, str]] = []
    try:
        for name, module in root.named_modules():
            busy: list[bool] = []  # a step that calls forward is one call
            for method in METHODS:
                if callable(getattr(type(module), method, None)) and method not in vars(module):
                    object.__setattr__(module, method, _noting(getattr(module, method), calls, name, busy))
                    patched.append((module, method))
        yield
    finally:
        for module, method in patched:
            object.__delattr__(module, method)


def _noting(call: Callable, calls: Calls, name: str, busy: list[bool]) -> Callable:
    @functools.wraps(call)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if busy:
            return call(*args, **kwargs)
        busy.append(True)
        try:
            output = call(*args, **kwargs)
        finally:
            busy.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor):
            calls.setdefault(name, []).append(first.detach().clone())
        return output

    return noting
