"""What an answer covers: everything that was run, in words that a program can read, too."""

from __future__ import annotations

from typing import Any

import torch

from coequal.equivalence.run.drawing import padded
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import is_weight, tensors
from coequal.subjects.inputs import leaves_of

Tensor = torch.Tensor


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
        "outputs": list(session.outputs.paths),
        "not_compared": _not_compared(session),
        "weights": _weights(session),
        "mode": _mode(module),
        "buffers_not_drawn": _not_drawn(module),
        "relation": "stream" if subject.window is None else f"window of {subject.window}",
        "globals": [],
        "assumptions": [],
    }


def _inputs(session: Session) -> str:
    """How inputs were drawn: in one sentence where there is one of them."""
    if session.subject.inputs is not None:
        return "drawn by the subject's inputs"
    leaves = leaves_of(session.subject.example)
    if list(leaves) == [""]:
        return _drawn(session, "", leaves[""])
    return "; ".join(f"{name}: {_drawn(session, name, leaf)}" for name, leaf in leaves.items())


def _drawn(session: Session, name: str, example: Tensor) -> str:
    subject, time = session.subject, session.layout.time[name]
    if name and name == subject.positions:
        starts = sorted({int(n) for n in example.select(time or 0, 0).flatten().tolist()})
        return f"frame numbers from {' or '.join(map(str, starts))} on"
    if name and name == subject.valid:
        kind = "end" if time is None else padded(example, time)
        where = "anywhere" if kind == "scattered" else f"at the {kind}"
        return f"padding {where}, of random lengths: what is compared is the rest"
    still = "" if time is not None else ", one for all frames"
    if example.is_floating_point():
        return f"random numbers like the example's; in exact arithmetic all there are{still}"
    if example.dtype == torch.bool:
        return f"random truth values: others were not tried{still}"
    low, high = (int(example.min()), int(example.max())) if example.numel() else (0, 1)
    return f"random whole numbers from {low} to {max(high, low)}: others were not tried{still}"


def _weights(session: Session) -> str:
    if session.subject.modules is None:
        return f"as they came: {session.subject.undrawn}"
    if session.facts.unread:
        return "as they came: the stream does not read them from `modules`"
    return "as they came, and drawn"


def _not_compared(session: Session) -> list[str]:
    """Emissions that do not count, and outputs that are no tensors."""
    subject, said = session.subject, list[str]()
    if subject.ignore:
        said.append(f"the first {subject.ignore} emissions, by the subject's `ignore`")
    if subject.warm_up:
        said.append(f"what is emitted in the first {subject.warm_up} frames, by the subject's `warm_up`")
    if subject.valid is not None:
        said.append(f"rows and frames that `{subject.valid}` calls padding")
    return said + [f"output `{path}`: {kind}, no tensor" for path, kind in session.outputs.left_out.items()]


def _mode(module: torch.nn.Module | None) -> str | None:
    """train, eval, or both; None without modules."""
    modes = set() if module is None else {"train" if part.training else "eval" for part in module.modules()}
    return " and ".join(sorted(modes)) or None


def _not_drawn(module: torch.nn.Module | None) -> list[str]:
    named = {} if module is None else tensors(module)
    return sorted(name for name, tensor in named.items() if not is_weight(name, tensor))
