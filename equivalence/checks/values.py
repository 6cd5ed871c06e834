"""Is it the same function? Fresh streams, fed legally, in every way a caller may: lengths, chunks, rows, layouts, modes."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import torch

from coequal.equivalence.checks.base import VIEWS, Skip, overwrite
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Whole
from coequal.equivalence.compare.relation import agree, compare, frames_of
from coequal.equivalence.run import weights as weighing
from coequal.equivalence.run.drawing import validity
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised, Trace
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import borrowed
from coequal.subjects.chunks import Chunks
from coequal.subjects.inputs import Inputs, Tree, cloned, leaves_of, mapped, with_leaves

Tensor = torch.Tensor


def values(session: Session, example: Example) -> int:
    """The emissions are the clip's output."""
    x = session.inputs(example.length, example.batch, example.seed)
    return agree(session, x, session.play(x, example.chunks))


def long_values(session: Session, example: Example) -> int:
    """The same over a long stream; of its windows, those at the start, at the end and some in between are compared."""
    x = session.inputs(example.length, example.batch, example.seed)
    trace = session.play(x, example.chunks)
    if session.subject.window is None:
        return agree(session, x, trace)
    reach, length = session.facts.reach, example.length
    wanted = {*range(3 * reach), *range(0, length, max(1, length // 48)), *range(length - 8, length + 1)}
    return agree(session, x, trace, wanted=wanted)


def chunking(session: Session, example: Example) -> int:
    """The same, in chunks."""
    if not session.has("chunk"):
        raise Skip("the stream has no chunk(frames): it takes single frames only")
    if example.chunks is None or not session.plan.allows(example.chunks):
        raise Skip("its plan allows no other chunks")
    x = session.inputs(example.length, example.batch, example.seed)
    trace = session.play(x, example.chunks)
    return agree(session, x, trace, times=_times(session, x, trace))


def _times(session: Session, x: Tree, trace: Trace) -> list[int] | None:
    """In window mode, when the emissions of a chunk would have appeared one by one."""
    if session.subject.window is None:
        return None
    single = session.play(x)
    if len(single.frames) != len(trace.frames):
        raise Mismatch(f"{len(trace.frames)} emission(s) in chunks, {len(single.frames)} frame by frame", len(single.frames))
    return single.seen


def batch(session: Session, example: Example) -> int:
    """Other batch sizes than the example's, and each row as if it were alone."""
    if session.layout.rows(session.subject.example) is None:
        raise Skip("the subject has no batch axis")
    if session.subject.batches is not None and len(set(session.subject.batches)) == 1:
        raise Skip(f"{session.subject.batches[0]} rows are all that is legal, by the subject's `batches`")
    x = session.inputs(example.length, example.batch, example.seed)
    if session.layout.rows(x) != example.batch:
        raise Skip("the subject's `inputs` draw other numbers of rows than they are asked for")
    if session.clip(x) is None:
        raise Skip(f"the clip function does not take {example.batch} rows")
    try:
        trace = session.play(x)
    except StreamRaised as error:
        if example.batch == session.batch:
            raise
        raise Skip(f"the stream refuses {example.batch} rows, loudly: {error}") from error
    compared = agree(session, x, trace)
    other = session.inputs(example.length, example.batch, example.seed + 1)
    rows, layout = torch.arange(example.batch), session.layout
    mixed = layout.stacked(layout.of_rows(x, rows[:1]), layout.of_rows(other, rows[1:])) if example.batch > 1 else x
    return compared + agree(session, mixed, session.play(mixed))


def memory_layout(session: Session, example: Example) -> int:
    """Strided frames are the same frames; so are views of a clip, as a plain loop over it hands them over."""
    x = session.inputs(example.length, example.batch, example.seed)
    if session.plan.ahead or session.plan.whole:
        raise Skip("its plan feeds frames again")
    played = _of_views if example.variant == VIEWS else _with_gaps
    traces = [played(session, x, chunks) for chunks in _singly_and_mixed(session, x)]
    return sum(agree(session, x, trace, times=_times(session, x, trace) if i else None) for i, trace in enumerate(traces))


def _with_gaps(session: Session, x: Tree, chunks: Chunks | None) -> Trace:
    player, layout, spread, start = session.player(keep=True), session.layout, mapped(_strided, x), 0
    for size in chunks or (1,) * layout.length(x):
        piece = layout.frame(spread, start) if chunks is None else layout.part(spread, start, size)
        holder = mapped(lambda leaf: torch.stack([leaf, leaf], -1)[..., 0], piece)  # a view with gaps, not a copy
        player.hand_over("step" if chunks is None else "chunk", player.note(holder), size)
        start += size
    return player.flush().trace


def _of_views(session: Session, x: Tree, chunks: Chunks | None) -> Trace:
    player = session.player()
    player.views = True
    return player.feed(cloned(x), chunks).flush().trace


def _singly_and_mixed(session: Session, x: Tree) -> list[Chunks | None]:
    """Schedules: the usual one, which is of the smallest chunks, and one of several sizes, where the stream takes them."""
    if not session.has("chunk"):
        return [None]
    several = len(session.plan.smallest(2)) > 1
    return [session.plan_chunks(x), *[session.plan_chunks(x, "mixed", 1)] * several]


def _strided(x: Tensor) -> Tensor:
    """The same numbers, in another order in memory and with gaps between them."""
    other = torch.stack([x, x], -1)[..., 0].transpose(0, -1).contiguous().transpose(0, -1) if x.dim() > 1 else x
    return torch.stack([other, other], -1)[..., 0]


def grad_mode(session: Session, example: Example) -> int:
    """With gradients recorded, or in inference mode, the emissions are the same."""
    x = session.inputs(example.length, example.batch, example.seed)
    kept = contextlib.nullcontext() if example.variant == "grad" else borrowed(session.subject.modules, None)
    mode = torch.enable_grad() if example.variant == "grad" else torch.inference_mode()  # which leaves locked tensors
    try:
        with kept, mode:
            trace = session.play(cloned(x))
    except StreamRaised as error:
        if example.variant == "grad":
            raise
        raise Skip(f"inference mode is refused: {error}") from error  # it is not another function for that
    return agree(session, x, Trace([f.detach().clone() for f in trace.frames], trace.seen, trace.flushed, trace.ended))


def one_buffer(session: Session, example: Example) -> int:
    """The caller hands over one tensor object, refilled for each frame."""
    x = session.inputs(example.length, example.batch, example.seed)
    trace = session.player(refill=True).feed(x, session.plan_chunks(x)).flush().trace
    try:
        return agree(session, x, trace)
    except Mismatch as mismatch:
        agree(session, x, session.play(x))  # a difference whatever the buffer is none of this one
        if _keeps(session, x):
            raise Skip("the stream keeps the frames that it is handed: see input-reuse") from None
        text = f"the stream takes one tensor object that is refilled for one and the same frame: {mismatch.detail}"
        raise replace(mismatch, detail=text) from None


def _keeps(session: Session, x: Tree) -> bool:
    """Whether emissions change where the caller writes over frames once they have been fed."""
    player = session.player()
    for _ in player.feeding(x, session.plan_chunks(x)):
        overwrite(player.handed[-1], player.given[-1])
    try:
        agree(session, x, player.flush().trace)
    except Mismatch:
        return True
    return False


def padding(session: Session, example: Example) -> int:
    """What frames hold that are padding does not matter to the others."""
    subject, layout = session.subject, session.layout
    if subject.valid is None:
        raise Skip("no input of the subject says what is padding (`valid`)")
    if not session.floating:
        raise Skip("integer inputs hold no garbage")
    x = session.inputs(example.length, max(example.batch, 2) if session.takes(max(example.batch, 2)) else example.batch,
                       example.seed)  # fmt: skip
    mask, garbage = validity(subject, x), 1e4 if example.variant == "large" else float("nan")
    assert mask is not None
    filled = filled_where(layout, x, ~mask, garbage)
    kept_out = _keeps_out(session, x, filled)
    if example.variant == "nan" and not kept_out:
        raise Skip("the clip function itself lets NaN out of padding")
    return agree(session, x if kept_out else filled, session.play(filled))


def _keeps_out(session: Session, x: Tree, filled: Tree) -> bool:
    """Whether the clip function gives the same where frames are no padding."""
    output, other = session.clip(x), session.clip(filled)
    if output is None or other is None:
        raise Skip("the clip function refuses so many frames")
    if session.subject.window is not None:
        return True
    frames = frames_of(session, other)[session.subject.offset :]
    return compare(session, x, Trace(frames, [session.layout.length(x)] * len(frames))).difference is None


def filled_where(layout: Inputs, x: Tree, where: Tensor, value: float) -> Tree:
    """A clip whose data is this number in some frames of some rows."""
    changed = dict[str, Tensor]()
    for name, leaf in leaves_of(x).items():
        time, rows = layout.time[name], layout.batch[name]
        if name not in layout.data(x) or time is None or rows is None:
            continue
        shape = [n if axis in (time, rows) else 1 for axis, n in enumerate(leaf.shape)]
        padded = where.expand(leaf.shape[rows], -1)
        changed[name] = leaf.masked_fill((padded if rows < time else padded.T).reshape(shape), value)
    return with_leaves(x, leaves_of(x) | changed)


def special_values(session: Session, example: Example) -> int:
    """Exact zeros, negative numbers, a lone frame among zeros."""
    if not session.floating:
        raise Skip("integer inputs have no special values")
    if session.subject.inputs is not None:
        raise Skip("the subject draws its inputs itself: others may mean nothing to it")
    x = session.inputs(example.length, example.batch, example.seed)
    layout = session.layout
    if example.variant == "zeros":
        x = layout.on_frames(torch.zeros_like, x)
    elif example.variant == "some zeros":
        for i in range(0, example.length, 2):
            x = layout.replaced(x, i, layout.on_frames(torch.zeros_like, x), i)
    elif example.variant == "negative":
        x = layout.on_frames(lambda leaf: -leaf.abs() - 1, x)
    return agree(session, x, session.play(x))


def integers(session: Session, example: Example) -> int:
    """Small integers for inputs and weights: no sum can round, so both must agree exactly."""
    module = session.subject.modules
    x = session.inputs(example.length, example.batch, example.seed)
    if not session.floating or session.subject.inputs is not None:
        raise Skip("the inputs cannot be made small integers")
    if session.facts.unread:
        raise Skip("the stream does not read its weights from `modules`")
    generator = torch.Generator().manual_seed(example.seed)
    x = session.layout.on_data(lambda t: torch.randint(-4, 5, t.shape, generator=generator).to(t.device, t.dtype), x)
    with weighing.borrowed(module, None):
        if module is not None:
            weighing.put(module, weighing.integers(module, example.seed))
        output = session.clip(x)
        if output is None or not _exact(output):
            raise Skip("the clip function does not keep integers: something in it divides, or is not linear")
        trace = session.play(x)
        if not all(_exact(frame) for frame in trace.frames) and agree(session, x, trace):
            raise Skip("the stream takes another way through numbers that are no integers")
        exactly = compare(session.computing(Whole()), x, trace)
        session.note(exactly)
        if exactly.difference is not None:
            raise replace(exactly.difference, whole=True)
        return exactly.frames


def _exact(x: Tensor) -> bool:
    """All elements are integers far below where the format stops holding each of them."""
    if not x.is_floating_point():
        return True
    return (
        bool(torch.isfinite(x).all() and (x == x.round()).all() and x.abs().max() * torch.finfo(x.dtype).eps < 2.0**-10)
        if x.numel()
        else True
    )
