"""An exported file on a real runtime, in the child process: the integer canary, and the usual checks on floats."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterable
from typing import Any

import torch

from coequal.equivalence.canary import Canary, canary
from coequal.equivalence.options import Options, Replay
from coequal.equivalence.report import Report
from coequal.equivalence.verify import verify
from coequal.process.exported import load
from coequal.subjects.artefacts import onnx_parts, pt2_parts
from coequal.subjects.artefacts.find import program_of
from coequal.subjects.artefacts.onnx_file import OnnxProgram
from coequal.subjects.artefacts.parts import Part
from coequal.subjects.artefacts.program import Program
from coequal.subjects.artefacts.pt2 import ExportedStep
from coequal.subjects.backends.find import runtime
from coequal.subjects.backends.runtime import RuntimeProgram
from coequal.subjects.errors import BadSubject

NOT_ASKED = ("exact", "gradients", "integers")  # of a runtime: it is not looked into


@dataclasses.dataclass(frozen=True)
class OnRuntime:
    """What was found of one runtime: its name with its version, the canary, and the report of its behaviour."""

    asked: str
    name: str
    canary: Canary
    report: Report


PARTS: dict[type, Callable[..., Iterable[Part]]] = {OnnxProgram: onnx_parts.parts, ExportedStep: pt2_parts.parts}


def of_target(target: str, text: str, given: dict[str, Any], options: Options, replay: Replay, again: str) -> OnRuntime:
    """The file on the runtime that `text` names. BadSubject: there is none, it is not installed, or refuses the file.

    `again`: the target with its options, as a line begins that repeats a comparison.
    """
    backend, name, settings = runtime(text)
    program: Any = program_of(target)
    if type(program) not in PARTS or not target.endswith(backend.FILES):
        raise BadSubject(f"--backend {name} {_runs(backend, target)}")
    started = backend.start(_model(program), settings)
    inputs = _inputs(program)
    started.run([x.numpy() for x in inputs])  # what it refuses is said now

    def wrapped(step: Program) -> Program:
        return RuntimeProgram(step, started)

    subject = load(target, wrapped=wrapped, **given)
    subject = dataclasses.replace(subject, allow=(*subject.allow, *NOT_ASKED), suspects=None)
    parts = PARTS[type(program)](program, inputs)
    asked = canary(parts, lambda model, s: backend.start(model, s).run, settings, backend.CURES)
    line = shlex.join([*shlex.split(again), "--backend", text])
    report = dataclasses.replace(verify(subject, options, replay, target=line), target=target)
    return OnRuntime(text, started.name, asked, report)


def check_names(target: str, names: Iterable[str]) -> None:
    """BadSubject: one of the names is no runtime's, or none of them runs files of the target's kind."""
    backends = {text: runtime(text) for text in names}
    if not any(target.endswith(backend.FILES) for backend, _, _ in backends.values()):
        (backend, name, _), *_ = backends.values()
        raise BadSubject(f"--backend {name} {_runs(backend, target)} by its name")


def _runs(backend: Any, target: str) -> str:
    return f"runs files that end in {backend.FILES}, as coequal export writes them; {target} is none"


def _model(program: Any) -> Any:
    """What runtimes take: of ONNX its model."""
    return program.model if isinstance(program, OnnxProgram) else program


def _inputs(program: Any) -> tuple[torch.Tensor, ...]:
    """Numbers of the declared shapes; a size that varies is 2."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for port in program.inputs:
        if port.shape is None:
            raise BadSubject(f"{program.name}: it does not say what shape its input {port} has")
        shape = [n if isinstance(n, int) else 2 for n in port.shape]
        floats = port.dtype.is_floating_point
        drawn.append(
            torch.randn(shape, generator=generator, dtype=port.dtype) if floats else torch.zeros(shape, dtype=port.dtype)
        )
    return tuple(drawn)
