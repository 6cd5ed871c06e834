"""What bypasses torch's dispatcher: deep copies of tensors, and looks at their memory. And where a program stood."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.storage import Store

Tensor = torch.Tensor
HERE = str(Path(__file__).resolve().parents[2])
LIBRARIES = tuple(f"{Path(torch.__file__).parents[1] / name}/" for name in ("torch", "numpy"))
LOOKS = {
    Tensor.numpy,
    Tensor.tolist,
    Tensor.__array__,
    Tensor.__reduce_ex__,
    Tensor.data_ptr,
    Tensor.__repr__,
    Tensor.__format__,
}


class Python(TorchFunctionMode):
    """What bypasses the dispatcher: deep copies, and looks at a tensor's memory."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.__deepcopy__:
            return self._deepcopy(*args)
        if func in LOOKS and self.store.find(args[0]) is not None:
            raise NotDecided(f"Tensor.{getattr(func, '__name__', func)}: the program looks at a value{place()}")
        return func(*args, **kwargs)

    def _deepcopy(self, tensor: Tensor, memo: dict) -> Tensor:
        twin = Tensor.__deepcopy__(tensor, memo)
        if tensor.is_floating_point():
            self.store.copy_storage(tensor, twin)
        return twin


def place() -> str:
    """` (file.py, line 7)`: the innermost line that is neither torch's nor NumPy's nor the prover's."""
    ours = (f"{HERE}/proofs", f"{HERE}/equivalence")
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(LIBRARIES) and not frame.filename.startswith((*ours, "<")):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""
