"""Constants of single precision in a computation of double precision, and a mode that moves them by less than a rounding.

A window, a table of cosines, a decay that were made in single precision keep its rounding wherever they are cast to. They
are known by their digits, where they meet data or are first computed with in double precision, as are numbers that a program
writes with about so many digits; what is computed from data is data. What single precision computes from constants has
rounded arguments, which move as well: `cos(t w)`, whose argument grows with time. The same number moves by the same amount
wherever it is met, its negative and its multiples by powers of two alike.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_map

from coequal.proofs.eager import EagerMode, unusual

Tensor = torch.Tensor
UNIT = 2.0**-24  # of single precision
SHORT = 12  # significant bits: a number of so few is exact
WRITTEN = (8, 12)  # decimal digits of a number that was written by hand, and rounded
DIGITS = (1 << 52) - 1  # of a double, behind its leading one
WHOLE = {"floor", "ceil", "round", "trunc", "frac", "remainder", "fmod", "floor_divide", "sign"}  # they jump
FACTOR = 0x2545F4914F6CDD1D  # odd (Steele & Vigna, "Computationally easy, spectrally good multipliers", 2022, on such)


def single(x: Tensor) -> Tensor:
    """Which doubles are numbers of single precision that may have been rounded to it."""
    digits = x.contiguous().view(torch.int64) & DIGITS
    return (digits & ((1 << 29) - 1) == 0) & (digits & ((1 << (53 - SHORT)) - 1) != 0) & torch.isfinite(x)


def _decimal(x: float) -> bool:
    """Whether a number was written with as many digits as single precision has, or a few more: `1.44269504` for log2(e)."""
    if not math.isfinite(x) or x == 0:
        return False
    digits = len(f"{x!r}".partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))
    nearest = math.frexp(x)[0] * 2**SHORT
    return WRITTEN[0] <= digits <= WRITTEN[1] and abs(nearest - round(nearest)) > 2**SHORT * 2.0**-20


def moved(x: Tensor, seed: int) -> Tensor:
    """Those numbers by half a rounding or more, up or down, as their digits say; others as they are."""
    return torch.where(single(x.double()), _shifted(x.double(), seed), x.double())


def _shifted(exact: Tensor, seed: int) -> Tensor:
    hashed = ((exact.contiguous().view(torch.int64) & DIGITS) ^ (seed * 0x9E3779B9)) * FACTOR
    hashed = (hashed ^ (hashed >> 29)) * FACTOR
    share = ((hashed >> 33) & 0xFFFFF).double() / (1 << 20)  # in [0, 1)
    by = UNIT * (0.5 + 0.5 * share) * (((hashed >> 55) & 1) * 2 - 1)
    return exact * (1 + by)


class MovedConstants(EagerMode):
    """Within it constants of single precision are moved, by a seed; None: nothing is."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self.seed = seed
        self.settled: dict[int, Any] = {}  # storages of data, and of constants that were moved, which stay alive

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Meanwhile nothing is moved."""
        seed, self.seed = self.seed, None
        try:
            yield
        finally:
            self.seed = seed

    def are_data(self, data: Iterable[Tensor]) -> None:
        """These are no constants, nor what is computed from them."""
        for tensor in data:
            storage = tensor.untyped_storage()
            self.settled[storage._cdata] = storage

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if self.seed is None:
            return func(*args, **kwargs)
        leaves = list(_leaves(args, kwargs))
        given = [t for t in leaves if isinstance(t, Tensor)]
        if any(map(unusual, given)):
            return func(*args, **kwargs)
        settled = any(self._settled(t) for t in given)
        double = kwargs.get("dtype") == torch.float64 or any(t.dtype == torch.float64 for t in given)
        written = list(_written(func, args, kwargs)) if func._schema.is_mutable else []
        if double and not func.is_view:
            kept = {id(t) for t in written}
            moved_ = {id(t): self._moved(t) for t in leaves if id(t) not in kept and self._movable(t, settled)}
            settled |= any(id(t) in moved_ for t in given)
            if moved_:
                args, kwargs = tree_map(lambda t: moved_.get(id(t), t), (args, kwargs))
        result = func(*args, **kwargs)
        if not (double or settled) and _computes(func):
            result = self._from_moved(func, args, kwargs, result)
        if settled:
            self.are_data(t for t in _leaves((result,), {}) if isinstance(t, Tensor) and not unusual(t))
            self.are_data(written)
        return result

    def _from_moved(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        """What single precision computes from constants, those moved; a result that only holds some of them stays."""
        assert self.seed is not None
        given = [t for t in _leaves(args, kwargs) if isinstance(t, Tensor) and t.dtype == torch.float32]
        if not isinstance(result, Tensor) or result.dtype != torch.float32:
            return result
        if not any(bool(single(t.double()).any()) for t in given) or _holds_only(result, given):
            return result
        other = {id(t): moved(t, self.seed) for t in given}
        args, kwargs = tree_map(lambda t: other.get(id(t), t), (args, kwargs))
        return func(*args, **kwargs).to(torch.float32)

    def _settled(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.settled

    def _movable(self, number: object, with_data: bool) -> bool:
        """Constants with a digit to move: tensors, and numbers of Python where they meet data."""
        if isinstance(number, Tensor):
            floats = number.dtype in (torch.float32, torch.float64)
            return floats and not self._settled(number) and bool(single(number.double()).any())
        return (
            with_data
            and isinstance(number, float)
            and (_decimal(number) or bool(single(torch.tensor(number, dtype=torch.float64))))
        )

    def _moved(self, number: Any) -> Any:
        assert self.seed is not None
        if isinstance(number, Tensor):
            return moved(number, self.seed)
        return float(_shifted(torch.tensor(number, dtype=torch.float64), self.seed))


def _leaves(args: Iterable[Any], kwargs: dict[str, Any]) -> Iterator[Any]:
    """Everything that an operation is given, lists of tensors one by one."""
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, (list, tuple)):
            yield from argument
        else:
            yield argument


def _holds_only(result: Tensor, given: list[Tensor]) -> bool:
    """Whether all of its numbers, but for signs, are among those that were given."""
    return bool(torch.isin(result.abs(), torch.cat([t.abs().flatten() for t in given])).all())


def _computes(func: Any) -> bool:
    """Whether an operation may be asked twice, and does not jump."""
    random = torch.Tag.nondeterministic_seeded in func.tags
    return not (func.is_view or func._schema.is_mutable or random or func.overloadpacket.__name__ in WHOLE)


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors that an operation writes to."""
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[i] if i < len(args) else kwargs.get(argument.name)
            yield from (t for t in _leaves((given,), {}) if isinstance(t, Tensor))
