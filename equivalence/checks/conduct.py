"""How does a stream behave towards others? Isolation (a fresh stream depends on no other), ownership (the caller's frames
and the emissions are left alone), copies.

None of these says that the stream computes another function: a difference here is a problem with one sentence that says
what happened and what to do.
"""

from __future__ import annotations

import copy
import inspect
from types import FunctionType
from typing import Any

import torch

from coequal.equivalence.checks.base import OTHER_ROWS, Skip, overwrite, saying
from coequal.equivalence.checks.sharing import shared
from coequal.equivalence.compare.difference import Mismatch, alike, close, first_value
from coequal.equivalence.compare.relation import agree
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player, StreamRaised, Trace
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.state import restore, snapshot
from coequal.subjects.inputs import Tree, leaves_of
from coequal.subjects.wording import listed

Tensor = torch.Tensor
COMPILERS = "_dynamo"  # how attributes begin that torch's compiler is told of sizes by
KEPT = "the stream kept the tensor it was handed: `.clone()` it, or allow input-reuse"
CHANGED = "the stream changed the frame it was given: compute on a copy, or allow input-reuse"
LEFT = "the stream leaves attributes on the frame it was handed, {}: it is to remember what it has seen in memory of its own"
ROWS = "streams of {} and {} rows that are fed in turns disturb one another"
VIEW = (
    "an emission changed after it had been emitted: the stream hands out its own memory; `.clone()` it, or allow output-hold"
)
COPY = "a deep copy of the stream is not independent: it shares memory with the original, or lacks some of it"
STATE = "a state that was read and put back does not lead on as before: it lacks some of the memory, or is not copied"


