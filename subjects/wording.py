"""Lists and numbers in words, the same in every message."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def listed(things: Iterable[Any]) -> str:
    """`a, b and c`; empty for nothing."""
    words = [str(thing) for thing in things]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def numbers(sizes: Iterable[int], most: int | None = None) -> str:
    """`1 to 16, 37 and 84`: numbers in their order, three and more in a row as a range; at most so many words of them."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and size == runs[-1][-1] + 1:
            runs[-1].append(size)
        else:
            runs.append([size])
    words = [word for run in runs for word in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return listed(
        words if most is None or len(words) <= most else [*words[: most - 1], f"{len(words) - most + 1} other sizes"]
    )


def power(probability: float) -> str:
    """`2^-76`, rounded up."""
    return f"2^{math.ceil(math.log2(max(probability, 1e-300)))}"


def horizon_in_words(horizon: int | str, lengths: list[int]) -> str:
    """`at every length`, `for streams of up to 19 frames`, `for streams of 13 frames`."""
    if horizon == "all":
        return "at every length"
    return f"for streams of {'' if len(lengths) == 1 else 'up to '}{horizon} frames"
