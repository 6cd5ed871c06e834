"""What a number that a file holds in single precision stands for.

A file writes 0.01 as the float32 that is nearest to it, in double precision 0.00999999978: computed with as it
stands, a right export would be off by eight digits. So a single number is taken for the simple one it is the rounding of, if
there is one; tensors of numbers, which are weights, are what they are.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

RATIO, DIGITS, ROOT = 144, 3, 32  # as in `proofs/field/numbers/number.py`: such numbers are rare among floats


def meant(value: float) -> float:
    """The simple number whose rounding to single precision this is; the value itself where there is none.

    >>> meant(float(np.float32(0.01))), meant(float(np.float32(1 / 3))) == 1 / 3, meant(0.4711000144481659)
    (0.01, True, 0.4711000144481659)
    """
    if not math.isfinite(value) or value == 0 or not 2.0**-100 < abs(value) < 2.0**100:
        return value
    return next((c for c in _candidates(abs(value)) if float(np.float32(c)) == abs(value)), abs(value)) * math.copysign(
        1, value
    )


def _candidates(size: float) -> list[float]:
    decimal = float(f"{size:.{DIGITS}g}")
    limit = int(math.sqrt(RATIO / size)) if size < RATIO else 1
    ratio = Fraction(size).limit_denominator(max(1, limit))
    found = [decimal] + ([float(ratio)] if ratio.numerator * ratio.denominator <= RATIO else [])
    for square in (size * size, 1 / (size * size)):
        whole = round(square)
        if 1 <= whole <= ROOT:
            root = math.sqrt(whole)
            found += [root, 1 / root]
    return found
