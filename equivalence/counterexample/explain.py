"""A difference in words: late by so many frames, equal but for the head, off by what half precision leaves, rows mixed ...

Pure functions of the frames that a stream emitted and of those that its clip has. Each says one thing where it is true of
all the frames, and nothing where it is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch

from coequal.equivalence.compare.difference import Mismatch
from coequal.equivalence.compare.floats import RoundingLimit, in_format
from coequal.equivalence.compare.relation import frames_of
from coequal.equivalence.report import MeasuredTiming
from coequal.equivalence.run.examples import Example
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session
from coequal.subjects.inputs import called

Tensor = torch.Tensor
Frames = Sequence[Tensor]
Same = Callable[[Tensor, Tensor], bool]
FURTHEST = 12  # frames late or early that are tried
FORMATS = (("bfloat16", 2.0**-9), ("half precision", 2.0**-12), ("single precision", 2.0**-25))  # unit roundoff


def in_words(got: Frames, want: Frames, same: Same) -> list[str]:
    """What can be said of a stream's frames beside the clip's."""
    said = [f"{len(got)} frames for the clip's {len(want)}"] if len(got) != len(want) else []
    pairs = list(zip(got, want, strict=False))
    if not pairs or any(a.shape != b.shape for a, b in pairs):
        return said
    equal = [same(a, b) for a, b in pairs]
    if all(equal):
        return said
    for sentence in (shifted(got, want, same), everywhere(pairs), rows(pairs, same), where(equal)):
        if sentence:
            return [*said, sentence]
    return said


def shifted(got: Frames, want: Frames, same: Same) -> str:
    """`one frame late throughout`: frame i of the stream is frame i - k of the clip, for all of them but the first few."""
    for k in (s * d for d in range(1, FURTHEST + 1) for s in (1, -1)):
        pairs = [(got[i], want[i - k]) for i in range(max(0, k), min(len(got), len(want) + k))]
        if len(pairs) > 2 and all(a.shape == b.shape and same(a, b) for a, b in pairs) and _vary([b for _, b in pairs]):
            count = "one frame" if abs(k) == 1 else f"{abs(k)} frames"
            return f"{count} {'late' if k > 0 else 'early'} throughout"
    return ""


def _vary(frames: Frames) -> bool:
    """Frames that are all the same would fit any shift."""
    return any(not torch.equal(frames[0], frame) for frame in frames[1:])


def everywhere(pairs: list[tuple[Tensor, Tensor]]) -> str:
    """A constant factor, the other sign, zeros, NaN, or an error as large as what a coarser format leaves."""
    got, want = (torch.cat([part[i].flatten().double() for part in pairs]) for i in (0, 1))
    if not bool(torch.isfinite(want).all()):
        return ""
    if bool(got.isnan().all()):
        return "the stream gives NaN throughout"
    if not bool(torch.isfinite(got).all()):
        return ""
    if not bool(got.any()):
        return "the stream gives zeros throughout"
    large = want.abs() > 1e-3 * want.abs().max()
    ratio = got[large] / want[large]
    factor = float(ratio.median())
    if large.any() and abs(factor - 1) > 1e-3 and bool(((ratio - factor).abs() < 1e-6 * abs(factor)).all()):
        return "the sign is turned throughout" if abs(factor + 1) < 1e-6 else f"{factor:.4g} times the clip's throughout"
    off = float((got - want).abs().max() / want.abs().max()) if want.abs().max() > 0 else math.inf
    return coarser(off)


def coarser(off: float) -> str:
    """`off by 2.1e-04 relative: half precision inside?`, for an error of a few roundings in a coarser format."""
    if not 0 < off < 2.0**-5:
        return ""
    name, unit = min(FORMATS, key=lambda known: abs(math.log(off / known[1])))
    near = unit / 8 <= off <= unit * 8
    return f"off by {off:.0e} relative" + (f": {name} inside?" if near else "")


def rows(pairs: list[tuple[Tensor, Tensor]], same: Same) -> str:
    """Rows of the batch that have changed places."""
    count = pairs[0][0].shape[0] if pairs[0][0].dim() > 1 else 1
    for i in range(count):
        for j in range(count):
            if i != j and all(same(a[i], b[j]) and not same(a[i], b[i]) for a, b in pairs):
                return f"row {i} is the clip's row {j}"
    return ""


def where(equal: list[bool]) -> str:
    """`equal after the first 3 frames`, `equal up to frame 36, different ever after`, `every 4th frame from frame 3 on`."""
    wrong = [i for i, is_same in enumerate(equal) if not is_same]
    first, last, count = wrong[0], wrong[-1], len(equal)
    if len(wrong) == count:
        return "different at every frame" if count > 1 else ""
    if wrong == list(range(last + 1)):
        return f"equal after the first {'frame' if last == 0 else f'{last + 1} frames'}"
    if wrong == list(range(first, count)):
        last_frames = count - first
        if last_frames <= count // 3:
            return f"different at the last {'frame' if last_frames == 1 else f'{last_frames} frames'} alone"
        return f"equal up to frame {first - 1}, different ever after"
    gaps = {b - a for a, b in itertools.pairwise(wrong)}
    if len(wrong) > 2 and len(gaps) == 1:
        return f"different at every {gaps.pop()}th frame from frame {first} on"
    return f"different at {len(wrong)} of {count} frames, first at frame {first}"


def told(session: Session, check: str, example: Example, timing: MeasuredTiming) -> list[str]:
    """The words for one comparison, made again on a stream long enough to see what goes on throughout."""
    if session.subject.window is not None or check not in ("values", "long", "chunking", "batch"):
        return []
    longest = session.plan.legal(max(example.length, 3 * session.facts.reach + 5))
    try:
        with in_format(session, example.format) as here, here.weights(example):
            x = here.inputs(longest if example.chunks is None else example.length, example.batch, example.seed)
            trace, output = here.play(x, example.chunks), here.clip(x)
            if output is None:
                return []
            limit = RoundingLimit(here.numbers, here, x, output)
            want = frames_of(here, output)[session.subject.offset :]
            said = in_words(trace.frames, want, limit.holds)
            return said + _advice(here, len(trace.frames), want, timing)
    except (Mismatch, StreamRaised):
        return []


def _advice(session: Session, count: int, want: Frames, timing: MeasuredTiming) -> list[str]:
    """What a stream cannot do, or probably did not mean to."""
    said = []
    if timing.causal is False and (timing.delay or 0) <= 0:
        said.append("the clip is not causal: no stream that answers in time can compute it")
    x = session.inputs(session.plan.legal(1), session.batch, session.seed)
    stream = session.player().stream
    if count > len(want) and hasattr(stream, "step") and session.layout.length(x) == 1:
        output = called(stream.step, session.layout.frame(x, 0), "stream.step")
        if isinstance(output, tuple) and len(output) == 2 and isinstance(output[0], Tensor):
            said.append("step returns (output, state), which counts as two frames: return the output alone")
    return said