def reset(session: Session, example: Example) -> int:
    """A new stream after an old one starts from nothing; so does one that was reset, if it can be: once, twice in a row,
    again after some frames, or before any came.
    """
    x, other = (session.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    if example.variant:
        return _after_reset(session, session.player(), x, other, example.variant) if _can_be_reset(session) else 0
    old = session.player().feed(other, session.plan_chunks(other))  # abandoned in the middle
    compared = 0
    if session.alone:  # a new stream would end this one
        compared += _after_reset(session, old, x)
        session.player().feed(other, session.plan_chunks(other))
    with saying(lambda: f"a fresh stream depends on an earlier one: {shared(session)}"):
        compared += agree(session, x, session.play(x))
    return compared if session.alone else compared + _after_reset(session, old, x)


def _can_be_reset(session: Session) -> bool:
    player = session.player()
    function = getattr(player.stream, "reset", None)
    player.leave()
    return callable(function) and takes(function, 0)


def _after_reset(session: Session, old: Player, x: Tree, other: Tree | None = None, variant: str = "") -> int:
    """A stream that can be reset as a whole is as good as new."""
    function = getattr(old.stream, "reset", None)
    if not callable(function) or not takes(function, 0):
        return 0
    if other is not None and variant != "at once":
        old.feed(other, session.plan_chunks(other))
    if variant:
        function()
    if other is not None and variant == "again":
        old.back_to(0, 0)
        some = session.layout.part(other, 0, session.legal(session.layout.length(other) // 2))
        old.feed(some, session.plan_chunks(some))
    if variant != "at once":
        function()
    old.back_to(0, 0)
    with saying("after reset() the stream still depends on what it saw before: reset() leaves some memory as it was"):
        return agree(session, x, old.feed(x, session.plan_chunks(x)).flush().trace)


def takes(function: Any, count: int) -> bool:
    """Whether a function may be called with so many arguments; one without a signature may be told something."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return count > 0
    return True


def reuse(session: Session, example: Example) -> int:
    """A stream after another has ended, and two streams fed in turns."""
    if example.variant == OTHER_ROWS:
        return _of_other_rows(session, example)
    x, other = (session.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    session.play(other)
    with saying(lambda: f"a fresh stream depends on an earlier one: {shared(session)}"):
        compared = agree(session, x, session.play(x))
    if session.alone:
        return compared
    with saying(lambda: f"streams that are fed in turns disturb one another: {shared(session)}"):
        return compared + _in_turns(session, x, other)


def _of_other_rows(session: Session, example: Example) -> int:
    """Two streams fed in turns, of which one has more rows than the other, or fewer, where that is legal."""
    legal = [rows for rows in (example.batch + 1, 3, 2, 1, *(session.subject.batches or ())) if session.takes(rows)]
    rows = next((rows for rows in legal if rows != example.batch), None)
    if rows is None or session.alone or session.layout.rows(session.subject.example) is None:
        return 0
    x, other = (session.inputs(example.length, count, example.seed) for count in (example.batch, rows))
    try:
        if session.clip(other) is None or session.layout.rows(other) != rows or session.play(other) is None:
            return 0
    except StreamRaised:  # see batch
        return 0
    with saying(lambda: f"{ROWS.format(example.batch, rows)}: {shared(session)}"):
        return _in_turns(session, x, other)


def _in_turns(session: Session, x: Tree, other: Tree) -> int:
    players, chunks = [session.player(), session.player()], session.plan_chunks(x)
    fed = [player.feeding(clip, chunks) for player, clip in zip(players, (x, other), strict=True)]
    for _ in zip(*fed, strict=True):
        pass
    return sum(agree(session, clip, p.flush().trace) for p, clip in zip(players, (x, other), strict=True))


def fork(session: Session, example: Example) -> int:
    """A deep copy, or else a state that is put back, goes on as the original would."""
    if session.alone:
        raise Skip("its streams live one at a time: there is no second one to go on")
    if example.variant in ("copies", "states"):
        return _at_every_frame(session, example)
    return _snapshot(session, example) if example.variant == "state" else _deepcopy(session, example)


def _at_every_frame(session: Session, example: Example) -> int:
    """A copy takes the place of the stream after every frame; or it sees another frame, and its state is put back."""
    if session.plan.ahead or session.plan.whole:
        raise Skip("its plan feeds frames again")
    x, other = (session.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    player, chunks, copies, start = session.player(), session.plan_chunks(x), example.variant == "copies", 0
    if not copies and not (hasattr(player.stream, "state") and _is_property(player.stream)):
        raise Skip("the stream shows no state")
    if copies and _closes_over(player.stream):
        raise Skip("its memory is what functions close over, which Python does not copy")
    for size in (1,) * example.length if chunks is None else chunks:
        fed = None if chunks is None else (size,)
        player.feed(session.layout.part(x, start, size), fed)
        if copies:
            player.stream = _copied(player.stream)
        elif session.subject.longest is None or player.fed + size <= session.subject.longest:
            saved, trace, count, ignored = _saved(player), player.trace, player.fed, list(player.ignored)
            player.trace = Trace()
            player.feed(session.layout.part(other, start, size), fed if start or session.plan.allows((size, size)) else None)
            _restore(player.stream, saved)
            player.trace, player.fed, player.ignored = trace, count, ignored
        start += size
    with saying(COPY if copies else STATE):
        return agree(session, x, player.flush().trace)


def _deepcopy(session: Session, example: Example) -> int:
    """A copy made in the middle goes on with other frames; neither sees the other's."""
    x, head, tail, branch = _halves(session, example)
    player = session.player().feed(head, session.plan_chunks(head))
    twin, rest = _copy(player), rest_of_plan(session, tail)
    try:
        with saying(COPY):
            twin.feed(branch, rest).flush()
            compared = agree(session, x, player.feed(tail, rest).flush().trace)
            other = session.layout.join(head, branch)  # of which the head was compared just now
            since = range(session.layout.length(head) + 1, session.layout.length(other) + 1)
            return compared + agree(session, other, twin.trace, wanted=since)
    except Mismatch:
        if _closes_over(player.stream):
            raise Skip("its memory is what functions close over, which Python does not copy") from None
        raise


def _halves(session: Session, example: Example) -> tuple[Tree, Tree, Tree, Tree]:
    """A clip, its beginning, its end (half of it, or what has to be seen of it), and another end: the same one where the
    subject draws its inputs, since two draws may not go together.
    """
    x, other = (session.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    at = max(example.length // 2, example.length - 2 * session.facts.reach - 5)
    head, tail = divided(session, x, at)
    drawn_by_subject = session.subject.inputs is not None
    return x, head, tail, tail if drawn_by_subject else session.layout.like(tail, divided(session, other, at)[1])


def halves(session: Session, x: Tree, *, later: bool = False) -> tuple[Tree, Tree]:
    """The two halves of a clip, or of what comes `later` in a stream; the first one legal."""
    return divided(session, x, session.layout.length(x) // 2, later=later)


def divided(session: Session, x: Tree, at: int, *, later: bool = False) -> tuple[Tree, Tree]:
    """The frames before and after about so many, the first ones legal; Skip where streams cannot be stopped half way."""
    if session.plan.ahead:
        raise Skip("its plan feeds frames ahead: streams are played whole")
    plan, length = session.plan.later() if later else session.plan, session.layout.length(x)
    at = plan.legal(at)
    return session.layout.part(x, 0, at), session.layout.part(x, at, length - at)


def rest_of_plan(session: Session, tail: Tree) -> tuple[int, ...] | None:
    """Chunks of the second part of a stream: a special first chunk has been fed already."""
    if session.plan_chunks(tail) is None:
        return None
    return session.plan.later().split(session.layout.length(tail), session.cut)


def _copy(player: Player) -> Player:
    """An independent player that has seen the same, by deep copy of the stream."""
    return _copied(player)


def _copied(thing: Any) -> Any:
    try:
        return copy.deepcopy(thing)
    except Exception as error:
        raise Skip(f"the stream cannot be copied: {type(error).__name__}: {error}") from error


def _closes_over(thing: Any, depth: int = 3) -> bool:
    """Whether an object holds functions of its own that close over variables: deep copies share those."""
    if isinstance(thing, FunctionType):
        return bool(thing.__closure__)
    if depth == 0:
        return False
    held = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, (list, tuple)) else ()
    return any(_closes_over(part, depth - 1) for part in (*held, *getattr(thing, "__dict__", {}).values()))


def _snapshot(session: Session, example: Example) -> int:
    """The state taken in the middle and put back leads to the same emissions."""
    x, head, tail, branch = _halves(session, example)
    player = session.player()
    if not hasattr(player.stream, "state"):
        raise Skip("the stream shows no state")
    player.feed(head, session.plan_chunks(head))
    saved = _saved(player)
    if not _is_property(player.stream) and not _goes_on_alike(session, player, saved, x, tail):
        raise Skip("its attribute `state` is not all of its memory, so it is no snapshot")
    trace, fed, rest = copy.deepcopy(player.trace), player.fed, rest_of_plan(session, tail)
    player.feed(branch, rest)
    _restore(player.stream, saved)
    player.as_if(trace, fed)
    with saying(STATE):
        return agree(session, x, player.feed(tail, rest).flush().trace)


def _saved(player: Player) -> Any:
    try:
        return snapshot(player.stream)
    except Exception as error:
        raise Skip(f"the stream's state cannot be copied: {type(error).__name__}: {error}") from error


def _restore(stream: Any, saved: Any) -> None:
    try:
        restore(stream, saved)
    except AttributeError:
        raise Skip("the stream's state is read-only") from None


def _is_property(stream: Any) -> bool:
    """A property `state` is there to be read and set; an attribute may just be called so."""
    return isinstance(inspect.getattr_static(type(stream), "state", None), property)


def _goes_on_alike(session: Session, player: Player, saved: Any, x: Tree, tail: Tree) -> bool:
    """Whether a fresh stream with this state goes on as the stream that it was taken from."""
    fresh = session.player()
    _restore(fresh.stream, copy.deepcopy(saved))
    fresh.as_if(player.trace, player.fed)
    fresh.ignored = list(player.ignored)
    try:
        agree(session, x, fresh.feed(tail, rest_of_plan(session, tail)).flush().trace)
    except Exception:
        return False
    return True


def input_reuse(session: Session, example: Example) -> int:
    """The caller overwrites each frame once it has been fed; the stream leaves the caller's frames alone."""
    x = session.inputs(example.length, example.batch, example.seed)
    player = session.player()
    for start, _ in player.feeding(x, session.plan_chunks(x)):
        given, handed = leaves_of(player.given[-1]), leaves_of(player.handed[-1])
        for name, was in given.items():
            if not bool(alike(handed[name], was).all()):
                of = f" (`{name}`)" if name else ""
                raise Mismatch(f"{CHANGED}{of}", start, (), first_value(was), first_value(handed[name]))
            if left := [key for key in vars(handed[name]) if key not in vars(was) and not key.startswith(COMPILERS)]:
                raise Mismatch(LEFT.format(listed(left)), start)
        overwrite_moving(session, player)
    with saying(KEPT):
        return agree(session, x, player.flush().trace)


def overwrite_moving(session: Session, player: Player) -> None:
    """What moves with time is the caller's again; what does not is handed over in each step, and left as it is."""
    moving = {name for name, axis in session.layout.time.items() if axis is not None}
    handed, given = ({n: t for n, t in leaves_of(x).items() if n in moving} for x in (player.handed[-1], player.given[-1]))
    overwrite(handed, given)


def output_hold(session: Session, example: Example) -> int:
    """Emissions that the caller keeps do not change later."""
    x = session.inputs(example.length, example.batch, example.seed)
    player = session.player().feed(x, session.plan_chunks(x)).flush()
    for i, (held, was) in enumerate(zip(player.held, player.trace.frames, strict=True)):
        if not close(held.detach(), was, 0.0):
            where = tuple(int(j) for j in (held != was).nonzero()[0])
            raise Mismatch(
                f"{VIEW} (emission {i})", session.subject.offset + i, where, was[where].item(), held[where].item()
            )
    return len(player.held)
