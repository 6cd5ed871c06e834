"""How two frames differ: kind, shape, place of the first element that does, distance; and the exception that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

Tensor = torch.Tensor
MOST = 1 << 20  # numbers that are compared at once


@dataclass
class Mismatch(Exception):
    """The first difference: which output frame, which element of it, expected against got."""

    detail: str
    frame: int | None = None
    index: tuple[int, ...] = ()
    expected: Any = None
    got: Any = None
    region: str = ""
    whole: bool = False  # of integers, which do not round

    def __str__(self) -> str:
        return self.detail

    @property
    def of_numbers(self) -> bool:
        """Whether two floats differ, which rounding might explain."""
        return not self.whole and isinstance(self.got, float) and isinstance(self.expected, float)

    def in_region(self, region: str) -> Mismatch:
        """The same, said to be in the head, interior or tail."""
        return replace(self, region=region)


def close(got: Tensor, want: Tensor, limit: float) -> bool:
    """Same kind and place, and no element further apart than `limit`; infinities must be equal, NaN where NaN is."""
    if got.shape != want.shape or got.dtype != want.dtype or got.device != want.device:
        return False
    if not want.is_floating_point():
        return torch.equal(got, want)
    if bool(((got - want).abs() <= limit).all()):  # which what is not finite never is
        return True
    return not bool(_apart(got, want, limit).any())


def all_close(got: list[Tensor], want: list[Tensor], limit: float) -> bool:
    """Whether each of some frames is `close` to its own, in one comparison; False where they would not make one tensor."""
    kinds = {(type(t), t.shape, t.dtype, t.device, t.layout) for t in (*got, *want)}
    if len(kinds) != 1 or type(got[0]) is not Tensor or got[0].layout is not torch.strided:
        return False
    return len(got) * got[0].numel() <= MOST and close(torch.stack(got), torch.stack(want), limit)


def _apart(got: Tensor, want: Tensor, limit: float) -> Tensor:
    if not want.is_floating_point():
        return got != want
    return (distances(got, want) <= limit).logical_not()


def less(a: Tensor, b: Tensor) -> Tensor:
    """`a - b`; of truth values, which torch does not subtract, as numbers."""
    a, b = (x.to(torch.int8) if x.dtype == torch.bool else x for x in (a, b))
    return a - b


def distances(got: Tensor, want: Tensor) -> Tensor:
    """How far apart, element by element: nothing where both are the same infinity, or both NaN."""
    return (got - want).abs().masked_fill(alike(got, want), 0.0)


def alike(a: Tensor, b: Tensor) -> Tensor:
    """Element by element, whether two tensors of one shape hold the same number, NaN being NaN."""
    return (a == b) | (a.isnan() & b.isnan())


def difference_of(got: Tensor, want: Tensor, limit: float, frame: int) -> Mismatch | None:
    """The first element that is further apart than rounding; None: there is none."""
    if (other := kind_difference(got, want, frame)) is not None:
        return other
    apart = _apart(got, want, limit)
    if not bool(apart.any()):
        return None
    index = tuple(int(i) for i in apart.nonzero()[0])
    expected, value = want[index].item(), got[index].item()
    many = int(apart.sum())
    detail = f"frame {frame}, element {list(index)}: expected {expected!r}, got {value!r}"
    if want.is_floating_point():
        detail += f" (rounding explains at most {limit:.1e}); {many} of {got.numel()} elements differ"
    return Mismatch(detail, frame, index, expected, value)


def kind_difference(got: Tensor, want: Tensor, frame: int) -> Mismatch | None:
    """Two frames of different shapes or formats, or in different places."""
    if got.shape != want.shape:
        return Mismatch(
            f"frame {frame} has shape {tuple(got.shape)}, the clip's frame (its time axis removed) {tuple(want.shape)}",
            frame, (), list(want.shape), list(got.shape),
        )  # fmt: skip
    if got.dtype != want.dtype:
        return Mismatch(f"frame {frame} is {got.dtype}, the clip's {want.dtype}", frame, (), str(want.dtype), str(got.dtype))
    if got.device != want.device:
        return Mismatch(
            f"frame {frame} is on {got.device}, the clip's on {want.device}", frame, (), str(want.device), str(got.device)
        )
    return None


def first_value(frame: Tensor) -> Any:
    """The first element of a frame, for a report."""
    return frame.flatten()[0].item() if frame.numel() else None
