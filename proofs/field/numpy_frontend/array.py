"""The NumPy front end: programs written for NumPy's protocols run over a field, `reference/` among them, unchanged.

A `FieldArray` wraps a torch tensor that lives under `Exact`. Each ufunc and each function of NumPy is handed to the torch
operation of the same meaning (`numpy_table.py`), so both front ends share all rules, free functions and the bound. What is
not in that table refuses with its name and the line that called it, and nothing turns into floats: `numpy.asarray`, `float`
and `bool` refuse, too. NumPy's own arrays and numbers beside a `FieldArray` are constants.

Formulas that are right for reasons that free functions do not know (`exp(x - max)`, a sigmoid by cases) are taken as
primitive: `primitives.py` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from coequal.proofs.field.numpy_frontend import index as indexing
from coequal.proofs.field.numpy_frontend.table import FUNCTIONS, UFUNCS, refusal
from coequal.proofs.field.torch_frontend.dispatch import Exact

Tensor = torch.Tensor
REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min"}  # what `ufunc.reduce` is called as a function


class FieldArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array over the field of a run; to NumPy it is one of float64."""

    dtype = np.dtype(np.float64)

    def __init__(self, tensor: Tensor, exact: Exact) -> None:
        self.tensor, self.exact = tensor, exact

    # -- the protocols -----------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce" and name in REDUCTIONS:
            options.setdefault("axis", 0)
            return self._call(name, FUNCTIONS[REDUCTIONS[name]], _tensors(inputs), _given(options), out)
        if method != "__call__":
            raise refusal(f"{name}.{method}")
        if options:
            raise refusal(name, f"with {', '.join(sorted(options))}")
        if name not in UFUNCS:
            raise refusal(name)
        arguments = _exponent(inputs) if name == "power" else _numbers(inputs)
        return self._call(name, UFUNCS[name], arguments, {}, out)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        name = function.__name__
        if name not in FUNCTIONS:
            raise refusal(name)
        options = _given(kwargs)
        return self._call(name, FUNCTIONS[name], _tensors(args), dict(zip(options, _tensors(options.values()), strict=True)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise refusal("asarray", "residues are no floats")

    def _call(self, name: str, call: Callable, args: Any, options: dict, out: Any = None) -> Any:
        """One operation, under the mode; its result as an array, or written into `out`."""
        if _get_current_dispatch_mode() is not self.exact:
            with self.exact.running():
                return self._call(name, call, args, options, out)
        try:
            result = call(*args, **options)
        except TypeError as error:  # an option that the torch operation does not have
            raise refusal(name, f"called like this: {error}") from error
        if out is None:
            return self._wrapped(result)
        (target,) = out
        if not isinstance(target, FieldArray):
            raise refusal(name, "into an array of floats: residues are no floats")
        target.tensor.copy_(result)
        return target

    def _wrapped(self, result: Any) -> Any:
        if isinstance(result, (list, tuple)):
            return type(result)(map(self._wrapped, result))
        if result.is_floating_point():
            return FieldArray(result, self.exact)
        return result.numpy()  # of isnan and its like: where a mask is minus infinity, no data

    # -- what arrays have besides ------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """As of any array."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.tensor.dim()

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.tensor.numel()

    @property
    def T(self) -> Any:
        """Axes in reverse."""
        return np.transpose(self)  # type: ignore[call-overload]

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[FieldArray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> FieldArray:
        return self._call("getitem", lambda x: indexing.reversed_(x, index)[indexing.forward(index)], (self.tensor,), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        if indexing.runs_backwards(index):
            raise refusal("setitem", "through a slice that runs backwards")

        def write(x: Tensor, new: Tensor) -> Tensor:
            x[indexing.forward(index)] = new
            return x

        self._call("setitem", write, (self.tensor, *_numbers([value])), {})

    def reshape(self, *shape: Any) -> Any:
        """As of any array."""
        return np.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)  # type: ignore[call-overload]

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """As of any array."""
        return np.sum(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def copy(self) -> Any:
        """As of any array."""
        return np.copy(self)

    def __bool__(self) -> bool:
        raise refusal("bool", "the program reads a value to branch on it")

    def __float__(self) -> float:
        raise refusal("float", "residues are no floats")

    def __repr__(self) -> str:
        return f"FieldArray(shape={self.shape})"

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


# -- arguments -----------------------------------------------------------------------------------------------------------


def _given(options: dict) -> dict:
    """Options that say something: NumPy passes `None` for those that nobody gave."""
    return {name: value for name, value in options.items() if value is not None and value is not np._NoValue}  # type: ignore[attr-defined]


def _numbers(values: Any) -> list[Tensor]:
    """Operands of arithmetic: constants in float64."""
    return [x.tensor if isinstance(x, FieldArray) else torch.as_tensor(np.asarray(x, dtype=np.float64)) for x in values]


def _exponent(inputs: tuple) -> list:
    """A number as exponent stays one: whole powers are exact."""
    base, exponent = inputs
    return [
        *_numbers([base]),
        float(exponent) if np.ndim(exponent) == 0 and not isinstance(exponent, FieldArray) else exponent,
    ]


def _tensors(values: Any) -> list:
    """Arguments of functions: arrays as tensors of their own kind, within lists, too; all else as it is."""
    return [_tensor(x) for x in values]


def _tensor(x: Any) -> Any:
    if isinstance(x, FieldArray):
        return x.tensor
    if isinstance(x, np.ndarray):
        return torch.as_tensor(x.astype(np.float64) if x.dtype.kind == "f" else x)
    if isinstance(x, (list, tuple)) and any(isinstance(part, (FieldArray, np.ndarray)) for part in x):
        return type(x)(map(_tensor, x))
    return x
