"""What was run at all, collected while streams are played."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch


@dataclass
class Ran:
    """Formats and devices by name; numbers of rows, frames, frames at once."""

    formats: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    batches: set[int] = field(default_factory=set)
    shapes: set[tuple[int, ...]] = field(default_factory=set)  # of clips, the number of frames and rows left out
    lengths: set[int] = field(default_factory=set)
    chunks: set[int] = field(default_factory=set)
    orders: set[tuple[int, ...]] = field(default_factory=set)  # two and three chunks one after the other

    def note(
        self,
        dtype: torch.dtype,
        device: torch.device,
        shape: tuple[int, ...],
        rows: int | None,
        length: int,
        chunks: tuple[int, ...] | None,
    ) -> None:
        """One stream is played with a clip in chunks of these sizes (None: frame by frame)."""
        self.formats.add(str(dtype).removeprefix("torch."))
        self.devices.add(device.type)
        self.batches |= set() if rows is None else {rows}
        self.shapes.add(shape)
        self.lengths.add(length)
        self.chunks |= {1} if chunks is None else set(chunks)
        if chunks is not None:
            self.orders |= {*itertools.pairwise(chunks), *zip(chunks, chunks[1:], chunks[2:], strict=False)}

    def ordered(self, count: int) -> list[int]:
        """The smallest sizes of which any so many followed one another."""
        sizes = sorted({order[0] for order in self.orders if len(order) == count})
        while sizes and not all(order in self.orders for order in itertools.product(sizes, repeat=count)):
            sizes.pop()
        return sizes
