"""The step of a continual module as a file: written beside its place, read again, compared with the clip network, and only
then left on disk.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from coequal.continual.conversion import NotStreamable, convert
from coequal.continual.module import Continual
from coequal.equivalence.checks.exact import EXACT, UNKNOWN
from coequal.equivalence.options import Options
from coequal.equivalence.report import Report, Verdict
from coequal.equivalence.verify import verify
from coequal.subjects.artefacts.find import program_of
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.onnx_graph import model_of
from coequal.subjects.exporting.step import Exported, exported

Tensor = torch.Tensor
CHECKS = ("values", "batch", "reset", EXACT)


@dataclasses.dataclass(frozen=True)
class Written:
    """The file that was left on disk, its states in order, its first emissions to ignore, and the report on it."""

    path: str
    states: tuple[str, ...]
    late: int
    report: Report


def export(module: Any, clip: Tensor, path: str, *, to: str, options: Options, name: str = "") -> Written:
    """The step of a module for frames of clips like `clip`, converted to a continual one where it is not, as a file.

    `to` is "onnx" or "pt2", as `path` ends. States are inputs and outputs, called by their place in the network, and begin
    with zeros. BadSubject: it has no step that a file can hold, or the file is neither proved nor, where exact arithmetic
    knows too little, tested; nothing is then left on disk.
    """
    name, target = name or type(module).__name__, Path(path)
    if to not in WRITERS:
        raise BadSubject(f"export: {to!r} is no format; expected one of {', '.join(WRITERS)}")
    if target.suffix != f".{to}":
        raise BadSubject(f"export: {path} does not end in .{to}: files are read by what they are called")
    if not target.parent.is_dir():
        raise BadSubject(f"cannot write {path}: no folder {target.parent}")
    try:
        module = module.eval()
        step = exported(module if isinstance(module, Continual) else convert(module), clip)
    except NotStreamable as error:
        raise BadSubject(f"{name}: {error}") from None
    with tempfile.TemporaryDirectory(prefix=".coequal-", dir=target.parent) as folder:
        draft = Path(folder) / target.name
        WRITERS[to](step, draft)
        report = _verified(draft, module, clip, options, name)
        if not _same(report):
            raise BadSubject(f"{name}: no file was written, since it is {_grounds(report)}")
        draft.replace(target)
    return Written(path, step.states, step.late, dataclasses.replace(report, target=path))


def _to_onnx(step: Exported, path: Path) -> None:
    import onnx

    outputs = ["output", *(f"{name}_out" for name in step.states)]
    onnx.save(model_of(step.program, outputs, step.hints), str(path))


def _to_pt2(step: Exported, path: Path) -> None:
    torch.export.save(step.program, str(path), extra_files=step.hints)


WRITERS: dict[str, Callable[[Exported, Path], None]] = {"onnx": _to_onnx, "pt2": _to_pt2}


def _verified(path: Path, module: Any, clip: Tensor, options: Options, name: str) -> Report:
    """The report of the file as it stands on disk, beside the clip network."""
    subject = subject_of_pair(program_of(str(path)), clip_of_module(module, clip, name), Wanted(), time_known=False)
    return verify(subject, dataclasses.replace(options, checks=CHECKS), target=name)


def _same(report: Report) -> bool:
    """Proved; or tested, where exact arithmetic has no meaning for an operation, and not where it tells the two apart."""
    if report.verdict is Verdict.TESTED:
        refused = any(check.name == EXACT and check.detail.startswith(UNKNOWN) for check in report.checks)
        return refused and not report.problems
    return report.verdict is Verdict.PROVED and not report.problems


def _grounds(report: Report) -> str:
    """The verdict, and what it rests on."""
    found = [] if report.counterexample is None else [report.counterexample.detail]
    found += [check.detail for check in report.checks if check.name == EXACT and check.outcome == "undecided"]
    found += [*report.reasons, *(finding.detail for finding in report.problems)]
    return ": ".join([report.headline, *found[:1]])
