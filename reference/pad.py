"""Padding: elements before and after each axis.

    y[i] = x[i - P]                             0 <= i - P < L
    constant    y[i] = value                    outside
    replicate   y[i] = x[0] or x[L-1]           outside: the nearest element
    reflect     y[i] = x[-(i - P)], ...         outside: mirrored about the first and last element, which are not repeated
    circular    y[i] = x[(i - P) mod L]         outside: wrapped around

Shapes: clips `(B, C, T, H, W)`, any number of axes after C. Constant padding may be negative in torch; here it may not.
Source: the padding modes of torch.nn.functional.pad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing
from coequal.reference.window import check_clip

Pairs = tuple[tuple[int, int], ...]

# mode -> (what np.pad calls it, the element of x that stands at position i of an axis of length L)
MODES: dict[str, tuple[str, Callable[[int, int], int]]] = {
    "constant": ("constant", lambda i, length: i if 0 <= i < length else -1),
    "replicate": ("edge", lambda i, length: min(max(i, 0), length - 1)),
    "reflect": ("reflect", lambda i, length: length - 1 - abs(length - 1 - abs(i))),
    "circular": ("wrap", lambda i, length: i % length),
}


def pad_loops(clip: Array, padding: Pairs, mode: str = "constant", value: float = 0.0) -> Array:
    """Naive form: one element at a time."""
    source, rank = MODES[mode][1], len(padding)
    lead, extent = clip.shape[:-rank], clip.shape[-rank:]
    shape = tuple(n + before + after for n, (before, after) in zip(extent, padding, strict=True))
    result = np.full((*lead, *shape), value, dtype=clip.dtype)
    for index in np.ndindex(*shape):
        where = [source(i - p[0], n) for i, p, n in zip(index, padding, extent, strict=True)]
        if min(where) >= 0:
            result[(..., *index)] = clip[(..., *where)]
    return result


def pad(clip: Array, padding: Pairs, mode: str = "constant", value: float = 0.0) -> Array:
    """The last `len(padding)` axes with `(before, after)` more elements each; the clip itself where nothing is added."""
    check_padding("pad", clip.shape[-len(padding) :], padding, mode)
    if not any(before or after for before, after in padding):
        return clip
    widths = [(0, 0)] * (clip.ndim - len(padding)) + list(padding)
    options = {"constant_values": value} if mode == "constant" else {}
    return np.pad(clip, widths, MODES[mode][0], **options)  # type: ignore[call-overload]


def check_padding(what: str, extent: Sequence[int], padding: Pairs, mode: str) -> None:
    """ValueError where an axis is too short to be mirrored or wrapped, as in torch."""
    for letter, length, sides in zip("THW", extent, padding, strict=False):
        if mode == "reflect" and max(sides) >= length:
            raise ValueError(
                f"{what}: reflect padding {sides} needs more than {max(sides)} elements along {letter}, got {length}"
            )
        if mode == "circular" and max(sides) > length:
            raise ValueError(
                f"{what}: circular padding {sides} needs at least {max(sides)} elements along {letter}, got {length}"
            )
        if mode == "replicate" and max(sides) > 0 and length == 0:
            raise ValueError(f"{what}: replicate padding {sides} needs an element to repeat along {letter}, got none")


@dataclass(frozen=True)
class Pad:
    """Padding as a layer, time first: `padding[0]` is `(start, end)` in frames. No parameters.

    `mode`: "constant" (with `value`), "replicate", "reflect" or "circular".
    """

    padding: Pairs
    mode: str = "constant"
    value: float = 0.0
    time: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "padding", tuple((int(a), int(b)) for a, b in self.padding))
        if self.mode not in MODES:
            raise ValueError(f"Pad: mode is one of {', '.join(map(repr, MODES))}, got {self.mode!r}")
        if not self.padding:
            raise ValueError(
                "Pad: padding says how many axes there are: give a pair (before, after) for each, time first, got ()"
            )
        if min(min(pair) for pair in self.padding) < 0:
            raise ValueError(
                f"Pad: padding counts elements, so it is not negative, got {self.padding}: slice the clip instead"
            )

    @property
    def timing(self) -> Timing | None:
        """One frame in, one out, later by the start padding; None when the start of a clip shows its end (circular)."""
        start, end = self.padding[0]
        if self.mode == "circular" and (start or end):
            return None
        return Timing(1, 1, start, end)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """Every padded axis longer by its padding."""
        rank = len(self.padding)
        check_clip("Pad", shape, rank)
        check_padding("Pad", shape[-rank:], self.padding, self.mode)
        return (*shape[:-rank], *(n + a + b for n, (a, b) in zip(shape[-rank:], self.padding, strict=True)))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The padded clip."""
        self.output_shape(clip.shape)
        return pad(clip, self.padding, self.mode, self.value)
