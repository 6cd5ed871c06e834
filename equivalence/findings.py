"""Named findings: numerics, conduct, weights. None of them makes a verdict `different`; a high one makes the exit code 1.

`FINDINGS` is the table of names, with the severity of each and what it means.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.compare import close, frames_of, window_result
from coequal.equivalence.drift import follow
from coequal.equivalence.report import Finding, MeasuredTiming, Severity
from coequal.equivalence.runner import StreamRaised, first_line

Tensor = torch.Tensor
OUTLIER = 20.0  # times as large as the other frames

# name -> (severity, what was found)
FINDINGS: dict[str, tuple[Severity, str]] = {
    "isolation": ("high", "a fresh stream depends on earlier ones: only the very first can be compared with the clip"),
    "reset": ("high", "a fresh stream, or one after reset(), depends on what ran before"),
    "reuse": ("high", "streams that are fed in turns disturb one another"),
    "fork": ("high", "a copy of the stream, or its state, does not go on as the original would"),
    "input-reuse": ("high", "the stream keeps the frame it was handed, or changes it"),
    "output-hold": ("high", "an emission changes after it has been emitted"),
    "reload": ("high", "parameters that are loaded after a stream was made do not reach it"),
    "weights": ("high", "names, shapes or formats of the parameters are not the original's, or a strict load fails"),
    "own-weights": ("medium", "the stream does not read its weights from the modules: compared with those it came with"),
    "precision": ("medium", "double precision shows a difference that the subject's own format does not show"),
    "own-format": (
        "high",
        "in its own format the stream is off by more than rounding explains: it computes otherwise there, or a decision"
        " (round, argmax) falls the other way",
    ),
    "outlier": (
        "high",
        "after one frame twenty times as large, the emission is not finite, or stays wrong, where the clip is right",
    ),
    "nan-recovery": ("medium", "the influence of one NaN frame does not end with the receptive field"),
    "drift": ("high", "the error of the stream grows with time, relative to the clip's own"),
    "deepcopy": ("low", "the module or the stream cannot be deep-copied"),
    "pickle": ("low", "the module cannot be pickled"),
    "claimed-timing": ("medium", "what the library says of receptive field, delay or stride is not what is measured"),
    "alignment": ("low", "each emission is another frame of its window's clip than the last"),
    "rounding": ("medium", "the stream loses more digits than its clip does: the difference shrinks with the precision"),
    "randomness": ("high", "the clip function or the stream gives two results for one input"),
    "vacuous": ("high", "the output does not depend on the input: no comparison could fail"),
    "loop-clip": ("medium", "the clip function is itself a loop over the step: equality with it says nothing"),
    "island": ("info", "the clip function computes in a coarser format inside a finer run"),
    "changes-parameters": ("high", "streaming changes parameters or running statistics"),
    "state-in-weights": ("low", "streaming changes the module's state_dict: a saved checkpoint would hold a stream's state"),
}


@dataclass
class Looked:
    """Findings, and the numbers of rounding quality."""

    findings: list[Finding] = field(default_factory=list)
    quality: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, detail: str) -> None:
        """A finding with the severity of its name."""
        self.findings.append(Finding(name, FINDINGS[name][0], detail))


def look(bench: Bench, timing: MeasuredTiming, effort: str, fine: bool) -> Looked:
    """All findings of one subject. Those about numerics need a stream that is right otherwise (`fine`)."""
    looked = Looked()
    ordinary = bench.subject.inputs is None  # others may mean nothing to the subject
    with contextlib.suppress(StreamRaised):
        copying(bench, looked)
    side_effects(bench, looked)
    claims(bench, timing, looked)
    if fine and bench.floating:
        example = Example(0, bench.batch, bench.seed + 900, bench.scale)
        with bench.weights(example):
            changed = (outlier, nan_recovery) if ordinary else ()
            for numeric in (*changed, functools.partial(drift, timing=timing)):
                try:
                    numeric(bench, looked)
                except StreamRaised as error:
                    name = getattr(numeric, "__name__", "drift").replace("_", "-")
                    looked.add(name, str(error))
    return looked


# -- life cycle ----------------------------------------------------------------------------------------------------------


def copying(bench: Bench, looked: Looked) -> None:
    """Deep copy and pickle, of the module and of the stream."""
    x = bench.inputs(bench.legal(bench.example_length), bench.batch, bench.seed)
    player = bench.player().feed(x, bench.plan_chunks(x))
    things = {"the stream, in the middle,": player.stream}
    if bench.subject.modules is not None:
        things["the module"] = bench.subject.modules
    for what, thing in things.items():
        try:
            copy.deepcopy(thing)
        except Exception as error:
            looked.add("deepcopy", f"{what} cannot be deep-copied: {type(error).__name__}: {first_line(error)}")
    if bench.subject.modules is not None:
        try:
            pickle.dump(bench.subject.modules, io.BytesIO())
        except Exception as error:
            looked.add("pickle", f"the module cannot be pickled: {type(error).__name__}: {first_line(error)}")


def side_effects(bench: Bench, looked: Looked) -> None:
    """Parameters and state_dict before and after streaming."""
    module = bench.subject.modules
    if module is None:
        return
    named = dict(module.named_parameters())
    before = {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    try:
        bench.play(bench.inputs(bench.legal(2 * bench.reach + 3), bench.batch, bench.seed))
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


def claims(bench: Bench, timing: MeasuredTiming, looked: Looked) -> None:
    """What the library says of itself against what was measured."""
    claim = bench.subject.claim
    if claim is None:
        return
    for what in ("receptive_field", "delay", "stride"):
        said, measured = getattr(claim, what), getattr(timing, what)
        if said is not None and measured is not None and said != measured:
            looked.add("claimed-timing", f"{what.replace('_', ' ')}: claimed {said}, measured {measured}")


# -- numerics ------------------------------------------------------------------------------------------------------------


def outlier(bench: Bench, looked: Looked) -> None:
    """One frame twenty times as large, then ordinary ones: the emission must be finite, and right once the frame is gone."""
    length = bench.legal(3 * bench.reach + 6)
    at = length - 2 * bench.reach - 4
    x = bench.inputs(length, bench.batch, bench.seed + 901)
    x.select(bench.subject.time, max(0, at)).mul_(OUTLIER)
    for frame, got, want, limit in _pairs(bench, x):
        finite = torch.isfinite(want)
        if not bool(torch.isfinite(got)[finite].all()):
            looked.add(
                "outlier", f"frame {frame} is not finite after frame {at} was {OUTLIER:g} times as large; the clip is finite"
            )
            return
        if not close(got, want, limit):
            looked.add(
                "outlier",
                f"frame {frame} is wrong after frame {at} was {OUTLIER:g} times as large: off by {_off(got, want):.1e}",
            )
            return


def nan_recovery(bench: Bench, looked: Looked) -> None:
    """One NaN frame: where the clip has recovered the stream must have, too."""
    length = bench.legal(3 * bench.reach + 6)
    at = max(0, length - 2 * bench.reach - 4)
    x = bench.inputs(length, bench.batch, bench.seed + 902)
    x.select(bench.subject.time, at).fill_(math.nan)
    for frame, got, want, limit in _pairs(bench, x):
        if bool(torch.isfinite(want).all()) and not close(got, want, limit):
            what = "NaN" if bool(torch.isnan(got).any()) else "wrong"
            looked.add(
                "nan-recovery", f"frame {frame} is {what} although the NaN of frame {at} has left the receptive field"
            )
            return


def _pairs(bench: Bench, x: Tensor) -> Iterator[tuple[int, Tensor, Tensor, float]]:
    """Every emission with what it should be and the rounding bound of ordinary frames; shapes are known to agree."""
    trace = bench.play(x)
    if bench.subject.window is None:
        output = bench.clip(x)
        expected = [] if output is None else frames_of(bench, output)[bench.subject.offset :]
        for i, (got, want) in enumerate(zip(trace.frames, expected, strict=False)):
            yield bench.subject.offset + i, got, want, _limit(bench, x, want)
        return
    count, time = bench.subject.window, bench.subject.time
    for got, fed in zip(trace.frames, trace.seen, strict=True):
        end = fed - bench.subject.offset
        if end >= count:
            window = x.narrow(time, end - count, count)
            output = bench.clip(window)
            if output is not None:
                want = window_result(bench, output, got)
                yield fed - 1, got, want, _limit(bench, window, output)


def _limit(bench: Bench, x: Tensor, output: Tensor) -> float:
    finite = output[torch.isfinite(output)]
    largest = float(finite.abs().max()) if finite.numel() else 0.0
    return bench.bound(torch.nan_to_num(x), torch.nan_to_num(output)) if largest else 0.0


def _off(got: Tensor, want: Tensor) -> float:
    return float((got - want).abs().max())


def drift(bench: Bench, looked: Looked, timing: MeasuredTiming) -> None:
    """Error over time. Where memory is unbounded, errors may add up in the function itself: of low severity then."""
    followed = follow(bench, timing)
    if followed is None:
        return
    looked.quality = followed.quality
    if followed.grows:
        bounded = bench.subject.window is not None or timing.receptive_field not in (None, math.inf)
        remembers = "" if bounded else ": the stream remembers everything, and errors may add up in the function itself"
        severity = FINDINGS["drift"][0] if bounded else "low"
        looked.findings.append(Finding("drift", severity, followed.grows + remembers))


def of_rounding(bench: Bench) -> list[Finding]:
    """The stream cancels digits that its clip keeps; what its own format alone shows, and rounding does not explain."""
    found = {"rounding": bench.lossy[1] if bench.lossy[0] else "", "own-format": bench.unexplained}
    return [Finding(name, FINDINGS[name][0], f"{FINDINGS[name][1]} ({detail})") for name, detail in found.items() if detail]


def describe_weights(bench: Bench) -> dict[str, Any]:
    """Number and names of what was drawn."""
    module = bench.subject.modules
    if module is None:
        return {"drawn": False, "why": "the subject names no modules"}
    if bench.unread:
        return {"drawn": False, "why": "the stream does not read its weights from `modules`"}
    state = module.state_dict()
    return {
        "drawn": True,
        "tensors": len(state),
        "numbers": sum(value.numel() for value in state.values() if isinstance(value, Tensor)),
    }
