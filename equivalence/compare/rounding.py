"""What counts as rounding: the only place with bounds, none of them picked by hand.

Two programs for the same function differ by rounding alone. In a format of unit roundoff u the difference is about `u
A`, where A (the *amplification*) is how much the output moves, relative to a relative change of inputs and weights;
different functions differ by an amount that does not depend on u. So a difference is *rounding* when it is nearer, on a
logarithmic scale, to `u A` than to `u' A`, where u' belongs to the next coarser format:

    |stream - clip| <= sqrt(u u') A         double: 2^-38.5 A     single: 2^-17.5 A     half, bfloat16: 2^-8 A

In double precision that leaves 2^14 roundings' worth of room for another order of operations, and still sees a relative
difference of 3e-12: constants rounded to single precision, an eps of 1e-6 for 1e-5, one approximation for another. What
is smaller is for exact arithmetic to see. A program may hold islands of a coarser format (norms in single precision,
say): the casts are seen at the dispatcher, and the unit is that of the coarsest format of the *clip*. A stream that
rounds more coarsely than its clip is different.

Source of the model: Higham, "Accuracy and stability of numerical algorithms", 2002, sections 1.6 (condition) and 3.1
(`2 n u sum |w||x|`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from coequal.proofs.eager import EagerMode

Tensor = torch.Tensor
PROBE = 2.0**-20  # relative size of the change that measures the amplification: far above rounding, far below one
FORMATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)  # from fine to coarse


@dataclass(frozen=True)
class Rounded:
    """A difference that is rounding: how large, in words; what of it, in the subject's own format, no rounding explains."""

    largest: float
    words: str
    unexplained: str = ""


def unit(dtype: torch.dtype) -> float:
    """Unit roundoff: half the spacing of numbers around one."""
    return torch.finfo(dtype).eps / 2


def coarser_of(a: torch.dtype, b: torch.dtype) -> torch.dtype:
    """The coarser of two floating-point formats."""
    return max(a, b, key=unit)


def cut(dtype: torch.dtype) -> float:
    """`sqrt(u u')`: half way, on a logarithmic scale, between this format's unit and that of the next coarser one."""
    after = {torch.float64: torch.float32, torch.float32: torch.float16}.get(dtype)
    return math.sqrt(unit(dtype) * (1.0 if after is None else unit(after)))


class Formats(EagerMode):
    """Records the coarsest floating-point format that data is cast to; constants without axes do not count."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.coarsest = dtype

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            source = args[1] if func.overloadpacket is torch.ops.aten.copy_ else args[0]
            self._note(source, result)
        return result

    def _note(self, source: Tensor, result: Tensor) -> None:
        floats = source.is_floating_point() and result.is_floating_point() and result.dtype in FORMATS
        if floats and result.dim() and unit(result.dtype) > unit(source.dtype):
            self.coarsest = coarser_of(self.coarsest, result.dtype)


def bound(dtype: torch.dtype, amplification: float, largest: float) -> float:
    """The greatest difference that is rounding; `largest` is the magnitude of the output, which A never falls below."""
    return cut(dtype) * max(amplification, largest)


def shrinks(double: float, single: float) -> bool:
    """Whether a difference is rounding because it shrinks with the unit: by more than `sqrt(u / u')` from single to double.

    A difference between functions stays what it is. One that is not finite in double precision is no rounding.
    """
    if not math.isfinite(double):
        return False
    return not math.isfinite(single) or double <= single * math.sqrt(unit(torch.float64) / unit(torch.float32))


def explained(fine_error: float, coarse_error: float, fine: torch.dtype, coarse: torch.dtype, largest: float) -> bool:
    """Whether the error in a coarse format is what rounding makes of that in a fine one.

    The fine one says how much the stream amplifies (its error over the unit, at least the output's magnitude, `largest`),
    and a difference is rounding as long as it is below `cut` times that, as ever.
    """
    return coarse_error <= bound(coarse, fine_error / unit(fine), largest)


def perturbed(x: Tensor, seed: int) -> Tensor:
    """`x (1 + r PROBE)`, r random in [-1, 1] for each element; integers as they are."""
    if not x.is_floating_point():
        return x
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(x.shape, generator=generator, dtype=torch.float64) * 2 - 1
    return x * (1 + PROBE * noise.to(x.device, x.dtype))


def drifts(ratios: Sequence[float]) -> bool:
    """Whether error ratios of consecutive stretches of time grow: they at least double, and not by chance.

    Without drift the stretches are in no order; Kendall's rank correlation with time is then beyond 3.72 standard deviations
    once in 10^4 (Kendall, "A new measure of rank correlation", Biometrika 1938).
    """
    n = len(ratios)
    if n < 8 or not all(math.isfinite(ratio) for ratio in ratios):
        return False
    score = sum((later > earlier) - (later < earlier) for earlier, later in itertools.combinations(ratios, 2))
    chance = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first, last = ratios[: n // 4], sorted(ratios[n // 2 :])
    return score > 3.72 * chance and last[len(last) // 2] > 2 * min(first)
