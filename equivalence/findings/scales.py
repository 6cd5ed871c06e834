"""Quantisation whose scale the clip function takes from all frames at once: no stream can know it.

Dynamic quantisation looks for the least and the greatest number of what it rounds. In a clip that is all frames, in a step
one. Where clip and stream differ, the clip function is watched at two lengths: an operation that finds such a scale, of more
numbers in the longer clip, is told by its name.
"""

from __future__ import annotations

from typing import Any

import torch

from coequal.equivalence.checks.attempts import Attempt
from coequal.equivalence.findings.base import FINDINGS
from coequal.equivalence.options import Replay
from coequal.equivalence.report import Finding
from coequal.equivalence.run.session import Session
from coequal.proofs.eager import EagerMode, eagerly
from coequal.subjects.artefacts.operators.table import computed

Tensor = torch.Tensor
FIRST = "aten.min.default"  # what DynamicQuantizeLinear does first
WORDS = ("_dynamic", "choose_qparams", "moving_avg_obs")  # of operations that find a scale themselves


def scales(session: Session, failed: Attempt | None, replay: Replay | None) -> list[Finding]:
    """One finding, if the clip function differs and quantises so; nothing in a replay."""
    if failed is None or replay is not None or not session.floating:
        return []
    short = session.legal(session.example_length)
    long = session.legal(2 * session.example_length)
    seen = [_seen(session, length) for length in (short, long)]
    if len(seen[0]) != len(seen[1]):
        return []
    grown = [name for (name, few), (_, many) in zip(*seen, strict=True) if many > few]
    if not grown:
        return []
    places = f"{grown[0]} takes" if len(grown) == 1 else f"{grown[0]} and {len(grown) - 1} more take"
    says = f"the clip's scale looks at all frames: {places} it from {short} frames of {short} at once; a step sees its own"
    return [Finding("clip-scale", FINDINGS["clip-scale"][0], says)]


def _seen(session: Session, length: int) -> list[tuple[str, int]]:
    watch = _Watch()
    x = session.inputs(length, session.batch, session.seed + 970)
    with eagerly(), watch:
        session.clip(x)
    return watch.seen


class _Watch(EagerMode):
    """Operations that find a scale, and of how many numbers; of a file, its nodes that do."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name, node = str(func), computed()
        data = next((x for x in args if isinstance(x, Tensor)), None)
        if data is not None and (_finds(name) or (name == FIRST and node.startswith("DynamicQuantize"))):
            self.seen.append((node or name.removesuffix(".default"), data.numel()))
        return func(*args, **(kwargs or {}))


def _finds(operation: str) -> bool:
    return any(word in operation for word in WORDS)
