"""Is it the same function? Fresh streams, fed legally, in every way a caller may: lengths, chunks, rows, layouts, modes."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import torch

from coequal.equivalence.checks.base import Skip
from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import Whole
from coequal.equivalence.compare.relation import agree, compare
from coequal.equivalence.run import weights as weighing
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import Player, StreamRaised, Trace
from coequal.equivalence.run.session import Session
from coequal.equivalence.run.weights import borrowed

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
    if not hasattr(session.player().stream, "chunk"):
        raise Skip("the stream has no chunk(frames): it takes single frames only")
    if example.chunks is None or not session.plan.allows(example.chunks):
        raise Skip("its plan allows no other chunks")
    x = session.inputs(example.length, example.batch, example.seed)
    trace = session.play(x, example.chunks)
    return agree(session, x, trace, times=_times(session, x, trace))


def _times(session: Session, x: Tensor, trace: Trace) -> list[int] | None:
    """In window mode, when the emissions of a chunk would have appeared one by one."""
    if session.subject.window is None:
        return None
    single = session.play(x)
    if len(single.frames) != len(trace.frames):
        raise Mismatch(f"{len(trace.frames)} emission(s) in chunks, {len(single.frames)} frame by frame", len(single.frames))
    return single.seen


def batch(session: Session, example: Example) -> int:
    """Other batch sizes than the example's, and each row as if it were alone."""
    if session.subject.batch is None:
        raise Skip("the subject has no batch axis")
    x = session.inputs(example.length, example.batch, example.seed)
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
    mixed = torch.cat([x.narrow(session.subject.batch, 0, 1), other.narrow(session.subject.batch, 1, example.batch - 1)],
                      session.subject.batch) if example.batch > 1 else x  # fmt: skip
    return compared + agree(session, mixed, session.play(mixed))


def memory_layout(session: Session, example: Example) -> int:
    """Strided frames are the same frames."""
    x = session.inputs(example.length, example.batch, example.seed)
    player, time = session.player(keep=True), session.subject.time
    strided = torch.stack([x, x + 1], -1)[..., 0].transpose(0, -1).contiguous().transpose(0, -1) if x.dim() > 1 else x
    spread = torch.stack([strided, strided + 1], -1)[..., 0]
    chunks, start = session.plan_chunks(x), 0
    for size in chunks or (1,) * example.length:
        _feed_strided(player, spread.narrow(time, start, size), chunks is None)
        start += size
    return agree(session, x, player.flush().trace)


def _feed_strided(player: Player, frames: Tensor, step: bool) -> None:
    """Hand over a view, not a copy, with gaps between its elements."""
    piece = frames.select(player.time, 0) if step else frames
    holder = torch.stack([piece, piece], -1)[..., 0]
    player.handed.append(holder)
    player.given.append(holder.clone())
    player.fed += 1 if step else frames.shape[player.time]
    player._emit(player._call("step" if step else "chunk", holder), chunk=not step)


def grad_mode(session: Session, example: Example) -> int:
    """With gradients recorded, or in inference mode, the emissions are the same."""
    x = session.inputs(example.length, example.batch, example.seed)
    kept = contextlib.nullcontext() if example.variant == "grad" else borrowed(session.subject.modules, None)
    mode = torch.enable_grad() if example.variant == "grad" else torch.inference_mode()  # which leaves locked tensors
    with kept, mode:
        trace = session.play(x.clone())
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


def _keeps(session: Session, x: Tensor) -> bool:
    """Whether emissions change where the caller writes over frames once they have been fed."""
    player, start, chunks = session.player(), 0, session.plan_chunks(x)
    for size in chunks or (1,) * x.shape[session.subject.time]:
        player.feed(x.narrow(session.subject.time, start, size), None if chunks is None else (size,))
        player.handed[-1].copy_(player.given[-1].flip(0) * 3 if session.floating else player.given[-1].flatten()[0])
        start += size
    try:
        agree(session, x, player.flush().trace)
    except Mismatch:
        return True
    return False


def special_values(session: Session, example: Example) -> int:
    """Exact zeros, negative numbers, a lone frame among zeros."""
    if not session.floating:
        raise Skip("integer inputs have no special values")
    if session.subject.inputs is not None:
        raise Skip("the subject draws its inputs itself: others may mean nothing to it")
    x = session.inputs(example.length, example.batch, example.seed)
    time = session.subject.time
    if example.variant == "zeros":
        x = torch.zeros_like(x)
    elif example.variant == "some zeros":
        x.index_fill_(time, torch.arange(0, example.length, 2), 0.0)
    elif example.variant == "negative":
        x = -x.abs() - 1
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
    x = torch.randint(-4, 5, x.shape, generator=generator).to(x.device, x.dtype)
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
        return exactly.agreed()


def _exact(x: Tensor) -> bool:
    """All elements are integers far below where the format stops holding each of them."""
    if not x.is_floating_point():
        return True
    return (
        bool(torch.isfinite(x).all() and (x == x.round()).all() and x.abs().max() * torch.finfo(x.dtype).eps < 2.0**-10)
        if x.numel()
        else True
    )
