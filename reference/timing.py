"""Timing: which input frames an output frame depends on, and when it can be emitted.

Output frame `j` of a layer depends on the input frames `j*S - P_start ... j*S - P_start + R - 1`. It can be emitted as soon
as the newest of them has arrived, hence the delay `D = R - 1 - P_start` (output 0 appears at step D, counted from 0).

Units: frames of the input of the layer. Receptive-field arithmetic after Araujo, Norris & Sim, "Computing receptive fields
of convolutional neural networks", Distill 2019, equations 1 and 2.

Frames within that range may be skipped (dilation, stride); the first and the last of it are always used by an output whose
whole range lies inside the clip. Nearer to the ends, padding inside the network may stand for a frame of the clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timing:
    """Receptive field `R`, stride `S`, padding at the start and at the end of a clip, all in frames.

    `receptive_field` is `math.inf` for a layer that remembers everything (recurrence, causal attention). Then
    `R - 1 - P_start` says nothing, and `unbounded_delay` holds the delay: 0 for a recurrence alone, 1 once a centred kernel
    of 3 follows it.
    """

    receptive_field: int | float = 1
    stride: int = 1
    pad_start: int = 0
    pad_end: int = 0
    unbounded_delay: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if self.receptive_field < 1:
            raise ValueError(f"Timing: receptive_field is in frames and at least 1, got {self.receptive_field}")
        if self.stride < 1:
            raise ValueError(f"Timing: stride is in frames and at least 1, got {self.stride}")
        if self.unbounded_delay and not math.isinf(self.receptive_field):
            raise ValueError(
                f"Timing: unbounded_delay {self.unbounded_delay} is for an infinite receptive field, got"
                f" {self.receptive_field}: the delay of a finite one is receptive_field - 1 - pad_start"
            )

    @property
    def delay(self) -> int:
        """Steps between a frame and the emission that stands for it: `D = R - 1 - P_start`.

        Negative where the padding is so long that output 0 sees no frame at all.
        """
        if math.isinf(self.receptive_field):
            return self.unbounded_delay
        return int(self.receptive_field) - 1 - self.pad_start

    def output_length(self, length: int) -> int:
        """Output frames of a clip of `length` input frames (floor rule), never negative.

        Exact when every layer inside has an output frame for that clip.
        """
        return max(0, (length - 1 - self.delay + self.pad_end) // self.stride + 1)

    def then(self, after: Timing) -> Timing:
        """The timing of `after` applied to the output of `self`.

        >>> Timing(3, 2, 1, 1).then(Timing(3, 1, 1, 1))
        Timing(receptive_field=7, stride=2, pad_start=3, pad_end=3)
        """
        jump = self.stride
        return _timing(
            receptive_field=self.receptive_field + (after.receptive_field - 1) * jump,
            stride=jump * after.stride,
            pad_start=self.pad_start + after.pad_start * jump,
            pad_end=self.pad_end + after.pad_end * jump,
            delay=self.delay + after.delay * jump,
        )

    def beside(self, other: Timing) -> Timing:
        """The timing of two branches of the same input whose outputs are combined frame by frame.

        >>> Timing(3, 1, 1, 1).beside(Timing(1))
        Timing(receptive_field=3, stride=1, pad_start=1, pad_end=1)
        """
        if self.stride != other.stride:
            raise ValueError(
                f"Timing: parallel branches must have the same stride in time, got {self.stride} and {other.stride}"
            )
        pad_start = max(self.pad_start, other.pad_start)
        delay = max(self.delay, other.delay)
        unbounded = math.isinf(self.receptive_field) or math.isinf(other.receptive_field)
        # frames that the output is shorter than the clip; clips for which one branch has an output more have none
        shortfall = max(self.delay - self.pad_end, other.delay - other.pad_end)
        return _timing(math.inf if unbounded else delay + 1 + pad_start, self.stride, pad_start, delay - shortfall, delay)


def _timing(receptive_field: int | float, stride: int, pad_start: int, pad_end: int, delay: int) -> Timing:
    """A timing whose delay is already known: it is kept only where `R - 1 - P_start` cannot give it."""
    return Timing(receptive_field, stride, pad_start, pad_end, delay if math.isinf(receptive_field) else 0)
