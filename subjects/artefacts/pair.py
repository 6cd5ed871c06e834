"""A clip function and an exported step with explicit states -> a Subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from coequal.subjects.artefacts.clip import ClipInAnyFormat
from coequal.subjects.artefacts.program import Port, Program, own_format, shown
from coequal.subjects.artefacts.states import paired, told
from coequal.subjects.artefacts.stream import ChunkStream, StepStream, Wiring, the_states_of_the_step
from coequal.subjects.artefacts.suspects import suspects
from coequal.subjects.chunks import Plan
from coequal.subjects.errors import BadSubject
from coequal.subjects.going_on import going_on, outputs_of
from coequal.subjects.inputs import Example, leaves_of, with_leaves
from coequal.subjects.subject import Subject

Tensor = torch.Tensor


@dataclass(frozen=True)
class Wanted:
    """What the user says of a pair: states, what they begin with, the axis of time, emissions that stand for no frame."""

    states: Mapping[str, str] = field(default_factory=dict)
    initial: Mapping[str, Tensor] | tuple[Tensor, ...] = ()
    time: int | None = None
    ignore: int | None = None


def subject_of_pair(step: Program, clip: Subject, wanted: Wanted = Wanted(), *, time_known: bool = True) -> Subject:
    """The subject that compares a step with the clip function of `clip`, whose example, axes and inputs are kept.

    `clip.stream` is not used. BadSubject: the step does not fit to it, in one line.
    """
    leaves = leaves_of(clip.example)
    beside = getattr(step, "beside", None)
    step = step if beside is None or clip.modules is None else beside(clip.modules)
    pairs = paired(step, len(leaves), wanted.states)
    lead = step.inputs[pairs.data[0]]
    first = next(iter(leaves.values()))
    hinted = None if time_known or wanted.time is not None else step.hints.get("time")
    if (axis := _first(wanted.time, hinted)) is not None:
        clip = dataclasses.replace(clip, time=axis)
    elif not time_known:
        clip = dataclasses.replace(clip, time=_time(lead, first))
    layout = clip.layout
    time, rows = layout.time_axis, layout.batch[layout.lead]
    kept = _kept(lead, first, time)
    wiring = Wiring(step, pairs, _initial(step, wanted.initial, [step.inputs[i].name for i in pairs.ins]), None)
    stream: type[StepStream] = StepStream
    plan: Any = "single"
    if kept is not None:
        stream, plan = _chunks(lead.shape[kept] if lead.shape is not None else 1, step)
        wiring = dataclasses.replace(wiring, kept=kept, kept_out=tuple(time for _ in pairs.emitted))
    module = clip.modules
    function = clip.clip if module is None else ClipInAnyFormat(clip.clip, module)
    batches = _begun_rows(wiring, lead) or _rows(lead, first, rows, kept is None, time)
    if batches is None and rows == 0:
        _varies(wiring, clip)
    made = dataclasses.replace(
        clip,
        clip=function,
        stream=lambda: stream(wiring),
        example=_in_format(clip.example, own_format(step.inputs)),
        modules=None,
        in_file=True,
        clip_state=None if clip.clip_state is None else ClipInAnyFormat(clip.clip_state, module),
        plan=plan,
        memory=the_states_of_the_step if step.sealed else None,
        twin=None,
        claim=None,
        ignore=_first(wanted.ignore, step.hints.get("ignore"), clip.ignore) or 0,
        batches=batches,
        suspects=lambda: suspects(wiring, stream, _frames(clip, wiring), module),
        notes=(*clip.notes, *_notes(step, pairs, wiring), *_hints(hinted, step, wanted), *step.notes),
    )
    return made


def _first(*given: int | None) -> int | None:
    """What the user says, before what the file says."""
    return next((n for n in given if n is not None), None)


def _frames(clip: Subject, wiring: Wiring) -> tuple[Tensor, ...]:
    """The first frames of the example, as the step takes them."""
    layout = clip.layout
    frame = layout.part(clip.example, 0, 1) if wiring.kept is not None else layout.frame(clip.example, 0)
    return tuple(leaves_of(frame).values())


def _varies(wiring: Wiring, clip: Subject) -> None:
    """BadSubject where the step says that the number of rows may vary, and fails with another one."""
    step = wiring.program
    lead = step.inputs[wiring.pairs.data[0]]
    frames = tuple(
        frame.to(own_format(step.inputs)) if frame.is_floating_point() else frame for frame in _frames(clip, wiring)
    )
    raised: dict[int, str] = {}
    for count in (1, 2, 3):
        some = tuple(frame[:1].expand(count, *frame.shape[1:]).clone() for frame in frames)
        try:
            StepStream(wiring).once(some)
        except BadSubject:
            raise
        except Exception as error:
            raised[count] = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if 0 < len(raised) < 3:
        fine = ", ".join(str(count) for count in (1, 2, 3) if count not in raised)
        raise BadSubject(
            f"{step.name}: its input {lead} has a size that varies, and a step of {min(raised)} rows fails where one of"
            f" {fine} does not ({raised[min(raised)]}): a size of the batch is baked in"
        )


def _hints(time: int | None, step: Program, wanted: Wanted) -> list[str]:
    """What was taken from the file, because the user did not say it."""
    late = step.hints.get("ignore") if wanted.ignore is None else None
    said = [] if time is None else [f"time is axis {time} of a clip, as the file says"]
    return said + ([f"its first {late} emissions stand for no frame, as the file says"] if late else [])


def _notes(step: Program, pairs: Any, wiring: Wiring) -> list[str]:
    given = [step.inputs[i].name for i in pairs.ins if step.inputs[i].name in wiring.initial]
    zeros = [step.inputs[i].name for i in pairs.ins if step.inputs[i].name not in wiring.initial]
    begins = [f"{', '.join(zeros)} with zeros"] if zeros else []
    begins += [f"{', '.join(given)} with what is given"] if given else []
    return [told(step, pairs)] + ([f"states begin: {'; '.join(begins)}"] if begins else [])


def clip_of_module(value: Any, example: Example, name: str) -> Subject:
    """A clip function by itself as a Subject whose stream is not there yet; a module in eval mode."""
    module = value.eval() if isinstance(value, nn.Module) else None
    clip = value if module is None else outputs_of(module)
    fields: dict[str, Any] = {"modules": module, "clip_state": going_on(module), "name": name, "time": _any_axis(example)}
    return Subject(clip=clip, stream=_no_stream, example=example, **fields)


def _any_axis(example: Example) -> int:
    first = next(iter(leaves_of(example).values()))
    return min(2, first.dim() - 1)


def _no_stream() -> Any:
    raise BadSubject("the clip function has no stream of its own")


def _in_format(example: Example, dtype: torch.dtype) -> Example:
    """Frames in the format that the step declares."""
    leaves = leaves_of(example)
    return with_leaves(example, {n: x.to(dtype) if x.is_floating_point() else x for n, x in leaves.items()})


# -- axes -------------------------------------------------------------------------------------------------------------------


def _time(port: Port, clip: Tensor) -> int:
    """The axis of a clip without which it looks like a frame of the step; BadSubject where several do."""
    if port.shape is None:
        return min(2, clip.dim() - 1)
    axes = [axis for axis in range(1, clip.dim()) if _fits(port.shape, _without(clip, axis, len(port.shape)))]
    if not axes:
        raise BadSubject(f"the step takes a frame {port}, and no frame of a clip of shape {tuple(clip.shape)} looks so")
    if len(axes) > 1 and len(port.shape) == clip.dim():
        ones = [axis for axis in axes if port.shape[axis] == 1 or not isinstance(port.shape[axis], int)]
        axes = ones if len(ones) == 1 else axes
    if len(axes) > 1:
        several = " or ".join(map(str, axes))
        raise BadSubject(
            f"the step takes a frame {port}: axis {several} of a clip {shown(tuple(clip.shape))} may be time: say by --time"
        )
    return axes[0]


def _without(clip: Tensor, axis: int, rank: int) -> list[int | None]:
    sizes: list[int | None] = list(clip.shape)
    if rank == clip.dim():
        sizes[axis] = None
    else:
        del sizes[axis]
    return sizes


def _fits(shape: Any, sizes: list[int | None]) -> bool:
    return len(shape) == len(sizes) and all(
        not isinstance(n, int) or m is None or n == m or i == 0 for i, (n, m) in enumerate(zip(shape, sizes, strict=True))
    )


def _kept(port: Port, clip: Tensor, time: int) -> int | None:
    """The axis of time in what the step takes; None: frames have none."""
    if port.shape is None or len(port.shape) == clip.dim() - 1:
        return None
    if len(port.shape) == clip.dim():
        return time
    raise BadSubject(
        f"the step takes a frame {port} of {len(port.shape)} axes; "
        f" a frame of a clip of shape {tuple(clip.shape)} has {clip.dim() - 1}"
    )


def _chunks(size: Any, step: Program) -> tuple[type[StepStream], Any]:
    """How a step is fed that keeps the axis of time: so many frames at once as it declares."""
    if size == 1:
        return StepStream, "single"
    if isinstance(size, int):
        return ChunkStream, Plan(unit=size, maximum=size)
    return ChunkStream, None


def _rows(port: Port, clip: Tensor, rows: int | None, dropped: bool, time: int) -> tuple[int, ...] | None:
    """The number of rows that the step is made for; None: any."""
    if rows is None:
        return None
    if port.shape is None:  # nothing says that another number is legal
        return (clip.shape[rows],)
    size = port.shape[rows - (dropped and rows > time)]
    if isinstance(size, int) and clip.shape[rows] != size:
        raise BadSubject(
            f"the step takes a frame {port}: {size} rows, and the example {shown(tuple(clip.shape))} has {clip.shape[rows]}."
            f" Give an example of {size}, or export the step with a size of the batch that varies"
        )
    return (size,) if isinstance(size, int) else None


def _begun_rows(wiring: Wiring, lead: Port) -> tuple[int, ...] | None:
    """The number of rows of what states begin with, where that has several; None: one is meant for all."""
    batch = lead.shape[0] if lead.shape else None
    for place in wiring.pairs.ins:
        port = wiring.program.inputs[place]
        given = wiring.initial.get(port.name)
        if given is None or port.shape is None or not isinstance(batch, str) or len(port.shape) != given.dim():
            continue
        counts = [n for size, n in zip(port.shape, given.shape, strict=True) if size == batch and n > 1]
        if counts:
            return (counts[0],)
    return None


# -- beginnings -------------------------------------------------------------------------------------------------------------


def _initial(step: Program, given: Mapping[str, Tensor] | tuple[Tensor, ...], names: list[str]) -> dict[str, Tensor]:
    """Values to begin with: what is given, by name or in the order of the states, before what the file holds."""
    if not isinstance(given, Mapping):
        if given and len(given) != len(names):
            raise BadSubject(f"--initial: {len(given)} tensors for {len(names)} states ({', '.join(names)})")
        given = dict(zip(names, given, strict=False))
    for name in given:
        if name not in names:
            raise BadSubject(f"--initial: {step.name} has no state {name}; it has {', '.join(names) or 'none'}")
    return {name: tensor for name, tensor in step.initial.items() if name in names} | dict(given)
