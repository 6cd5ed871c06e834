"""Timing: which input frames an output frame depends on, and when it can be emitted.

Output frame `j` of a layer depends on the input frames `j*S - P_start ... j*S - P_start + R - 1`. It can be emitted as soon
as the newest of them has arrived, hence the delay `D = R - 1 - P_start` (output 0 appears at step D, counted from 0).

Units: frames of the input of the layer. Receptive-field arithmetic after Araujo, Norris & Sim, "Computing receptive fields
of convolutional neural networks", Distill 2019, equations 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Receptive field `R`, stride `S`, padding at the start and at the end of a clip, all in frames.

    `receptive_field` is `math.inf` for a layer that remembers everything (recurrence, causal attention).
    """

    receptive_field: int | float = 1
    stride: int = 1
    pad_start: int = 0
    pad_end: int = 0

    def __post_init__(self) -> None:
        if self.receptive_field < 1:
            raise ValueError(f"Timing: receptive_field is in frames and at least 1, got {self.receptive_field}")
        if self.stride < 1:
            raise ValueError(f"Timing: stride is in frames and at least 1, got {self.stride}")

    @property
    def delay(self) -> int:
        """Steps between a frame and the emission that stands for it: `D = R - 1 - P_start`; 0 for unbounded memory.

        Negative where the padding is so long that output 0 sees no frame at all.
        """
        if math.isinf(self.receptive_field):
            return 0
        return int(self.receptive_field) - 1 - self.pad_start

    def output_length(self, length: int) -> int:
        """Output frames of a clip of `length` input frames (floor rule), never negative."""
        if math.isinf(self.receptive_field):
            return length
        padded = length + self.pad_start + self.pad_end
        return max(0, (padded - int(self.receptive_field)) // self.stride + 1)

    def then(self, after: Timing) -> Timing:
        """The timing of `after` applied to the output of `self`.

        >>> Timing(3, 2, 1, 1).then(Timing(3, 1, 1, 1))
        Timing(receptive_field=7, stride=2, pad_start=3, pad_end=3)
        """
        jump = self.stride
        return Timing(
            receptive_field=self.receptive_field + (after.receptive_field - 1) * jump,
            stride=jump * after.stride,
            pad_start=self.pad_start + after.pad_start * jump,
            pad_end=self.pad_end + after.pad_end * jump,
        )

    def beside(self, other: Timing) -> Timing:
        """The timing of two branches of the same input whose outputs are combined frame by frame."""
        if self.stride != other.stride:
            raise ValueError(
                f"Timing: parallel branches must have the same stride in time, got {self.stride} and {other.stride}"
            )
        pad_start = max(self.pad_start, other.pad_start)
        last = max(
            self.receptive_field - self.pad_start, other.receptive_field - other.pad_start
        )  # one past the newest input frame of output 0
        ends = [t.receptive_field - t.pad_start - t.pad_end for t in (self, other)]
        pad_end = 0 if math.isinf(last) else int(last - min(ends))
        return Timing(last + pad_start, self.stride, pad_start, max(0, pad_end))
