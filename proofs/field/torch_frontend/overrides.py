"""What bypasses torch's dispatcher: deep copies of tensors, looks at their memory, other threads.

And where a program stood.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from coequal.proofs.field.errors import NotDecided, Undisturbed
from coequal.proofs.field.torch_frontend.storage import Store

Tensor = torch.Tensor
Remember = Callable[[Undisturbed], None]
BENEATH = ("torch.", "numpy.", "coequal.proofs.", "coequal.equivalence.")  # modules that a program's line may have called
# looks at the memory of a tensor, and writes to it, that no dispatcher sees
LOOKS = {
    *("numpy", "tolist", "__array__", "__reduce_ex__", "__reduce__", "__getstate__", "data_ptr", "__repr__", "__format__"),
    *("__str__", "__dlpack__", "apply_", "map_", "map2_", "untyped_storage", "storage", "_typed_storage", "share_memory_"),
    *("__cuda_array_interface__", "__setstate__", "pin_memory", "resize_", "resize_as_", "_make_subclass", "to_dlpack"),
    *("_to_dlpack", "__array_wrap__", "_storage", "as_subclass", "cpp_data_ptr"),
}
# kinds of results that show no number of a tensor that the dispatcher did not see: tensors, and what describes them
PLAIN = (
    Tensor,
    bool,
    int,
    str,
    torch.Size,
    torch.dtype,
    torch.device,
    torch.layout,
    torch.memory_format,
    type(None),
    type,
    type(NotImplemented),
)


class Python(TorchFunctionMode):
    """What bypasses the dispatcher: deep copies, and looks at a tensor's memory."""

    def __init__(self, store: Store, remember: Remember = lambda refusal: None, integers: Any = None) -> None:
        super().__init__()
        self.store, self.remember, self.integers = store, remember, integers

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.__deepcopy__:
            return self._deepcopy(*args)
        name = getattr(func, "__name__", str(func))
        if name in LOOKS:
            self._looked_at(name, args)
        if name == "isfinite":  # which torch takes apart into comparisons
            x = args[0] if args else kwargs["input"]
            return torch.logical_not(torch.isnan(x) | torch.isinf(x))
        result = func(*args, **kwargs)
        if not _shows_nothing(result):
            self._looked_at(name, args)
        return result

    def _looked_at(self, name: str, args: tuple) -> None:
        """A refusal where one of the arguments is data."""
        for tensor in (x for x in args if isinstance(x, Tensor) and type(x) in (Tensor, torch.nn.Parameter)):
            with torch._C.DisableTorchFunction():
                data = (tensor.is_floating_point() or tensor.is_complex()) and self.store.find(tensor) is not None
                if not data:
                    self.store.expose(tensor)
                if self.integers is not None and not data:
                    self.integers(f"Tensor.{name}", tensor)
            if data:
                refusal = NotDecided(f"Tensor.{name}: the program looks at a value{place()}")
                self.remember(refusal)
                raise refusal

    def _deepcopy(self, tensor: Tensor, memo: dict) -> Tensor:
        twin = Tensor.__deepcopy__(tensor, memo)
        if tensor.is_floating_point() or tensor.is_complex():
            self.store.copy_storage(tensor, twin)
        return twin


def _shows_nothing(result: Any) -> bool:
    """Whether a result is made of tensors and of what describes them."""
    if isinstance(result, (list, tuple)) and not isinstance(result, torch.Size):
        return all(_shows_nothing(part) for part in result)
    return isinstance(result, PLAIN)


@contextlib.contextmanager
def alone(remember: Remember) -> Iterator[None]:
    """Within it no other thread is started or handed work: the modes that compute over a field hold for this one alone."""

    def refused(*_: Any, **__: Any) -> Any:
        refusal = NotDecided(f"the program computes in another thread or process{place()}")
        remember(refusal)
        raise refusal

    owners = [(threading.Thread, "start"), *((kind, "submit") for kind in (ThreadPoolExecutor, ProcessPoolExecutor))]
    before = [(owner, name, getattr(owner, name)) for owner, name in owners]
    for owner, name in owners:
        setattr(owner, name, refused)
    try:
        yield
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)


def place() -> str:
    """` (file.py, line 7)`: the innermost line that is neither torch's nor NumPy's nor the prover's."""
    for frame, line in traceback.walk_stack(sys._getframe()):
        file = frame.f_code.co_filename
        if not f"{frame.f_globals.get('__name__')}.".startswith(BENEATH) and not file.startswith("<"):
            return f" ({Path(file).name}, line {line})"
    return ""
