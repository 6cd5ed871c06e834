"""Findings about the life of a model: copies, pickles, parameters that change, what a library claims of itself."""

from __future__ import annotations

import copy
import io
import pickle
from fractions import Fraction
from typing import Any

import torch

from coequal.equivalence.findings.base import Looked
from coequal.equivalence.observe.timing import rate_of
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.player import StreamRaised, first_line
from coequal.equivalence.run.session import Session
from coequal.subjects.subject import Claim

Tensor = torch.Tensor


def copying(session: Session, looked: Looked) -> None:
    """Deep copy and pickle, of the module and of the stream."""
    x = session.inputs(session.legal(session.example_length), session.batch, session.seed)
    player = session.player().feed(x, session.plan_chunks(x))
    things = {"the stream, in the middle,": player.stream}
    if session.subject.modules is not None:
        things["the module"] = session.subject.modules
    for what, thing in things.items():
        try:
            copy.deepcopy(thing)
        except Exception as error:
            looked.add("deepcopy", f"{what} cannot be deep-copied: {type(error).__name__}: {first_line(error)}")
    if session.subject.modules is not None:
        try:
            pickle.dump(session.subject.modules, io.BytesIO())
        except Exception as error:
            looked.add("pickle", f"the module cannot be pickled: {type(error).__name__}: {first_line(error)}")


def side_effects(session: Session, looked: Looked) -> None:
    """Parameters and state_dict before and after streaming."""
    module = session.subject.modules
    if module is None:
        return
    named = dict(module.named_parameters())
    before = {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    try:
        session.play(session.inputs(session.legal(2 * session.facts.reach + 3), session.batch, session.seed))
    except StreamRaised:
        return
    after = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    moved = [n for n, value in before.items() if n not in after or not _same(value, after[n])]
    weights = [n for n in moved if n in named or n.endswith(("running_mean", "running_var"))]
    if weights:
        looked.add("changes-parameters", f"after a stream {', '.join(weights[:3])} had other values")
    buffers = sorted({*moved, *(after.keys() - before.keys())} - set(weights))
    if buffers:
        looked.add("state-in-weights", f"the state_dict holds what a stream left behind: {', '.join(buffers[:3])}")


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal element by element, where NaN is NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def claims(session: Session, timing: MeasuredTiming, looked: Looked) -> None:
    """What the library says of itself against what was measured."""
    subject = session.subject
    claim = subject.claim or Claim()
    rate = None if timing.stride is None else Fraction(1, timing.stride)
    if rate is None and subject.rate is not None and subject.window is None:
        rate = rate_of(session)
    said = {name: (getattr(claim, name), getattr(timing, name)) for name in ("receptive_field", "delay", "stride")}
    said |= {"latency": (subject.latency, timing.delay), "rate": (subject.rate, rate)}
    for what, (claimed, measured) in said.items():
        if claimed is not None and measured is not None and claimed != measured:
            looked.add("claimed-timing", f"{what.replace('_', ' ')}: claimed {claimed}, measured {measured}")


def describe_weights(session: Session) -> dict[str, Any]:
    """Number and names of what was drawn."""
    module = session.subject.modules
    if module is None:
        return {"drawn": False, "why": session.subject.undrawn}
    if session.facts.unread:
        return {"drawn": False, "why": "the stream does not read its weights from `modules`"}
    state = module.state_dict()
    return {
        "drawn": True,
        "tensors": len(state),
        "numbers": sum(value.numel() for value in state.values() if isinstance(value, Tensor)),
    }
