"""Head, interior and tail of a stream get separate verdicts: a mistake in the padding is not one in the arithmetic.

Output j sees the input frames `j S - P ... j S - P + R - 1` (R receptive field, S stride, P padding at the start, all as
measured). *Head*: some of them lie before the first frame. *Tail*: some lie behind the last one. *Both ends*: head and tail
at once, the clip being shorter than the receptive field. *Interior*: the rest, and every frame where memory is unbounded.
Without a measured timing there are no regions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from coequal.equivalence.report import MeasuredTiming, RegionVerdict

REGIONS = ("head", "interior", "tail", "both ends")


@dataclass
class Regions:
    """Frames that were compared, in each region: how many, and how many of them differ."""

    timing: MeasuredTiming = field(default_factory=MeasuredTiming)
    compared: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0))
    different: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0))

    def of(self, frame: int, length: int) -> str:
        """The region of output `frame` (its index in the clip's output) of a stream of `length` input frames, or ""."""
        span, stride, delay = self.timing.receptive_field, self.timing.stride, self.timing.delay
        if span is not None and math.isinf(span):
            return "interior"
        if span is None or stride is None or delay is None:
            return ""
        first = frame * stride - (span - 1 - delay)
        before, behind = first < 0, first + span > length
        if before and behind:
            return "both ends"
        return "head" if before else "tail" if behind else "interior"

    def note(self, frame: int, length: int, same: bool) -> None:
        """One frame was compared."""
        region = self.of(frame, length)
        if region:
            self.compared[region] += 1
            self.different[region] += not same

    def add(self, other: Regions) -> None:
        """What was counted elsewhere, too."""
        for region in REGIONS:
            self.compared[region] += other.compared[region]
            self.different[region] += other.different[region]

    def verdicts(self) -> dict[str, RegionVerdict]:
        """Of each region: equal, different, or not compared; with the counts."""
        return {name: RegionVerdict(_outcome(self.compared[name], self.different[name]), self.compared[name],
                                    self.different[name]) for name in REGIONS}  # fmt: skip


def _outcome(compared: int, different: int) -> str:
    if different:
        return "different"
    return "equal" if compared else "not compared"
