"""What an answer covers: everything that was run, in words that a program can read, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from coequal.equivalence.weights import is_weight, tensors

if TYPE_CHECKING:
    from coequal.equivalence.bench import Bench


@dataclass
class Ran:
    """Collected while streams are played."""

    formats: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    batches: set[int] = field(default_factory=set)
    shapes: set[tuple[int, ...]] = field(default_factory=set)  # of clips, the number of frames and rows left out
    lengths: set[int] = field(default_factory=set)
    chunks: set[int] = field(default_factory=set)

    def note(self, bench: Bench, x: torch.Tensor, chunks: tuple[int, ...] | None) -> None:
        """One stream is played with this clip in chunks of these sizes (None: frame by frame)."""
        subject = bench.subject
        rows = subject.batch
        self.formats.add(str(bench.dtype if bench.floating else x.dtype).removeprefix("torch."))
        self.devices.add(x.device.type)
        self.batches |= set() if rows is None else {x.shape[rows]}
        self.shapes.add(tuple(n for axis, n in enumerate(x.shape) if axis not in (subject.time, rows)))
        self.lengths.add(x.shape[subject.time])
        self.chunks |= {1} if chunks is None else set(chunks)


def scope_of(bench: Bench) -> dict[str, Any]:
    """What was run, what the weights were, what was left as it came."""
    ran, module, subject = bench.ran, bench.subject.modules, bench.subject
    return {
        "formats": sorted(ran.formats),
        "devices": sorted(ran.devices),
        "batch_sizes": sorted(ran.batches),
        "frame_shapes": sorted(map(list, ran.shapes)),
        "chunk_sizes": sorted(ran.chunks),
        "lengths": sorted(ran.lengths),
        "inputs": _inputs(bench),
        "weights": _weights(bench),
        "mode": _mode(module),
        "buffers_not_drawn": _not_drawn(module),
        "relation": "stream" if subject.window is None else f"window of {subject.window}",
        "globals": [],
        "assumptions": [],
    }


def _inputs(bench: Bench) -> str:
    if bench.subject.inputs is not None:
        return "drawn by the subject's inputs"
    if bench.floating:
        return "random numbers like the example's; in exact arithmetic all there are"
    example = bench.subject.example
    low, high = (int(example.min()), int(example.max())) if example.numel() else (0, 1)
    return f"random whole numbers from {low} to {max(high, low)}: others were not tried"


def _weights(bench: Bench) -> str:
    if bench.subject.modules is None:
        return "as they came: the subject names no modules"
    if bench.unread:
        return "as they came: the stream does not read them from `modules`"
    return "as they came, and drawn"


def _mode(module: torch.nn.Module | None) -> str | None:
    """train, eval, or both; None without modules."""
    modes = set() if module is None else {"train" if part.training else "eval" for part in module.modules()}
    return " and ".join(sorted(modes)) or None


def _not_drawn(module: torch.nn.Module | None) -> list[str]:
    named = {} if module is None else tensors(module)
    return sorted(name for name, tensor in named.items() if not is_weight(name, tensor))
