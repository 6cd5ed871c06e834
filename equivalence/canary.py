"""The integer canary: does a runtime compute plain sums of products? Each linear node of a file, on whole numbers, by `==`.

A miss is a fact about the runtime, not about the file: it computes in a coarser format, or by a transform (Winograd's).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from coequal.subjects.artefacts.parts import Part
from coequal.subjects.backends.runtime import Cure

Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
Start = Callable[[Any, dict[str, str]], Run]  # a model and settings -> what runs it


@dataclass(frozen=True)
class Missed:
    """A node that a runtime does not compute exactly, and the setting with which it does; None: none that is known."""

    node: str
    detail: str
    cure: str | None = None

    def __str__(self) -> str:
        cured = f"with {self.cure}" if self.cure else "no setting that is known makes it exact"
        return f"{self.node}: {self.detail}; {cured}"


@dataclass(frozen=True)
class Canary:
    """How many nodes were asked, and which are not exact."""

    asked: int
    missed: tuple[Missed, ...]

    @property
    def outcome(self) -> str:
        """`exact`, or `not exact`; `not asked` where the file has no linear node."""
        if not self.asked:
            return "not asked"
        return "not exact" if self.missed else "exact"


def canary(parts: Iterable[Part], start: Start, settings: dict[str, str], cures: Sequence[Cure]) -> Canary:
    """Every part on the runtime with these settings; what misses is asked again with each cure."""
    asked, missed = set[str](), dict[str, Missed]()
    bench = _Bench(start)
    for part in parts:
        asked.add(part.node)
        if part.node in missed:  # with one factor of many digits is enough
            continue
        if detail := _apart(part, bench.run(part, settings)):
            cure = next((c for c in cures if not _apart(part, bench.run(part, {**settings, **c.settings}))), None)
            said = None if cure is None else f"{cure} it is exact (without, {cure.why})"
            missed[part.node] = Missed(part.node, detail, said)
    return Canary(len(asked), tuple(missed.values()))


class _Bench:
    """Models that were started, since parts may share one."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.model: Any = None
        self.runs: dict[tuple, Run] = {}

    def run(self, part: Part, settings: dict[str, str]) -> np.ndarray:
        """What the runtime makes of a part."""
        if part.model is not self.model:
            self.model, self.runs = part.model, {}
        key = tuple(sorted(settings.items()))
        if key not in self.runs:
            self.runs[key] = self.start(part.model, settings)
        return self.runs[key]([x.numpy() for x in part.inputs])[part.output]


def _apart(part: Part, result: np.ndarray) -> str:
    """What differs; empty: nothing."""
    got = torch.from_numpy(np.ascontiguousarray(result))
    if got.shape != part.exact.shape:
        return f"its shape is {tuple(got.shape)}, not {tuple(part.exact.shape)}"
    wrong = got != part.exact
    if not bool(wrong.any()):
        return ""
    place = tuple(int(n) for n in wrong.nonzero()[0])
    want, found = float(part.exact[place]), float(got[place])
    return f"{int(wrong.sum())} of {wrong.numel()} sums are not exact, such as {want:.0f}, of which it makes {found:.10g}"
