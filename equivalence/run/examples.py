"""One comparison, by everything that it depends on."""

from __future__ import annotations

from dataclasses import dataclass

from coequal.subjects.chunks import Chunks


@dataclass(frozen=True)
class Example:
    """One comparison: everything that it depends on. `scale` None means the weights the subject came with."""

    length: int
    batch: int
    seed: int
    scale: float | None = None
    chunks: Chunks | None = None
    variant: str = ""
    format: str | None = None  # a floating-point format, by name; None: that of the comparison
