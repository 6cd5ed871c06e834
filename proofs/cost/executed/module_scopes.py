"""Where a count belongs: which submodule is running, and with which of torch's fast paths off."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

ENTRANCES = ("forward", "forward_step", "forward_steps", "step", "push")  # methods that mean "inside this submodule"


@contextlib.contextmanager
def plain_paths() -> Iterator[None]:
    """Within it nothing runs as one opaque operation that is made of others."""
    fast = torch.backends.mha.get_fastpath_enabled()
    mkldnn = torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch._C._set_mkldnn_enabled(mkldnn)


@contextlib.contextmanager
def entered(module: torch.nn.Module | None, path: list[str]) -> Iterator[None]:
    """While it lasts, `path[-1]` is the submodule that is running; methods are wrapped on the instances, then freed."""
    wrapped: list[tuple[dict, str]] = []
    for name, part in () if module is None else module.named_modules():
        for entrance in ENTRANCES:
            method = getattr(part, entrance, None)
            if name and callable(method) and entrance not in part.__dict__:
                part.__dict__[entrance] = _inside(method, name, path)
                wrapped.append((part.__dict__, entrance))
    try:
        yield
    finally:
        for members, entrance in wrapped:
            del members[entrance]


def _inside(method: Callable, name: str, path: list[str]) -> Callable:
    @functools.wraps(method)
    def running(*args: Any, **kwargs: Any) -> Any:
        path.append(name)
        try:
            return method(*args, **kwargs)
        finally:
            path.pop()

    return running
