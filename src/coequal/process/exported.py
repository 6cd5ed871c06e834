"""TARGET may be an exported file: a step with explicit states, compared with the clip function that `--clip` names."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from coequal.equivalence.certifying import DoesNotHold, again, certificate
from coequal.equivalence.report import Report
from coequal.process import target as targets
from coequal.subjects.artefacts.clip import ProgramClip
from coequal.subjects.artefacts.find import initial_of, is_artefact, program_of
from coequal.subjects.artefacts.onnx_file import OnnxProgram
from coequal.subjects.artefacts.pair import Wanted, clip_of_module, subject_of_pair
from coequal.subjects.artefacts.program import Program
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
WANTED = (
    "a torch.nn.Module, a function of a clip, a coequal.Subject, or a function without arguments that returns one of them"
)
OF_THE_STEP = ("states", "initial", "time", "ignore", "longest")


def usual(
    target: str,
    *,
    clip: str | None = None,
    states: Iterable[str] = (),
    initial: str | None = None,
    time: int | None = None,
    ignore: int | None = None,
    longest: int | None = None,
    **others: Any,
) -> dict[str, Any]:
    """The arguments of `load` that `target.load` takes, too; BadSubject where one of the others is given for no file."""
    options = {"--clip": clip, "--state": tuple(states), "--initial": initial, "--time": time}
    options |= {"--ignore": ignore, "--longest": longest}
    for option, value in options.items():
        if value not in (None, ()):
            raise BadSubject(f"{option} is for exported files; {target} is none by its name")
    return others


def load(target: str, *, wrapped: Callable[[Program], Program] = lambda step: step, **given: Any) -> Subject:
    """The subject that `target` names: a file's as said by the other arguments, or `target.load`'s.

    `clip`: what the file is compared with. `states`: pairs `INPUT=OUTPUT`. `initial`: a file of tensors that states begin
    with. `time`: the axis of time in clips. `ignore`: emissions at the start that stand for no frame. `longest`: frames
    of the longest stream. `wrapped`: what runs the step. BadSubject names what is wrong and what to do.
    """
    return _file(target, wrapped, **given) if is_artefact(target) else targets.load(target, **usual(target, **given))


def _file(target: str, wrapped: Callable[[Program], Program], *, clip: str | None = None, **given: Any) -> Subject:
    if clip is None:
        raise BadSubject(f"{target} is an exported step: say what it is compared with, --clip path/to/file.py:NAME")
    of_the_step = {name: given.pop(name) for name in OF_THE_STEP if name in given}
    return _loaded(target, clip, _wanted(**of_the_step), wrapped, **given)


def _wanted(
    states: Iterable[str] = (),
    initial: str | None = None,
    time: int | None = None,
    ignore: int | None = None,
    longest: int | None = None,
) -> Wanted:
    return Wanted(_pairs(states), initial_of(initial), time, ignore, longest)


def _loaded(
    target: str,
    clip: str,
    wanted: Wanted,
    wrapped: Callable[[Program], Program],
    *,
    example: tuple[int, ...] | None = None,
    window: int | None = None,
    within: float | None = None,
    allow: Iterable[str] = (),
    seed: int = 0,
    device: str | None = None,
) -> Subject:
    if device is not None:
        raise BadSubject("--device: exported files run where they are")
    other, known = _clip(clip, None if example is None else targets.random_clip(example, seed))
    step = wrapped(program_of(target))
    subject = subject_of_pair(step, other, wanted, time_known=known)
    given = {"window": window, "within": within}
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(subject, name=target, allow=(*subject.allow, *allow), **overrides)


def certified(target: str, report: Report, *, clip: str, **given: Any) -> dict[str, Any]:
    """The certificate of a file that was loaded by `load` with these arguments, and proved. BadSubject: there is none."""
    subject, step = load(target, clip=clip, **given), program_of(target)
    if not isinstance(step, OnnxProgram):
        raise BadSubject(f"no certificate: {target} is no file of ONNX, which is what a certificate is for")
    other, _ = _clip(clip, subject.example if isinstance(subject.example, Tensor) else None)
    wanted = Wanted(_pairs(given.get("states", ())), initial_of(given.get("initial")))
    return certificate(step, subject, other, wanted, report, clip)


@dataclasses.dataclass(frozen=True)
class Checked:
    """What became of a certificate: why it does not hold (empty: it does), of how many frames it speaks, and its bound."""

    refused: str = ""
    lengths: tuple[int, ...] = ()
    bound: float = 1.0
    clip: str = ""  # the clip network whose graphs were made again; empty: those in the certificate alone


def checked(path: str, step: str | None = None, clip: str | None = None, alone: bool = False) -> Checked:
    """Compute a certificate again. BadSubject: a file cannot be read, or the clip network not be loaded.

    `step`: the file that it is about, where it is not where it was; `clip`: the same of the clip network. `alone`: the
    graphs in the certificate are taken for the clip network, and no code is run.
    """
    try:
        said = json.loads(Path(path).read_text())
        file = Path(step or said["step"]["file"]).read_bytes()
        name, shape = clip or said["clip"]["target"], list(said["clip"]["frame"])
        shape.insert(said["time"], max(said["lengths"]))
    except OSError as error:
        raise BadSubject(f"{path}: cannot read {error.filename}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadSubject(f"{path} is no certificate: {type(error).__name__}: {error}") from None
    try:
        found = again(said, file, None if alone else _clip(name, torch.zeros(shape))[0])
    except DoesNotHold as refused:
        return Checked(str(refused))
    return Checked("", tuple(said["lengths"]), found["bound"], "" if alone else name)


def _pairs(states: Iterable[str]) -> dict[str, str]:
    found = {}
    for text in states:
        name, equals, output = text.partition("=")
        if not (name and equals and output):
            raise BadSubject(f"--state {text}: expected INPUT=OUTPUT")
        found[name] = output
    return found


def _clip(clip: str, example: Tensor | None) -> tuple[Subject, bool]:
    """The clip function as a Subject, and whether its axis of time is known."""
    if is_artefact(clip):
        return _of_file(clip, example)
    if Path(clip).suffix in (".onnx", ".pt2"):
        raise BadSubject(f"no file {clip}")
    value = targets.named(clip)
    if not isinstance(value, (Subject, torch.nn.Module)) and callable(value) and not _takes_a_clip(value):
        value = targets.called(clip, value, WANTED)
    if isinstance(value, tuple) and len(value) == 2 and callable(value[0]):
        value, example = value[0], value[1] if example is None else example
    if isinstance(value, Subject):
        return (value if example is None else dataclasses.replace(value, example=example)), True
    if not callable(value):
        raise BadSubject(f"--clip {clip} is of type {type(value).__name__}; expected {WANTED}")
    if example is None:
        raise BadSubject(f"--clip {clip} needs an example clip: add --example SHAPE (like --example 1,3,16,32,32)")
    return clip_of_module(value, example, clip), False


def _takes_a_clip(function: Any) -> bool:
    """Whether a function takes one argument at least."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _of_file(clip: str, example: Tensor | None) -> tuple[Subject, bool]:
    program = program_of(clip)
    if len(program.inputs) != 1:
        names = ", ".join(port.name for port in program.inputs)
        raise BadSubject(f"--clip {clip} takes {len(program.inputs)} inputs ({names}): expected one, the clip")
    (port,) = program.inputs
    if example is None:
        if not port.fixed:
            raise BadSubject(f"--clip {clip} takes a clip {port}: add --example SHAPE, since not every size of it is fixed")
        example = torch.randn([int(n) for n in port.shape or ()], generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    return clip_of_module(ProgramClip(program, 1), example, clip), False
