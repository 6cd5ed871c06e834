"""What an answer covers: everything that was run, in words that a program can read, too."""

from __future__ import annotations

from typing import Any

import torch

from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import is_weight, tensors


def scope_of(session: Session) -> dict[str, Any]:
    """What was run, what the weights were, what was left as it came."""
    ran, module, subject = session.ran, session.subject.modules, session.subject
    return {
        "formats": sorted(ran.formats),
        "devices": sorted(ran.devices),
        "batch_sizes": sorted(ran.batches),
        "frame_shapes": sorted(map(list, ran.shapes)),
        "chunk_sizes": sorted(ran.chunks),
        "lengths": sorted(ran.lengths),
        "inputs": _inputs(session),
        "weights": _weights(session),
        "mode": _mode(module),
        "buffers_not_drawn": _not_drawn(module),
        "relation": "stream" if subject.window is None else f"window of {subject.window}",
        "globals": [],
        "assumptions": [],
    }


def _inputs(session: Session) -> str:
    if session.subject.inputs is not None:
        return "drawn by the subject's inputs"
    if session.floating:
        return "random numbers like the example's; in exact arithmetic all there are"
    example = session.subject.example
    low, high = (int(example.min()), int(example.max())) if example.numel() else (0, 1)
    return f"random whole numbers from {low} to {max(high, low)}: others were not tried"


def _weights(session: Session) -> str:
    if session.subject.modules is None:
        return "as they came: the subject names no modules"
    if session.facts.unread:
        return "as they came: the stream does not read them from `modules`"
    return "as they came, and drawn"


def _mode(module: torch.nn.Module | None) -> str | None:
    """train, eval, or both; None without modules."""
    modes = set() if module is None else {"train" if part.training else "eval" for part in module.modules()}
    return " and ".join(sorted(modes)) or None


def _not_drawn(module: torch.nn.Module | None) -> list[str]:
    named = {} if module is None else tensors(module)
    return sorted(name for name, tensor in named.items() if not is_weight(name, tensor))
