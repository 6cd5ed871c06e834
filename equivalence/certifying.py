"""A certificate of a proof: what a third party needs to compute it again by `proofs/checker.py`, without this package."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from coequal.equivalence.report import Report, Verdict
from coequal.subjects.artefacts.clip import ProgramClip
from coequal.subjects.artefacts.onnx_file import OnnxProgram
from coequal.subjects.artefacts.pair import Wanted
from coequal.subjects.artefacts.states import paired
from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.onnx_graph import MISSING, model_of
from coequal.subjects.exporting.program import KnownConstants, traced
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
MOST = 24  # frames of the longest clip, but for a receptive field that is longer
CLAIM = (
    "Fed frame by frame from states of zeros, the step in the file emits, for each number of frames that is listed, the"
    " first frames of what the clip network in `graphs` gives: the same function of the frames in real arithmetic"
)
ASSUMED = (
    "SHAKE-256 and SHA-256 behave as random functions",
    "`graphs` are the clip network: with its code, `coequal recheck` makes them again",
    "floats are the real numbers that they stand for, and nothing is rounded",
    "constants below -1e30, as masks hold them, stand for minus infinity",
    "for other numbers of frames than those listed, nothing is said here",
)


class DoesNotHold(BadSubject):
    """A certificate that is refused: in one line, why."""


def certificate(
    step: OnnxProgram, subject: Subject, clip: Subject, wanted: Wanted, report: Report, named: str
) -> dict[str, Any]:
    """The certificate of a file of ONNX that was proved, as it is written as JSON. BadSubject: there is none, and why.

    `subject` is the pair that was compared, `clip` the clip network by itself, that the user calls `named`.
    """
    if report.verdict is not Verdict.PROVED or report.problems:
        raise BadSubject(f"no certificate is written of what is {report.headline}: it is for what is proved")
    checker, text = _checker(), Path(step.name).read_bytes()
    about = _about(step, subject, wanted)
    graphs = graphs_of(clip, about, _lengths(report, subject.ignore))
    said = {
        **{"format": checker.FORMAT, "claim": CLAIM, "assumed": list(ASSUMED)},
        "step": {"file": step.name, "sha256": checker.digest(text), "weights": _held(step)},
        "clip": {
            **{"target": named, "graphs": {n: checker.digest(data) for n, data in graphs.items()}},
            **{"weights": _hashed(clip), "frame": about["shape"]},
        },
        **{key: value for key, value in about.items() if key != "shape"},
        "lengths": [int(n) for n in graphs],
        "graphs": {n: base64.b64encode(zlib.compress(data, 9)).decode() for n, data in graphs.items()},
    }
    return {**said, **_computed(said, text, graphs)}


def again(said: Mapping[str, Any], step: bytes, clip: Subject | None) -> dict[str, Any]:
    """What was computed again of a certificate; with a clip network, of graphs that are made of it now.

    DoesNotHold says what is wrong with it; BadSubject, that the clip network cannot be looked at.
    """
    checker = _checker()
    try:
        found = checker.check(dict(said), step)
    except (checker.Refused, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise DoesNotHold(f"{error}" if isinstance(error, checker.Refused) else f"it cannot be read: {error!r}") from None
    if clip is not None:
        graphs = graphs_of(clip, {"shape": said["clip"]["frame"], "time": said["time"]}, said["lengths"])
        if len(graphs) < len(said["lengths"]):
            raise DoesNotHold(f"the clip network {clip.name} does not take all numbers of frames that were certified")
        try:
            _computed(said, step, graphs)
        except BadSubject as error:
            raise DoesNotHold(f"the clip network {clip.name} is another than was certified: {error}") from None
    return found


def _checker() -> Any:
    """The module, which needs onnx."""
    try:
        from coequal.proofs import checker
    except ImportError:
        raise BadSubject(MISSING) from None
    return checker


def _computed(said: Mapping[str, Any], step: bytes, graphs: Mapping[str, bytes]) -> dict[str, Any]:
    checker = _checker()
    try:
        return checker.computed(dict(said), step, dict(graphs))
    except (checker.Refused, ValueError, LookupError, TypeError, ArithmeticError) as error:
        if isinstance(error, checker.Refused):
            raise BadSubject(f"{error}") from None
        why = f"{type(error).__name__}: {error}"
        raise BadSubject(f"no certificate: the checker cannot compute these graphs ({why})") from None


def _held(step: OnnxProgram) -> dict[str, str]:
    checker = _checker()
    return {name: checker.digest(array.tobytes()) for name, array in checker.weights(step.model).items()}


def _hashed(clip: Subject) -> dict[str, str]:
    """SHA-256 of the numbers of each tensor of a network, by name."""
    tensors = {} if clip.modules is None else clip.modules.state_dict()
    return {name: hashlib.sha256(x.detach().cpu().numpy().tobytes()).hexdigest() for name, x in tensors.items()}


def _lengths(report: Report, ignore: int) -> list[int]:
    """Few frames, as many as the receptive field has, and twice as many; those of which something is emitted."""
    reach = report.timing.receptive_field
    reach = reach if isinstance(reach, int) and reach <= MOST else 4
    return [n for n in sorted({1, 2, 3, reach, 2 * reach + 1}) if n > ignore]


def _about(step: OnnxProgram, subject: Subject, wanted: Wanted) -> dict[str, Any]:
    """How the step is fed. BadSubject: in a way that certificates do not know."""
    example = subject.example
    pairs = paired(step, 1, wanted.states) if isinstance(example, Tensor) else None
    if pairs is None or wanted.initial or len(pairs.emitted) != 1:
        raise BadSubject("no certificate: it is for a step that takes one frame, emits one, and begins with zeros")
    frame, (emitted,) = step.inputs[pairs.data[0]], pairs.emitted
    assert isinstance(example, Tensor)
    time, rows = subject.layout.time_axis, subject.layout.batch[subject.layout.lead]
    odd = subject.window is not None or subject.select is not None or subject.within is not None or subject.offset
    if odd or rows != 0 or time == 0 or frame.shape is None or len(frame.shape) != example.dim() - 1:
        raise BadSubject(
            "no certificate: it is for frames without their axis of time, rows first, all of which are compared"
        )
    count = next((n for n in frame.shape[:1] if isinstance(n, int)), 1)
    names = {step.inputs[i].name: step.outputs[o].name for i, o in zip(pairs.ins, pairs.outs, strict=True)}
    fed = {"frame": frame.name, "output": step.outputs[emitted].name, "states": names, "ignore": subject.ignore}
    return {**fed, "time": time, "rows": count, "shape": [count, *example.select(time, 0).shape[1:]]}


def graphs_of(clip: Subject, about: Mapping[str, Any], lengths: Iterable[int]) -> dict[str, bytes]:
    """The clip network as a graph for each number of frames that it takes. BadSubject: for none."""
    found, why = dict[str, bytes](), ""
    for n in lengths:
        shape = [*about["shape"][: about["time"]], n, *about["shape"][about["time"] :]]
        try:
            found[str(n)] = _graph(clip, torch.zeros(shape), about["time"])
        except BadSubject as error:
            why = str(error)
    if not found:
        raise BadSubject(f"no certificate: the clip network makes no graph of ONNX: {why}")
    return found


def _graph(clip: Subject, x: Tensor, time: int) -> bytes:
    if isinstance(clip.clip, ProgramClip):
        program = clip.clip.program
        size = (program.inputs[0].shape or [None] * x.dim())[time]
        if not isinstance(program, OnnxProgram) or (isinstance(size, int) and size != x.shape[time]):
            raise BadSubject(f"{program.name} is for {size} frames, or no file of ONNX")
        return Path(program.name).read_bytes()
    return model_of(traced(_Clip(clip), (x,)), ["output"], {}).SerializeToString(deterministic=True)


class _Clip(nn.Module):
    """A clip function as a module that knows its weights."""

    def __init__(self, clip: Subject) -> None:
        super().__init__()
        self.net, self.function = clip.modules, clip.clip

    def forward(self, clip: Tensor) -> Tensor:
        """A clip with its axis of time."""
        with KnownConstants():
            return self.function(clip)
