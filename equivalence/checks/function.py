"""Is it the same function? Fresh streams, fed legally, in every way a caller may: lengths, chunks, rows, layouts, modes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch

from coequal.equivalence import weights as weighing
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.checks.base import Skip
from coequal.equivalence.compare import Mismatch
from coequal.equivalence.runner import Player, StreamRaised, Trace
from coequal.equivalence.weights import borrowed

Tensor = torch.Tensor


def values(bench: Bench, example: Example) -> int:
    """The emissions are the clip's output."""
    x = bench.inputs(example.length, example.batch, example.seed)
    return bench.compare(x, bench.play(x, example.chunks))


def long_values(bench: Bench, example: Example) -> int:
    """The same over a long stream; of its windows, those at the start, at the end and some in between are compared."""
    x = bench.inputs(example.length, example.batch, example.seed)
    trace = bench.play(x, example.chunks)
    if bench.subject.window is None:
        return bench.compare(x, trace)
    reach, length = bench.reach, example.length
    wanted = {*range(3 * reach), *range(0, length, max(1, length // 48)), *range(length - 8, length + 1)}
    return bench.compare(x, trace, wanted=wanted)


def chunking(bench: Bench, example: Example) -> int:
    """The same, in chunks."""
    if not hasattr(bench.player().stream, "chunk"):
        raise Skip("the stream has no chunk(frames): it takes single frames only")
    if example.chunks is None or not bench.plan.allows(example.chunks):
        raise Skip("its plan allows no other chunks")
    x = bench.inputs(example.length, example.batch, example.seed)
    trace = bench.play(x, example.chunks)
    return bench.compare(x, trace, times=_times(bench, x, trace))


def _times(bench: Bench, x: Tensor, trace: Trace) -> list[int] | None:
    """In window mode, when the emissions of a chunk would have appeared one by one."""
    if bench.subject.window is None:
        return None
    single = bench.play(x)
    if len(single.frames) != len(trace.frames):
        raise Mismatch(f"{len(trace.frames)} emission(s) in chunks, {len(single.frames)} frame by frame", len(single.frames))
    return single.seen


def batch(bench: Bench, example: Example) -> int:
    """Other batch sizes than the example's, and each row as if it were alone."""
    if bench.subject.batch is None:
        raise Skip("the subject has no batch axis")
    x = bench.inputs(example.length, example.batch, example.seed)
    if bench.clip(x) is None:
        raise Skip(f"the clip function does not take {example.batch} rows")
    try:
        trace = bench.play(x)
    except StreamRaised as error:
        if example.batch == bench.batch:
            raise
        raise Skip(f"the stream refuses {example.batch} rows, loudly: {error}") from error
    compared = bench.compare(x, trace)
    other = bench.inputs(example.length, example.batch, example.seed + 1)
    mixed = torch.cat([x.narrow(bench.subject.batch, 0, 1), other.narrow(bench.subject.batch, 1, example.batch - 1)],
                      bench.subject.batch) if example.batch > 1 else x  # fmt: skip
    return compared + bench.compare(mixed, bench.play(mixed))


def memory_layout(bench: Bench, example: Example) -> int:
    """Strided frames are the same frames."""
    x = bench.inputs(example.length, example.batch, example.seed)
    player, time = bench.player(keep=True), bench.subject.time
    strided = torch.stack([x, x + 1], -1)[..., 0].transpose(0, -1).contiguous().transpose(0, -1) if x.dim() > 1 else x
    spread = torch.stack([strided, strided + 1], -1)[..., 0]
    chunks, start = bench.plan_chunks(x), 0
    for size in chunks or (1,) * example.length:
        _feed_strided(player, spread.narrow(time, start, size), chunks is None)
        start += size
    return bench.compare(x, player.flush().trace)


def _feed_strided(player: Player, frames: Tensor, step: bool) -> None:
    """Hand over a view, not a copy, with gaps between its elements."""
    piece = frames.select(player.time, 0) if step else frames
    holder = torch.stack([piece, piece], -1)[..., 0]
    player.handed.append(holder)
    player.given.append(holder.clone())
    player.fed += 1 if step else frames.shape[player.time]
    player._emit(player._call("step" if step else "chunk", holder), chunk=not step)


def grad_mode(bench: Bench, example: Example) -> int:
    """With gradients recorded, or in inference mode, the emissions are the same."""
    x = bench.inputs(example.length, example.batch, example.seed)
    kept = contextlib.nullcontext() if example.variant == "grad" else borrowed(bench.subject.modules, None)
    mode = torch.enable_grad() if example.variant == "grad" else torch.inference_mode()  # which leaves locked tensors
    with kept, mode:
        trace = bench.play(x.clone())
    return bench.compare(x, Trace([f.detach().clone() for f in trace.frames], trace.seen, trace.flushed, trace.ended))


def one_buffer(bench: Bench, example: Example) -> int:
    """The caller hands over one tensor object, refilled for each frame."""
    x = bench.inputs(example.length, example.batch, example.seed)
    trace = bench.player(refill=True).feed(x, bench.plan_chunks(x)).flush().trace
    try:
        return bench.compare(x, trace)
    except Mismatch as mismatch:
        bench.compare(x, bench.play(x))  # a difference whatever the buffer is none of this one
        if _keeps(bench, x):
            raise Skip("the stream keeps the frames that it is handed: see input-reuse") from None
        text = f"the stream takes one tensor object that is refilled for one and the same frame: {mismatch.detail}"
        raise replace(mismatch, detail=text) from None


def _keeps(bench: Bench, x: Tensor) -> bool:
    """Whether emissions change where the caller writes over frames once they have been fed."""
    player, start, chunks = bench.player(), 0, bench.plan_chunks(x)
    for size in chunks or (1,) * x.shape[bench.subject.time]:
        player.feed(x.narrow(bench.subject.time, start, size), None if chunks is None else (size,))
        player.handed[-1].copy_(player.given[-1].flip(0) * 3 if bench.floating else player.given[-1].flatten()[0])
        start += size
    try:
        bench.compare(x, player.flush().trace)
    except Mismatch:
        return True
    return False


def special_values(bench: Bench, example: Example) -> int:
    """Exact zeros, negative numbers, a lone frame among zeros."""
    if not bench.floating:
        raise Skip("integer inputs have no special values")
    if bench.subject.inputs is not None:
        raise Skip("the subject draws its inputs itself: others may mean nothing to it")
    x = bench.inputs(example.length, example.batch, example.seed)
    time = bench.subject.time
    if example.variant == "zeros":
        x = torch.zeros_like(x)
    elif example.variant == "some zeros":
        x.index_fill_(time, torch.arange(0, example.length, 2), 0.0)
    elif example.variant == "negative":
        x = -x.abs() - 1
    return bench.compare(x, bench.play(x))


def integers(bench: Bench, example: Example) -> int:
    """Small integers for inputs and weights: no sum can round, so both must agree exactly."""
    module = bench.subject.modules
    x = bench.inputs(example.length, example.batch, example.seed)
    if not bench.floating or bench.subject.inputs is not None:
        raise Skip("the inputs cannot be made small integers")
    if bench.unread:
        raise Skip("the stream does not read its weights from `modules`")
    generator = torch.Generator().manual_seed(example.seed)
    x = torch.randint(-4, 5, x.shape, generator=generator).to(x.device, x.dtype)
    with weighing.borrowed(module, None):
        if module is not None:
            weighing.put(module, weighing.integers(module, example.seed))
        output = bench.clip(x)
        if output is None or not _exact(output):
            raise Skip("the clip function does not keep integers: something in it divides, or is not linear")
        trace = bench.play(x)
        if not all(_exact(frame) for frame in trace.frames) and bench.compare(x, trace):
            raise Skip("the stream takes another way through numbers that are no integers")
        with _exactly(bench):
            return bench.compare(x, trace)


def _exact(x: Tensor) -> bool:
    """All elements are integers far below where the format stops holding each of them."""
    if not x.is_floating_point():
        return True
    return (
        bool(torch.isfinite(x).all() and (x == x.round()).all() and x.abs().max() * torch.finfo(x.dtype).eps < 2.0**-10)
        if x.numel()
        else True
    )


@contextlib.contextmanager
def _exactly(bench: Bench) -> Iterator[None]:
    """Inside, nothing counts as rounding."""
    before, bench.exact = bench.exact, True
    try:
        yield
    finally:
        bench.exact = before
