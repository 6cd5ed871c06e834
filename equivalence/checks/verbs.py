"""What else a stream can be told to do: forget rows, put rows in another order, go back; run beside its clip function.

A verb that a stream does not have is not asked for. Each of them has to leave what a fresh stream would have, had it seen
what is left: the emissions that follow are compared with the clip function's.
"""

from __future__ import annotations

from typing import Any

import torch

from coequal.equivalence.checks.base import Skip, saying
from coequal.equivalence.checks.conduct import divided, halves, rest_of_plan, takes
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.relation import agree, emitted
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player, StreamRaised, Trace, first_line
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import Tree, leaves_of, with_leaves

Tensor = torch.Tensor
RESET = "after reset(rows) {which} does not go on as {how}: rows are mixed up, or some of the memory is left as it was"
REORDER = (
    "after reorder(index) row i does not go on as what row index[i] was: some of the memory was not put in the new order"
)
CROP = "after crop(frames) the stream does not go on from its first frames: some of the memory was not taken back"
ROWS = ("first", "last", "two", "all", "middle", "but the first", "but the last")
INDICES = 30  # of rows in another order, as many as are all tried
MANY = ("but the first", "every second", "all")
BETWEEN = (
    "a call of the clip function between two steps changes what the stream emits: they share memory; keep it apart, or say"
    " clip_between=False"
)


