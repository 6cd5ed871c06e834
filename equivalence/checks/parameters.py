"""Whose weights are they? Names, shapes and dtypes as in the original, a strict load both ways, loads that take effect."""

from __future__ import annotations

import torch

from coequal.equivalence.checks.base import Skip, saying
from coequal.equivalence.compare.difference import Mismatch, close
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.run import weights as weighing
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.state import modules_inside
from coequal.subjects.inputs import Tree, called, cloned

Tensor = torch.Tensor
STALE = (
    "parameters that are loaded into `modules` after a stream was made do not reach it: read them in each step, make"
    " streams after loading, or allow reload"
)


def reload(session: Session, example: Example) -> int:
    """Parameters that are loaded after the stream was made take effect."""
    module = session.subject.modules
    if module is None:
        why = session.subject.undrawn
        raise Skip(why if session.subject.in_file else f"{why} whose parameters could be loaded")
    if session.facts.unread:
        raise Skip("the stream does not read its weights from `modules`")
    new = weighing.drawn(module, example.seed + 1, 1.0)
    if not new:
        raise Skip("the modules have no parameters")
    x = session.inputs(example.length, example.batch, example.seed)
    with weighing.borrowed(module, None):
        player = session.player()
        weighing.put(module, new)
        with saying(STALE):
            return agree(session, x, player.feed(x, session.plan_chunks(x)).flush().trace)


def weight_names(session: Session, example: Example) -> int:
    """Same names, shapes and dtypes; a strict load works both ways, and the loaded module computes the same."""
    module = session.subject.modules
    if module is None:
        raise Skip(session.subject.undrawn)
    twins = [session.subject.twin()] if session.subject.twin is not None else _others(session, module)
    if not twins:
        raise Skip("clip and stream use the very same parameters, and no twin was given")
    twin = twins[0].to(session.dtype).eval()
    compare_states(module, twin)
    new = weighing.drawn(module, example.seed, 1.0)
    with weighing.borrowed(module, None), weighing.borrowed(twin, None):
        weighing.put(module, new)
        _load(twin, module)
        x = session.inputs(example.length, example.batch, example.seed)
        if session.subject.twin is not None:
            _same_function(session, twin, x)
        weighing.put(twin, weighing.drawn(twin, example.seed + 1, 1.0))
        _load(module, twin)
        compared = agree(session, x, session.play(x))
    return compared + len(module.state_dict())


def _others(session: Session, module: torch.nn.Module) -> list[torch.nn.Module]:
    """Modules of the stream that are not the subject's own, but claim to have its parameters."""
    parts = {id(part) for part in module.modules()}
    own = {id(parameter) for parameter in module.parameters()}
    found = [
        m
        for m in modules_inside(session.player().stream)
        if id(m) not in parts and not own.issuperset(map(id, m.parameters()))  # the very same ones under other names
    ]
    return [m for m in found if type(m) is not type(module) and len(m.state_dict()) > 0 and len(module.state_dict()) > 0]


def compare_states(module: torch.nn.Module, twin: torch.nn.Module) -> None:
    """Mismatch naming what differs between two state_dicts."""
    mine, theirs = module.state_dict(), twin.state_dict()
    for what, names in (
        ("missing in the stream", theirs.keys() - mine.keys()),
        ("only in the stream", mine.keys() - theirs.keys()),
    ):
        if names:
            raise Mismatch(f"parameter names: {', '.join(sorted(names)[:5])} {what}")
    for name, tensor in theirs.items():
        for what, got, want in (
            ("shape", tuple(mine[name].shape), tuple(tensor.shape)),
            ("dtype", mine[name].dtype, tensor.dtype),
        ):
            if got != want:
                raise Mismatch(f"parameter {name}: {what} {got}, in the original {want}", None, (), str(want), str(got))


def _load(target: torch.nn.Module, source: torch.nn.Module) -> None:
    try:
        target.load_state_dict(source.state_dict(), strict=True)
    except RuntimeError as error:
        raise Mismatch(f"a strict load fails: {str(error).splitlines()[-1].strip()}") from error


def _same_function(session: Session, twin: torch.nn.Module, x: Tree) -> None:
    with torch.no_grad():
        got = session.clip(x)
        want = session.outputs.of_clip(called(twin, cloned(x), "twin"))
    if got is None or not close(got, want, session.numbers.bound(session, x, want)):
        raise Mismatch("with the same weights the clip function is not the original module's")
