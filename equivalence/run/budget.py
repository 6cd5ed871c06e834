"""How long something may go on: by the work of this process, so that it does not matter what else the machine does."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

IDLE = 4.0  # times as long on the clock: a stream may wait for something else than the processor


@dataclass(frozen=True)
class Budget:
    """Until so much processor time, and no longer than until a time on the clock. In seconds."""

    work: float = math.inf  # of `time.process_time`
    clock: float = math.inf  # of `time.monotonic`
    deadline: float = math.inf  # of `time.monotonic`: whatever happens

    @classmethod
    def of(cls, seconds: float, deadline: float | None = None) -> Budget:
        """So many seconds from now on."""
        return cls(deadline=math.inf if deadline is None else deadline)._until(seconds)

    @property
    def spent(self) -> bool:
        """Whether it is over."""
        return time.process_time() > self.work or time.monotonic() > min(self.clock, self.deadline)

    def more(self, seconds: float) -> Budget:
        """The same, so much longer."""
        return replace(self, work=self.work + seconds, clock=self.clock + IDLE * seconds)

    def at_least(self, seconds: float) -> Budget:
        """The same, or so many seconds from now on if that is longer."""
        other = self._until(seconds)
        return replace(self, work=max(self.work, other.work), clock=max(self.clock, other.clock))

    def half(self) -> Budget:
        """The same, but for half of what is left until the deadline."""
        now = time.monotonic()
        return replace(self, deadline=now + max(0.0, self.deadline - now) / 2)

    def _until(self, seconds: float) -> Budget:
        return replace(self, work=time.process_time() + seconds, clock=time.monotonic() + IDLE * seconds)
