"""The named checks: a table of properties, each with the examples it tries and the comparison it makes for one of them.

A body plays streams and compares; it raises Mismatch at the first difference, Skip where the property cannot be asked, and
returns how many frames it compared. Examples are ordered, smallest first, and depend on the seed alone, so that any of them
can be repeated by itself.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from coequal.equivalence import quality
from coequal.equivalence import weights as weighing
from coequal.equivalence.bench import Bench, Example
from coequal.equivalence.compare import Mismatch, close, first_value
from coequal.equivalence.inside import modules_inside, restore, snapshot
from coequal.equivalence.runner import Player, StreamRaised, Trace

Tensor = torch.Tensor
Body = Callable[[Bench, Example], int]
Examples = Callable[[Bench, str], Iterator[Example]]


class Skip(Exception):
    """The property cannot be asked of this subject; the text says why."""


@dataclass(frozen=True)
class CheckSpec:
    """A named property: the question it answers, what it tries, and how it compares."""

    question: str
    examples: Examples
    body: Body


# -- bodies --------------------------------------------------------------------------------------------------------------


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


def reset(bench: Bench, example: Example) -> int:
    """A new stream after an old one starts from nothing; so does one that was reset, if it can be."""
    x, other = (bench.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    old = bench.player().feed(other, bench.plan_chunks(other))  # abandoned in the middle
    compared = bench.compare(x, bench.play(x))
    if callable(getattr(old.stream, "reset", None)):
        old.stream.reset()
        again = Player(old.stream, old.time, old.output_time)
        compared += bench.compare(x, again.feed(x, bench.plan_chunks(x)).flush().trace)
    return compared


def reuse(bench: Bench, example: Example) -> int:
    """A stream after another has ended, and two streams fed in turns."""
    x, other = (bench.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    bench.play(other)
    compared = bench.compare(x, bench.play(x))
    players, time = [bench.player(), bench.player()], bench.subject.time
    chunks = bench.plan_chunks(x) or (1,) * example.length
    start = 0
    for size in chunks:
        for player, clip in zip(players, (x, other), strict=True):
            player.feed(clip.narrow(time, start, size), None if bench.plan_chunks(x) is None else (size,))
        start += size
    return compared + sum(bench.compare(clip, p.flush().trace) for p, clip in zip(players, (x, other), strict=True))


def fork(bench: Bench, example: Example) -> int:
    """A copy made in the middle goes on with other frames; neither sees the other's."""
    x, other = (bench.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    time, half = bench.subject.time, bench.plan.legal(example.length // 2)
    player = bench.player()
    head, tail = x.narrow(time, 0, half), x.narrow(time, half, example.length - half)
    player.feed(head, bench.plan_chunks(head))
    twin = _copy(player)
    branch = other.narrow(time, half, example.length - half)
    rest = _rest(bench, tail)
    twin.feed(branch, rest).flush()
    return bench.compare(x, player.feed(tail, rest).flush().trace) + bench.compare(
        torch.cat([head, branch], time), twin.trace
    )


def _rest(bench: Bench, tail: Tensor) -> tuple[int, ...] | None:
    """Chunks of the second part of a stream: a special first chunk has been fed already."""
    if bench.plan_chunks(tail) is None:
        return None
    return replace(bench.plan, first=None).split(tail.shape[bench.subject.time])


def _copy(player: Player) -> Player:
    """An independent player that has seen the same: by deep copy of the stream, or by its state."""
    try:
        return copy.deepcopy(player)
    except Exception as error:
        if not hasattr(player.stream, "state"):
            raise Skip(f"the stream cannot be copied ({type(error).__name__}: {error}) and shows no state") from error
        raise Skip(f"the stream cannot be copied: {type(error).__name__}: {error}") from error


def snapshots(bench: Bench, example: Example) -> int:
    """The state taken in the middle and put back leads to the same emissions."""
    x, other = (bench.inputs(example.length, example.batch, example.seed + i) for i in range(2))
    time, half = bench.subject.time, bench.plan.legal(example.length // 2)
    player = bench.player()
    if not hasattr(player.stream, "state"):
        raise Skip("the stream shows no state")
    head, tail, branch = (c.narrow(time, a, n) for c, a, n in ((x, 0, half), (x, half, example.length - half),
                                                               (other, half, example.length - half)))  # fmt: skip
    player.feed(head, bench.plan_chunks(head))
    saved, trace, fed = snapshot(player.stream), copy.deepcopy(player.trace), player.fed
    player.feed(branch, _rest(bench, branch))
    try:
        restore(player.stream, saved)
    except AttributeError:
        raise Skip("the stream's state is read-only") from None
    player.trace, player.fed = trace, fed
    return bench.compare(x, player.feed(tail, _rest(bench, tail)).flush().trace)


def forking(bench: Bench, example: Example) -> int:
    """Deep copy, or else the state; Skip where there is neither."""
    if example.variant == "state":
        return snapshots(bench, example)
    return fork(bench, example)


def input_reuse(bench: Bench, example: Example) -> int:
    """The caller overwrites each frame once it has been fed; the stream leaves the caller's frames alone."""
    x = bench.inputs(example.length, example.batch, example.seed)
    player, start = bench.player(), 0
    chunks = bench.plan_chunks(x)
    for size in chunks or (1,) * example.length:
        player.feed(x.narrow(bench.subject.time, start, size), None if chunks is None else (size,))
        if not torch.equal(player.handed[-1], player.given[-1]):
            raise Mismatch("the stream changed the frame that it was given", start, (), first_value(player.given[-1]),
                           first_value(player.handed[-1]))  # fmt: skip
        _overwrite(player.handed[-1], player.given[-1])
        start += size
    return bench.compare(x, player.flush().trace)


def _overwrite(frame: Tensor, given: Tensor) -> None:
    frame.copy_(given.flip(0) * -3 + 7 if given.is_floating_point() else given.flatten()[0].expand_as(given))


def output_hold(bench: Bench, example: Example) -> int:
    """Emissions that the caller keeps do not change later."""
    x = bench.inputs(example.length, example.batch, example.seed)
    player = bench.player().feed(x, bench.plan_chunks(x)).flush()
    for i, (held, was) in enumerate(zip(player.held, player.trace.frames, strict=True)):
        if not close(held.detach(), was, 0.0) and not bool(torch.isnan(was).any()):
            where = (held != was).nonzero()[0]
            raise Mismatch(
                f"emission {i} changed after it had been emitted", bench.subject.offset + i, tuple(int(j) for j in where),
                was[tuple(where)].item(), held[tuple(where)].item(),
            )  # fmt: skip
    return len(player.held)


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
    with torch.enable_grad() if example.variant == "grad" else torch.inference_mode():
        trace = bench.play(x.clone())
    return bench.compare(x, Trace([f.detach().clone() for f in trace.frames], trace.seen, trace.flushed, trace.ended))


def special_values(bench: Bench, example: Example) -> int:
    """Exact zeros, negative numbers, a lone frame among zeros."""
    if not bench.floating:
        raise Skip("integer inputs have no special values")
    x = bench.inputs(example.length, example.batch, example.seed)
    time = bench.subject.time
    if example.variant == "zeros":
        x = torch.zeros_like(x)
    elif example.variant == "some zeros":
        x.index_fill_(time, torch.arange(0, example.length, 2), 0.0)
    elif example.variant == "negative":
        x = -x.abs() - 1
    return bench.compare(x, bench.play(x))


def reload(bench: Bench, example: Example) -> int:
    """Parameters that are loaded after the stream was made take effect."""
    module = bench.subject.modules
    if module is None:
        raise Skip("the subject names no modules whose parameters could be loaded")
    new = weighing.drawn(module, example.seed + 1, 1.0)
    if not new:
        raise Skip("the modules have no parameters")
    x = bench.inputs(example.length, example.batch, example.seed)
    with weighing.borrowed(module, None):
        player = bench.player()
        weighing.put(module, new)
        return bench.compare(x, player.feed(x, bench.plan_chunks(x)).flush().trace)


def weight_names(bench: Bench, example: Example) -> int:
    """Same names, shapes and dtypes; a strict load works both ways, and the loaded module computes the same."""
    module = bench.subject.modules
    if module is None:
        raise Skip("the subject names no modules")
    twins = [bench.subject.twin()] if bench.subject.twin is not None else _others(bench, module)
    if not twins:
        raise Skip("clip and stream use the very same parameters, and no twin was given")
    twin = twins[0].to(bench.dtype).eval()
    compare_states(module, twin)
    new = weighing.drawn(module, example.seed, 1.0)
    with weighing.borrowed(module, None), weighing.borrowed(twin, None):
        weighing.put(module, new)
        _load(twin, module)
        x = bench.inputs(example.length, example.batch, example.seed)
        if bench.subject.twin is not None:
            _same_function(bench, twin, x)
        weighing.put(twin, weighing.drawn(twin, example.seed + 1, 1.0))
        _load(module, twin)
        compared = bench.compare(x, bench.play(x))
    return compared + len(module.state_dict())


def _others(bench: Bench, module: torch.nn.Module) -> list[torch.nn.Module]:
    """Modules of the stream that are not the subject's own, but claim to have its parameters."""
    parts = {id(part) for part in module.modules()}
    found = [m for m in modules_inside(bench.player().stream) if id(m) not in parts]
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


def _same_function(bench: Bench, twin: torch.nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        got, want = bench.clip(x), twin(x.clone())
    if got is None or not close(got, want, bench.bound(x, want)):
        raise Mismatch("with the same weights the clip function is not the original module's")


def integers(bench: Bench, example: Example) -> int:
    """Small integers for inputs and weights: no sum can round, so both must agree exactly."""
    module = bench.subject.modules
    x = bench.inputs(example.length, example.batch, example.seed)
    if not bench.floating or bench.subject.inputs is not None:
        raise Skip("the inputs cannot be made small integers")
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


# -- examples ------------------------------------------------------------------------------------------------------------


def _lengths(bench: Bench, effort: str) -> list[int]:
    """0, 1, 2, ... past the receptive field, then some longer ones; legal for the plan."""
    reach = bench.reach
    few = sorted({0, 1, 2, 3, reach - 1, reach, reach + 1, reach + 2, 2 * reach + 1, bench.example_length})
    many = sorted({*range(min(2 * reach + 3, 14)), *few, 3 * reach + 2})
    wanted = many if effort == "normal" else few
    return sorted({bench.plan.legal(n) for n in wanted if n >= 0})


def value_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Every length with the given weights, then the longer ones with weights drawn at several scales."""
    lengths = _lengths(bench, effort)
    middle = bench.plan.legal(2 * bench.reach + 3)
    for i, length in enumerate(lengths):
        yield Example(length, bench.batch, bench.seed + i)
    scales = (1.0, 0.25, 3.0, 1.0) if effort == "normal" else (1.0, 3.0)
    if bench.subject.modules is not None:
        for i, scale in enumerate(scales):
            for length in (middle, lengths[min(3, len(lengths) - 1)]) if effort == "normal" else (middle,):
                yield Example(length, bench.batch, bench.seed + 100 + i, scale)


def middle_examples(*variants: str, times: float = 2.0) -> Examples:
    """A clip of twice the receptive field and a bit, once for each variant, with given and with drawn weights."""

    def examples(bench: Bench, effort: str) -> Iterator[Example]:
        length = bench.plan.legal(int(times * bench.reach) + 5)
        for i, variant in enumerate(variants or ("",)):
            yield Example(length, bench.batch, bench.seed + 200 + i, bench.scale, None, variant)
            if effort == "normal" and bench.subject.modules is not None:
                yield Example(length, bench.batch, bench.seed + 300 + i, 1.0, None, variant)

    return examples


def chunk_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Chunks of 1, 3 and 7, all at once, random ones, all and then single frames."""
    length = bench.plan.legal(2 * bench.reach + 17)
    regular = [_chunked(length, size) for size in (3, 7, 2, 1)]
    irregular = [(length,), (max(1, length - 3), *[1] * min(3, length - 1)), (1, *_chunked(length - 1, 4))]
    random = [bench.plan.split(length, "mixed", bench.seed + i) for i in range(6 if effort == "normal" else 2)]
    options = [bench.plan.split(length, "largest"), *random, *regular, *irregular]
    seen = set()
    for i, chunks in enumerate(options):
        if chunks and chunks not in seen and bench.plan.allows(chunks):
            seen.add(chunks)
            yield Example(sum(chunks), bench.batch, bench.seed + 400 + i, bench.scale, chunks)


def _chunked(length: int, size: int) -> tuple[int, ...]:
    whole, rest = divmod(length, size)
    return (size,) * whole + ((rest,) if rest else ())


def batch_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Other sizes than the example's, one row included."""
    length = bench.plan.legal(2 * bench.reach + 3)
    for i, rows in enumerate(dict.fromkeys([bench.batch + 1, 3, 1, 2])):
        yield Example(length, rows, bench.seed + 500 + i, bench.scale)


def long_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Ten receptive fields, and one stream past 1,000 frames."""
    ten = bench.plan.legal(min(10 * bench.reach + 3, 1000))
    yield Example(ten, bench.batch, bench.seed + 600, bench.scale)
    yield Example(bench.plan.legal(1040), 1 if bench.one_row else bench.batch, bench.seed + 601, bench.scale)


def integer_examples(bench: Bench, effort: str) -> Iterator[Example]:
    """Several lengths."""
    for i, length in enumerate(sorted({bench.reach, 2 * bench.reach + 3, bench.example_length})):
        yield Example(bench.plan.legal(length), bench.batch, bench.seed + 700 + i)


CHECKS: dict[str, CheckSpec] = {
    "values": CheckSpec(
        "Are the emissions the clip's output, for all lengths from 0 and 1 up, several weights, several scales?",
        value_examples,
        values,
    ),
    "chunking": CheckSpec("Does it matter how many frames are fed at once?", chunk_examples, chunking),
    "batch": CheckSpec(
        "Are batch elements independent, and does it work with other batch sizes than the example's?", batch_examples, batch
    ),
    "reset": CheckSpec("Does a new stream after an old one start from nothing?", middle_examples(), reset),
    "reuse": CheckSpec("Do two streams at a time keep apart?", middle_examples(), reuse),
    "fork": CheckSpec(
        "Does a copy of the stream, or of its state, go on as the original would? Skipped where it cannot be copied.",
        middle_examples("copy", "state"),
        forking,
    ),
    "input-reuse": CheckSpec("May the caller overwrite the frame once it has been fed?", middle_examples(), input_reuse),
    "output-hold": CheckSpec("Do emissions that the caller keeps stay as they were?", middle_examples(), output_hold),
    "memory-layout": CheckSpec("Are strided (non-contiguous) frames the same frames?", middle_examples(), memory_layout),
    "grad-mode": CheckSpec(
        "Does it matter whether gradients are recorded?", middle_examples("grad", "inference"), grad_mode
    ),
    "long": CheckSpec("Does it stay right for ten receptive fields, and past 1,000 frames?", long_examples, long_values),
    "special-values": CheckSpec(
        "Are exact zeros and negative numbers treated as the clip treats them?",
        middle_examples("zeros", "some zeros", "negative"),
        special_values,
    ),
    "reload": CheckSpec("Do parameters that are loaded after construction take effect?", middle_examples(), reload),
    "weights": CheckSpec(
        "Have both the same parameter names, shapes, dtypes; does a strict load work both ways, and are they equal after?",
        lambda bench, effort: iter([Example(bench.plan.legal(2 * bench.reach + 3), bench.batch, bench.seed + 800)]),
        weight_names,
    ),
    "integers": CheckSpec(
        "Do both agree exactly, with `==`, on small integers, where no sum can round?", integer_examples, integers
    ),
}


# -- one comparison -----------------------------------------------------------------------------------------------------


def run_once(bench: Bench, name: str, example: Example) -> int | Mismatch | Skip:
    """One example of one check: frames compared, or the difference, or why it could not be asked."""
    try:
        with bench.weights(example):
            return CHECKS[name].body(bench, example)
    except Skip as outcome:
        return outcome
    except Mismatch as mismatch:
        return _judged(bench, name, example, mismatch)
    except StreamRaised as error:
        return Mismatch(str(error))


def _judged(bench: Bench, name: str, example: Example, mismatch: Mismatch) -> int | Mismatch:
    """A difference beyond the clip's rounding may still be rounding, of a stream that cancels digits: then it shrinks."""
    if name == "integers" or not isinstance(mismatch.got, float) or not isinstance(mismatch.expected, float):
        return mismatch
    double = distance(bench, name, example, bench.dtype)
    single = distance(bench, name, example, torch.float32)
    if double is None or single is None or not quality.shrinks(double, single):
        return mismatch
    bench.lossy = max(bench.lossy, (double, f"{name}: off by {double:.1e} in double precision, by {single:.1e} in single"))
    return 1


def distance(bench: Bench, name: str, example: Example, dtype: torch.dtype) -> float | None:
    """The greatest difference between stream and clip in this example, computed in `dtype`; None: that cannot be told."""
    other = bench.alike(dtype)
    with other.ready():
        if other.dtype != dtype:
            return None
        other.worst = 0.0
        try:
            with other.weights(example):
                CHECKS[name].body(other, example)
        except (Mismatch, Skip, StreamRaised):
            return None
        return other.worst
