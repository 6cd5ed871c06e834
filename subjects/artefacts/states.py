"""Which inputs of a step are states, and which of its outputs are what they become."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coequal.subjects.artefacts.program import Port, Program
from coequal.subjects.errors import BadSubject, nearest

# words that tell a state before a step from the same after it; the second ones may also be all that a state is called
SIDES = {"in", "out", "new", "next", "prev", "previous", "old", "updated", "after", "before", "input", "output", "cur",
         "current", "last", "initial", "final"}  # fmt: skip
NAMES = {"past", "present", "0", "n", "t", "tm1"}


@dataclass(frozen=True)
class Pairs:
    """Places of the data and of the states, among inputs and outputs; state i comes in at `ins[i]`, and out at `outs[i]`."""

    data: tuple[int, ...]
    emitted: tuple[int, ...]
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    how: str  # by what they were paired


def paired(program: Program, data: int, given: Mapping[str, str]) -> Pairs:
    """Pair states: as `given`, as the file says, by name, or by order; `data` is the number of inputs that are frames.

    BadSubject: an input is no frame and has no output that it becomes, or two that are paired are not alike.
    """
    inputs, outputs = program.inputs, program.outputs
    chosen, how = _chosen(program, data, given)
    ins = tuple(i for i, port in enumerate(inputs) if port.name in chosen)
    frames = tuple(i for i, port in enumerate(inputs) if port.name not in chosen)
    outs = tuple(next(i for i, out in enumerate(outputs) if out.name == chosen[inputs[place].name]) for place in ins)
    emitted = tuple(i for i in range(len(outputs)) if i not in outs)
    if len(frames) != data:
        raise _left_over(program, [inputs[i] for i in frames], data, chosen)
    if not emitted:
        raise BadSubject(f"{program.name}: every output is a state, so that nothing is emitted ({_listed(chosen)})")
    for name, out in chosen.items():
        before, after = _named(inputs, name), _named(outputs, out)
        if not _alike(before, after):
            raise BadSubject(
                f"{program.name}: the state {before} comes back as {after}, which is not alike: are states swapped?"
                f" Say which is which by --state {name}=OUTPUT"
            )
    return Pairs(frames, emitted, ins, outs, how)


def _chosen(program: Program, data: int, given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    inputs, outputs = program.inputs, program.outputs
    for name, out in given.items():
        for what, wanted, ports in (("input", name, inputs), ("output", out, outputs)):
            names = [port.name for port in ports]
            if wanted not in names:
                close = nearest(wanted, names)
                hint = f"did you mean {close}?" if close else f"it has {', '.join(names)}"
                raise BadSubject(f"--state {name}={out}: {program.name} has no {what} {wanted}; {hint}")
    if len(set(given.values())) < len(given):
        raise BadSubject(f"--state: one output is named for two states ({_listed(given)})")
    if given:
        return dict(given) | {n: o for n, o in program.carried.items() if n not in given}, "as --state says"
    if program.carried and len(inputs) - len(program.carried) == data:
        return dict(program.carried), "as the file says"
    rest_in = [port for port in inputs if port.name not in program.carried]
    rest_out = [port for port in outputs if port.name not in program.carried.values()]
    if (named := _by_name(rest_in, rest_out)) and len(rest_in) - len(named) == data:
        return program.carried | named, "by name"
    count = len(rest_in) - data
    if count == 0:
        return dict(program.carried), "as the file says"
    if count < 0 or len(rest_out) <= count:
        raise _left_over(program, rest_in, data, program.carried | named)
    if named:
        raise _left_over(program, [port for port in rest_in if port.name not in named], data, named)
    return program.carried | dict(zip(_names(rest_in[-count:]), _names(rest_out[-count:]), strict=True)), "by order"


def _names(ports: Sequence[Port]) -> list[str]:
    return [port.name for port in ports]


def _by_name(inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, str]:
    """`h` and `h_out`, `past_key` and `present_key`, `cache.0` and `new_cache.0`: one of each kind, or none is paired."""
    found: dict[str, str] = {}
    for port in inputs:
        fits = [out.name for out in outputs if _core(out.name) == _core(port.name)]
        twins = [other.name for other in inputs if _core(other.name) == _core(port.name)]
        if len(fits) == 1 and len(twins) == 1 and fits[0] not in found.values():
            found[port.name] = fits[0]
    return found


def _core(name: str) -> tuple[str, ...]:
    """The words of a name that say which state it is."""
    words = [w for w in re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()) if w]
    words = [word for word in words if word not in SIDES] or words
    words = [word for word in words if word not in NAMES] or words
    if len(words) != 1:
        return tuple(words)
    stem = re.fullmatch(r"([a-z]+?)(0|n|t|in|out|new|next|prev)?", words[0])  # h0 and hn, cn and c0
    return (stem[1] if stem else words[0],)


def _alike(before: Port, after: Port) -> bool:
    if before.dtype != after.dtype:
        return False
    if before.shape is None or after.shape is None:
        return True
    known = zip(before.shape, after.shape, strict=False)
    return len(before.shape) == len(after.shape) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in known
    )


def _named(ports: Sequence[Port], name: str) -> Port:
    return next(port for port in ports if port.name == name)


def _left_over(program: Program, left: Sequence[Port], data: int, chosen: Mapping[str, str]) -> BadSubject:
    """Inputs that are neither frames nor states."""
    has = "one input" if data == 1 else f"{data} inputs"
    free = [port.name for port in program.outputs if port.name not in chosen.values()]
    beside = f"{', '.join(map(str, left)) or 'none'} beside its states ({_listed(chosen)})"
    if len(left) < data:
        return BadSubject(f"{program.name}: the clip has {has}, and the step takes {beside}")
    return BadSubject(
        f"{program.name}: the clip has {has}, and the step takes {beside}: some of these are states that no output is"
        f" paired with (outputs left: {', '.join(free) or 'none'}). Is a state not returned? Say by --state INPUT=OUTPUT"
    )


def _listed(chosen: Mapping[str, str]) -> str:
    return ", ".join(f"{name} -> {out}" for name, out in chosen.items()) or "no states"


def told(program: Program, pairs: Pairs) -> str:
    """`states h -> h_out, c -> c_out, by name`, for a report."""
    if not pairs.ins:
        return "the step has no states"
    names = [f"{program.inputs[i].name} -> {program.outputs[o].name}" for i, o in zip(pairs.ins, pairs.outs, strict=True)]
    return f"states {', '.join(names)}, paired {pairs.how}"