def reset_rows(session: Session, example: Example) -> int:
    """reset(rows) makes these rows begin anew, whatever they are given from then on, and leaves the others alone."""
    verb = _verb(session, "reset", "rows")
    x, head, tail = _two_rows(session, example)
    if example.variant in ("early", "late"):
        head, tail = divided(session, x, 1 if example.variant == "early" else 3 * example.length // 4)
    rows = _chosen(example.variant, example.batch)
    again, others = torch.tensor(rows), torch.tensor([row for row in range(example.batch) if row not in rows])
    tail = _given_anew(session, tail, again, example)
    if example.variant == "again":
        begin, rest = halves(session, head)
        player = _fed(session, begin)
        _tell(player, verb, again)
        _tell(player, verb, again)
        player.feed(rest, rest_of_plan(session, rest))
    else:
        player = _fed(session, head)
    before = session.layout.length(head)
    _tell(player, verb, again)
    mixed = _rest(session, player, tail)
    compared = 0
    if len(others):
        with saying(RESET.format(which="a row that was not reset", how="before")):
            compared += agree(session, session.layout.of_rows(x, others), _rows(session, mixed, others))
    later = _as_fresh(mixed, before, session.play(tail))
    with saying(RESET.format(which="a row that was reset", how="a fresh stream")):
        return compared + agree(session, session.layout.of_rows(tail, again), _rows(session, later, again))


def _chosen(which: str, count: int) -> list[int]:
    """Rows of so many; for three of them `ROWS` are all choices there are."""
    every = list(range(count))
    return {
        "middle": [count // 2],
        "last": every[-1:],
        "two": [0, count - 1],
        "but the first": every[1:],
        "but the last": every[:-1],
        "every second": every[::2],
        "all": every,
    }.get(which, [0])


def _given_anew(session: Session, tail: Tree, rows: Tensor, example: Example) -> Tree:
    """What does not move with time is another one for rows that begin anew."""
    layout = session.layout
    if isinstance(tail, Tensor) or session.subject.inputs is not None:
        return tail
    other, new = leaves_of(session.inputs(example.length, example.batch, example.seed + 2)), dict(leaves_of(tail))
    for name, leaf in new.items():
        axis = layout.batch[name]
        if layout.time[name] is None and axis is not None and name not in layout.fixed:
            new[name] = leaf.index_copy(axis, rows, other[name].index_select(axis, rows))
    return with_leaves(tail, new)


def _as_fresh(mixed: Trace, before: int, fresh: Trace) -> Trace:
    """The last emissions of a stream, counted from so many frames on, at the places where a fresh stream emits."""
    count = len(fresh.frames)
    seen = [at - before for at in mixed.seen[len(mixed.seen) - count :]]
    if not count or seen != fresh.seen:
        raise Skip("a fresh stream emits at other places than one in the middle: rows cannot begin anew one by one")
    return Trace(mixed.frames[len(mixed.frames) - count :], seen, fresh.flushed, fresh.ended)


def reorder(session: Session, example: Example) -> int:
    """reorder(index) makes row i go on as what row index[i] was: changed places first, then one row twice and one gone; or
    all that there are, one after the other.
    """
    _verb(session, "reorder", "index")
    if example.variant == "after a reset":
        return _reorder_after_reset(session, example)
    _, head, tail = _two_rows(session, example)
    if example.variant == "before a crop":
        return _reorder_before_crop(session, head, tail, example)
    rows = torch.arange(example.batch)
    if example.variant == "all":
        return _reordered(session, *_in_all_orders(session, example))
    twice = rows.roll(1)
    twice[-1] = twice[0]
    return _reordered(session, head, [rows.roll(1), twice], list(halves(session, tail, later=True)))


def _in_all_orders(session: Session, example: Example) -> tuple[Tree, list[Tensor], list[Tree]]:
    """Of few rows every index there is, of more each row alone and a few, each before the smallest part that is legal."""
    generator, count = torch.Generator().manual_seed(example.seed), example.batch
    if count**count <= INDICES:
        found = torch.cartesian_prod(*[torch.arange(count)] * count)
    else:
        alone = torch.arange(count)[:, None].expand(count, count)
        orders = [torch.randperm(count, generator=generator) for _ in range(count)]
        found = torch.cat([alone, torch.stack(orders), torch.randint(count, (count, count), generator=generator)])
    indices = list(found[torch.randperm(len(found), generator=generator)])
    size = next(iter(session.plan.later().smallest(1)), 1)
    head, length = session.legal(2 * session.facts.reach + 1), size * len(indices)
    x = session.inputs(head + length, count, example.seed)
    parts = [session.layout.part(x, head + size * i, size) for i in range(len(indices))]
    if session.plan.longest is not None and head + length > session.plan.longest:
        raise Skip("its streams end too soon for all orders of rows")
    return session.layout.part(x, 0, head), indices, parts


def _reordered(session: Session, head: Tree, indices: list[Tensor], parts: list[Tree]) -> int:
    """A stream that is told to put its rows in another order before each part."""
    layout, verb = session.layout, "reorder"
    player, frames, fed = _fed(session, head), list[Tensor](), head
    for index, part in zip(indices, parts, strict=True):
        _tell(player, verb, index)
        frames = [*_rows(session, Trace([*frames, *player.trace.frames[len(frames) :]]), index).frames]
        fed = layout.of_rows(fed, index)
        given = layout.like(layout.of_rows(part, index), part)  # a row takes its conditioning and its padding along
        given = given if part is parts[0] else layout.like(_still_of(session, fed, part), given)
        player.feed(given, rest_of_plan(session, given))
        fed = layout.join(fed, given)
        if len(parts) > 2:  # a row whose memory is wrong may be gone by the end
            _as_expected(session, fed, Trace([*frames, *player.trace.frames[len(frames) :]], player.trace.seen), len(frames))
    before = len(frames)
    trace = player.flush().trace
    whole = Trace([*frames, *trace.frames[before:]], trace.seen, trace.flushed, trace.ended)
    with saying(REORDER):
        return agree(session, fed, whole)


def _as_expected(session: Session, x: Tree, trace: Trace, first: int) -> None:
    """Emissions from a number on are what the clip function says of them."""
    for pair in emitted(session, x, trace.emissions()[first:]):
        if not session.numbers.agrees(session, pair.got, pair.want, pair.like):
            raise Mismatch(REORDER, pair.frame)


def _reorder_after_reset(session: Session, example: Example) -> int:
    """Rows that were reset are another number of frames old than the others, and take that along when they change places."""
    verb, reset = _verb(session, "reorder", "index"), _verb(session, "reset", "rows")
    _, head, tail = _two_rows(session, example)
    layout, rows, index = session.layout, torch.tensor([0]), torch.arange(example.batch).roll(1)
    middle, last = halves(session, tail, later=True)
    player = _fed(session, head)
    _tell(player, reset, rows)
    player.feed(middle, rest_of_plan(session, middle))
    _tell(player, verb, index)
    last = layout.like(layout.of_rows(last, index), last)
    player.feed(last, rest_of_plan(session, last))
    trace = player.flush().trace
    old = layout.join(layout.of_rows(head, index), layout.of_rows(middle, index), last)
    young = layout.join(layout.of_rows(middle, index), last)
    anew, before = (index == 0).nonzero().flatten(), layout.length(head) + layout.length(middle)
    after = sum(seen <= before for seen in trace.seen)
    fresh, whole = session.play(young), session.play(old)
    late = Trace(trace.frames[after:], trace.seen[after:], trace.flushed, trace.ended)
    compared = 0
    for expected, which in ((whole, (index != 0).nonzero().flatten()), (fresh, anew)):
        wanted = Trace(expected.frames[len(expected.frames) - len(late.frames) :], late.seen)
        pairs = zip(_rows(session, late, which).frames, _rows(session, wanted, which).frames, strict=False)
        if not all(session.numbers.agrees(session, got, want, want) for got, want in pairs):
            raise Mismatch(REORDER, before)
        compared += len(wanted.frames)
    return compared


def _still_of(session: Session, fed: Tree, part: Tree) -> Tree:
    """`part` with what does not move as it was fed last."""
    if isinstance(part, Tensor):
        return part
    still = {name: leaf for name, leaf in leaves_of(fed).items() if session.layout.time[name] is None}
    return with_leaves(part, leaves_of(part) | still)


def crop(session: Session, example: Example) -> int:
    """crop(frames) takes the stream back to where it was after its first frames, from any later one, once and again."""
    verb = _verb(session, "crop", "frames")
    x, head, tail = _parts(session, example)
    if example.variant == "drafts":
        return _drafts(session, example, x)
    if example.variant not in ("", "half"):
        head, tail = divided(session, x, int(example.variant))
    cut = session.layout.length(head)
    other = session.layout.part(session.inputs(example.length, example.batch, example.seed + 1), cut, example.length - cut)
    branch = tail if session.subject.inputs is not None else session.layout.like(tail, other)
    plan = session.plan.later() if cut else session.plan
    whole = session.layout.length(branch)
    drafts = dict.fromkeys(plan.legal(min(length, whole)) for length in (1, 2, 4, whole))
    compared = 0
    for lengths in [*((length,) for length in drafts if length), tuple(drafts)[:2]]:
        player = _fed(session, head)
        for length in lengths:
            _taken_back(session, player, verb, session.layout.part(branch, 0, length), cut)
        with saying(CROP):
            compared += agree(session, x, player.feed(tail, _chunks(session, tail, cut)).flush().trace)
    return compared


def _drafts(session: Session, example: Example, x: Tree) -> int:
    """Before every part of a stream two parts of another one are fed, and taken back."""
    verb, size, start = "crop", next(iter(session.plan.later().smallest(1)), 1), 0
    other = session.inputs(example.length, example.batch, example.seed + 1)
    other = x if session.subject.inputs is not None else session.layout.like(x, other)
    player = session.player()
    while start + 3 * size <= example.length:
        if start:
            _taken_back(session, player, verb, session.layout.part(other, start, 2 * size), start)
        part = session.layout.part(x, start, session.legal(size) if not start else size)
        player.feed(part, _chunks(session, part, start))
        start += session.layout.length(part)
        if not session.layout.length(part):
            raise Skip("its plan allows no such beginning")
    tail = session.layout.part(x, start, example.length - start)
    with saying(CROP):
        return agree(session, x, player.feed(tail, rest_of_plan(session, tail)).flush().trace)


def _reorder_before_crop(session: Session, head: Tree, tail: Tree, example: Example) -> int:
    """The frames that a row goes back to are its own, which were another row's before rows changed places."""
    told, verb = _verb(session, "reorder", "index"), _verb(session, "crop", "frames")
    layout, index = session.layout, torch.arange(example.batch).roll(1)
    length = session.legal(layout.length(head) // 2)
    if not length:
        raise Skip("its plan allows no shorter beginning")
    player = session.player().feed(layout.part(head, 0, length), session.plan_chunks(layout.part(head, 0, length)))
    kept, fed = _rows(session, Trace(player.trace.frames, player.trace.seen), index), player.fed
    more = layout.part(head, length, layout.length(head) - length)
    player.feed(more, _chunks(session, more, length))
    _tell(player, told, index)
    _tell(player, verb, fed)
    player.as_if(kept, fed)
    tail = layout.like(layout.of_rows(tail, index), tail)
    whole = layout.join(layout.of_rows(layout.part(head, 0, length), index), tail)
    with saying(REORDER):
        return agree(session, whole, _rest(session, player, tail))


def _taken_back(session: Session, player: Player, verb: str, draft: Tree, before: int) -> None:
    """Frames are fed, and taken back."""
    kept, fed = len(player.trace.frames), player.fed
    player.feed(draft, _chunks(session, draft, before))
    _tell(player, verb, fed)
    player.back_to(kept, fed)


def _chunks(session: Session, part: Tree, before: int) -> tuple[int, ...] | None:
    """Chunks of what comes after so many frames."""
    return rest_of_plan(session, part) if before else session.plan_chunks(part)


def clip_between(session: Session, example: Example) -> int:
    """The clip function may run between two steps."""
    if not session.subject.clip_between:
        raise Skip("by the subject's `clip_between` the clip function is not to be called between two steps")
    x, head, tail = _parts(session, example)
    player = _fed(session, head)
    session.clip(session.window_of(session.inputs(example.length, example.batch, example.seed + 1)))
    try:
        with saying(BETWEEN):
            return agree(session, x, _rest(session, player, tail))
    except (Mismatch, StreamRaised) as error:
        agree(session, x, session.play(x))  # a difference whatever runs between is none of this one
        raise Mismatch(BETWEEN, getattr(error, "frame", None)) from None


def _verb(session: Session, name: str, argument: str) -> str:
    """The method's name; Skip where streams do not have it, or it takes nothing."""
    player = session.player()
    function = getattr(player.stream, name, None)
    player.leave()
    if not callable(function) or not takes(function, 1):
        raise Skip(f"the stream has no {name}({argument})")
    if session.plan.ahead or session.plan.whole:
        raise Skip("its plan feeds frames again")
    return name


def _two_rows(session: Session, example: Example) -> tuple[Tree, Tree, Tree]:
    if session.layout.rows(session.subject.example) is None:
        raise Skip("the subject has no batch axis")
    if example.batch < 2:
        raise Skip("one row at a time is all that is legal, by the subject's `batches`")
    return _parts(session, example)


def _parts(session: Session, example: Example) -> tuple[Tree, Tree, Tree]:
    x = session.inputs(example.length, example.batch, example.seed)
    return x, *halves(session, x)


def _fed(session: Session, head: Tree) -> Player:
    return session.player().feed(head, session.plan_chunks(head))


def _rest(session: Session, player: Player, tail: Tree) -> Trace:
    return player.feed(tail, rest_of_plan(session, tail)).flush().trace


def _tell(player: Player, verb: str, argument: Any) -> None:
    """A verb that raises is a problem: it is there to be called."""
    try:
        getattr(player.stream, verb)(argument)
    except Exception as error:
        raise Mismatch(f"{verb}({argument}) raises {type(error).__name__}: {first_line(error)}") from error


def _rows(session: Session, trace: Trace, rows: Tensor) -> Trace:
    """The same emissions of some rows."""
    batch = session.layout.batch[session.layout.lead]
    assert batch is not None
    axis = batch if session.subject.emits == "window" else batch - (batch > session.output_time)
    frames = [frame.index_select(axis, rows.to(frame.device)) for frame in trace.frames]
    return Trace(frames, trace.seen, trace.flushed, trace.ended)
