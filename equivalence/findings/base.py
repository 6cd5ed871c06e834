"""The names of findings, with the severity of each and what it means; and what collects them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coequal.equivalence.report import Finding, Severity

# name -> (severity, what was found)
FINDINGS: dict[str, tuple[Severity, str]] = {
    "isolation": ("high", "a fresh stream depends on earlier ones: only the very first can be compared with the clip"),
    "reset": ("high", "a fresh stream, or one after reset(), depends on what ran before"),
    "reuse": ("high", "streams that are fed in turns disturb one another"),
    "fork": ("high", "a copy of the stream, or its state, does not go on as the original would"),
    "input-reuse": ("high", "the stream keeps the frame it was handed, or changes it"),
    "output-hold": ("high", "an emission changes after it has been emitted"),
    "reset-rows": ("high", "reset(rows) does not make these rows begin anew, or changes others"),
    "reorder": ("high", "reorder(index) does not put all of the memory in the new order"),
    "crop": ("high", "crop(frames) does not take the stream back to its first frames"),
    "clip-between": ("high", "a call of the clip function between two steps changes what the stream emits"),
    "gradients": ("medium", "the gradients through the stream are not the clip's"),
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
    "remedy": ("info", "with one thing changed, the stream is the clip function; or what was seen to be wrong with it"),
    "clip-scale": (
        "info",
        "the clip function quantises by a scale that it takes from all frames at once: no stream can know it",
    ),
    "clip-overflow": (
        "medium",
        "what the clip function accumulates overflows in long clips, where the stream goes on: nothing is compared there",
    ),
    "tf32": (
        "info",
        "with TF32, which keeps 10 binary digits of what is multiplied, clip and stream are further apart than float32 takes"
        " them",
    ),
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
