"""Draws docs/systems/*.svg: what a step of a published network computes anew, row by row, and what it keeps from before.

python -P docs/diagrams.py      rewrites the figures: of each family, a network for each verdict, that of the fewest rows

Time runs to the right, the network upwards. A row has the frames that come out of an operator that looks at other frames
than its own; operators that do not are part of the row below. All is read off the timings (`reference/timing.py`):

    a stream    a step computes one frame of each row, as late as its padding says, out of those that the operator above
                reads: one is new, the others are kept; with strides, it is a step at which every row has a frame
    no stream   a new frame changes those that saw padding in its place; from the operator on that needs the whole clip, all

Of branches side by side the one that sees most is drawn; what the others need of the frames below is kept, too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from pathlib import Path

from coequal.cli.systems import entry, scaled
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.layer import Layer, Shape
from coequal.reference.pathways import Pathways
from coequal.reference.timing import Timing
from coequal.reference.transformer import TransformerEncoder
from coequal.systems.catalogue import families, networks_of
from coequal.systems.streamability import KINDS, streamability
from coequal.systems.system import System

FOLDER = Path(__file__).resolve().parent / "systems"


@dataclass(frozen=True)
class Operation:
    """An operator over time: frames that go in and come out for the published clip, those before the newest that it reads.

    `timing` is None for one that needs all of them; `all` says that it has all its outputs anew in every step.
    """

    label: str
    timing: Timing | None
    reads: float
    taken: int
    given: int
    all: bool = False


@dataclass(frozen=True)
class Row:
    """Frames of one place: where the newest ends and how long each is, in frames of the clip; how many are new and kept."""

    label: str
    end: float
    each: float
    new: int
    kept: float


# -- what is drawn -----------------------------------------------------------------------------------------------------


def drawn_families() -> list[str]:
    """The files that list networks."""
    return [family for family in families() if networks_of(family)]


@functools.cache
def pictured(family: str) -> dict[str, System]:
    """A network for each verdict of a family: of the fewest operators over time, a stream's original before others."""
    chosen: dict[str, System] = {}
    of: dict[str, list[System]] = {}
    for system in networks_of(family):
        of.setdefault(streamability(system.layer, system.shape).kind, []).append(system)
    for kind in KINDS:
        originals = {system.original for system in chosen.values()}
        ranked = sorted(of.get(kind, ()), key=lambda s: (s.name not in originals, len(spine(s.layer, s.shape))))
        chosen |= {kind: ranked[0]} if ranked else {}
    return chosen


def spine(layer: Layer, shape: Shape) -> list[Operation]:
    """The operators over time of a tree, one after the other; `shape` is what it gets of the published clip."""
    if isinstance(layer, Sequential):
        return list(_in_turn(layer.layers, shape))
    if isinstance(layer, (Parallel, Residual)):
        return _side_by_side(layer, shape)
    if isinstance(layer, Pathways):
        return _pathways(layer, shape)
    if isinstance(layer, TransformerEncoder):
        return _encoder(layer, shape)
    return _operation(layer, shape)


def _in_turn(layers: tuple[Layer, ...], shape: Shape) -> Iterator[Operation]:
    for layer in layers:
        yield from spine(layer, shape)
        shape = layer.output_shape(shape)


def _operation(layer: Layer, shape: Shape) -> list[Operation]:
    timing = layer.timing
    if timing == Timing():
        return []
    reads = math.inf if timing is None else timing.receptive_field - 1
    return [Operation(label(layer), timing, reads, frames(layer, shape), frames(layer, layer.output_shape(shape)))]


def _side_by_side(layer: Parallel | Residual, shape: Shape) -> list[Operation]:
    """The branch that sees most; its input is kept for the others, which are combined with what comes out of it."""
    spines = {name: spine(branch, shape) for name, branch in layer.branches.items()}
    seen = {
        name: (branch.timing is None, branch.timing.receptive_field if branch.timing else 0, len(spines[name]))
        for name, branch in layer.branches.items()
    }
    chosen = max(seen, key=lambda name: seen[name])
    operations = spines[chosen]
    if not operations:
        return []
    if layer.timing is None:
        given = frames(layer, layer.output_shape(shape))
        return [*operations, Operation(layer.reduce, None, math.inf, operations[-1].given, given)]
    others = [branch.timing for name, branch in layer.branches.items() if name != chosen and branch.timing is not None]
    back = max((layer.timing.delay + other.pad_start for other in others), default=0)
    return [replace(operations[0], reads=max(operations[0].reads, back)), *operations[1:]]


def _pathways(layer: Pathways, shape: Shape) -> list[Operation]:
    """The fast pathway as far as it streams, then the selection of frames, then the slow pathway, all anew."""
    fast = [operation for operation in _in_turn(layer.fast, shape) if operation.timing is not None]
    selected = layer.select.output_shape(shape)
    slow = [Operation("SelectFrames", None, math.inf, frames(layer, shape), frames(layer, selected))]
    for stage in layer.slow[:-1]:
        slow += _stages(stage, frames(layer, selected))
    return [*fast, *slow, Operation("GlobalAvgPool", None, math.inf, frames(layer, selected), 1)]


def _stages(stage: Layer, length: int) -> Iterator[Operation]:
    """A stage of the slow pathway, whose stride in time is 1."""
    if isinstance(stage, (Sequential, Parallel, Residual)):
        inside = stage.layers if isinstance(stage, (Sequential, Parallel)) else tuple(stage.branches.values())
        for layer in inside:
            yield from _stages(layer, length)
    elif stage.timing is not None and stage.timing.receptive_field > 1:
        yield Operation(label(stage), stage.timing, stage.timing.receptive_field - 1, length, length)


def _encoder(layer: TransformerEncoder, shape: Shape) -> list[Operation]:
    """Layer by layer. In mode "single" all but the last have every output of the window anew."""
    length, window = shape[1], layer.layer.window
    each = [Operation(label(layer.layer), layer.layer.timing, math.inf, length, length)] * layer.num_layers
    if layer.layer.mode != "single":
        reads = math.inf if layer.layer.timing is None else layer.layer.timing.receptive_field - 1
        return [replace(operation, reads=reads) for operation in each]
    assert window is not None
    inner = replace(each[0], timing=Timing(), reads=window - 1, given=window, all=True)
    last = replace(each[0], timing=layer.timing, reads=window - 1, taken=window, given=1)
    return [*[inner] * (layer.num_layers - 1), last]


def frames(layer: Layer, shape: Shape) -> int:
    """How many there are in a clip of a shape."""
    return shape[2 if layer.time is None else layer.time]


def label(layer: Layer) -> str:
    """The class and how it looks: kernel and stride, window."""
    words = [type(layer).__name__]
    kernel, stride = getattr(layer, "kernel_size", None), getattr(layer, "stride", None)
    if isinstance(kernel, tuple):
        words.append("×".join(map(str, kernel)))
    if isinstance(stride, tuple) and stride[0] > 1:
        words.append(f"/{stride[0]}")
    window = getattr(layer, "window", None)
    if isinstance(window, int):
        words.append(f"of {window}")
    return " ".join(words)


def rows(system: System) -> list[Row]:
    """From the frames of the clip upwards."""
    operations = spine(system.layer, system.shape)
    if system.layer.timing is not None:
        return _streaming(operations)
    return _shortened(_refuted(operations, frames(system.layer, system.shape)))


def _streaming(operations: list[Operation]) -> list[Row]:
    timing, found = Timing(), list[Row]()
    for operation, above in zip([None, *operations], [*operations, None], strict=True):
        new = operation.given if operation is not None and operation.all else 1
        if operation is not None:
            assert operation.timing is not None
            timing = timing.then(operation.timing)
        kept = 0 if above is None or new > 1 else above.reads
        found.append(Row(operation.label if operation else "frames", -timing.pad_end, timing.stride, new, kept))
    return found


def _refuted(operations: list[Operation], length: int) -> list[Row]:
    """Of a clip of `length` frames, the newest of which has just come."""
    timing: Timing | None = Timing()
    found = [Row("frames", 0, 1, 1, length - 1)]
    for operation in operations:
        timing = None if timing is None or operation.timing is None else timing.then(operation.timing)
        count = max(1, operation.given)
        new = count if timing is None else min(count, timing.pad_end // timing.stride + 1)
        found.append(Row(operation.label, 0, length / count, new, count - new))
    return found


def _shortened(found: list[Row]) -> list[Row]:
    """With the first of the rows that are anew, and the last: those between are like them."""
    first = next(i for i, row in enumerate(found) if not row.kept) + SHOWN
    more = len(found) - first - 1
    if more < 2:
        return found
    return [*found[:first], replace(found[first], label=f"{more} more", new=0), found[-1]]


# -- the figure --------------------------------------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 210, 30, 74, 116
SHOWN = 5  # rows of those that are all anew
SPAN = 12  # frames that are drawn at least
TALL = 560  # of all rows, unless they get too low or too high
LOW, HIGH = 10.0, 34.0
GAP = 0.42  # of a row: where its inputs come from


def drawn(system: System) -> str:
    """The SVG."""
    found, listed = rows(system), entry(system)
    shown = (row.each * (row.new + (1 if math.isinf(row.kept) else row.kept)) - row.end for row in found)
    span = max(*shown, SPAN if listed.verdict.streams else frames(system.layer, system.shape))
    pitch = min(HIGH, max(LOW, TALL / len(found)))
    frame = (WIDTH - LEFT - RIGHT) / span
    bottom = TOP + pitch * len(found)

    def across(t: float) -> float:
        return WIDTH - RIGHT + frame * t

    parts = list[str]()
    for i, row in enumerate(found):
        y, tall = bottom - pitch * (i + 1), pitch * (1 - GAP)
        low, new, end = across(row.end - row.each * (row.new + min(row.kept, span))), row.each * row.new, across(row.end)
        start = across(row.end - new)
        low = max(low, LEFT)
        if i + 1 < len(found):
            above = found[i + 1]
            top = across(above.end - above.each * above.new), across(above.end)
            parts.append(_polygon(low, end, *top, y, y - pitch * GAP))
        parts.append(_rect("past" if row.new else "more", LEFT, end, y, tall))
        parts += _cells("kept", low, start, row.each * frame, y, tall)
        parts += _cells("new", start, end, row.each * frame, y, tall)
    parts += _labels(found, bottom, pitch)
    parts += _delay(found[-1].end, across, TOP)
    verdict, title = str(listed.verdict), f"{system.name}: {listed.verdict}"
    parts.append(f'<text class="title" x="20" y="28">{escape(system.name)}</text>')
    parts.append(f'<text class="verdict" x="{WIDTH - RIGHT}" y="28">{escape(verdict)}</text>')
    parts.append(f'<text class="label" x="{WIDTH - RIGHT}" y="{bottom + 14:.1f}">newest frame ▲</text>')
    parts += _legend(bottom + 46, listed.verdict.streams)
    parts += _bar(listed.clip, listed.step, bottom + 70)
    return TEMPLATE.format(width=WIDTH, height=f"{bottom + BOTTOM:.0f}", title=escape(title), parts="\n".join(parts))


def _rect(kind: str, x1: float, x2: float, y: float, tall: float) -> str:
    return f'<rect class="{kind}" x="{x1:.1f}" y="{y:.1f}" width="{max(0.0, x2 - x1):.1f}" height="{tall:.1f}"/>'


def _cells(kind: str, x1: float, x2: float, each: float, y: float, tall: float) -> Iterator[str]:
    """One by one, from the newest back, unless they are too narrow to tell apart."""
    if each < 4:
        if x2 > x1:
            yield _rect(kind, x1, x2, y, tall)
        return
    while x2 > x1 + 0.5:
        yield _rect(kind, max(x1, x2 - each) + 0.6, x2 - 0.6, y, tall)
        x2 -= each


def _polygon(a: float, b: float, c: float, d: float, y: float, above: float) -> str:
    return f'<polygon points="{a:.1f},{y:.1f} {b:.1f},{y:.1f} {d:.1f},{above:.1f} {c:.1f},{above:.1f}"/>'


def _labels(found: list[Row], bottom: float, pitch: float) -> Iterator[str]:
    """Of rows that are alike, one after the other, one: with a bracket and how many they are."""
    i = 0
    for text, group in groupby(row.label for row in found):
        many = len(list(group))
        y1, y2 = bottom - pitch * (i + many) + 1, bottom - pitch * (i + GAP) - 1
        said, size = f"{many} × {text}" if many > 1 else text, min(13.0, pitch * 0.95)
        yield f'<text class="label" font-size="{size:.1f}" x="{LEFT - 16}" y="{(y1 + y2) / 2 + 4:.1f}">{escape(said)}</text>'
        if many > 1:
            yield f'<path d="M{LEFT - 5},{y1:.1f} h-5 V{y2:.1f} h5"/>'
        i += many


def _delay(end: float, across: Callable[[float], float], y: float) -> Iterator[str]:
    """Between what the stream says and the newest frame."""
    if end < 0:
        a, b = across(end), across(0)
        yield f'<path class="delay" d="M{a:.1f},{y - 14} H{b:.1f} M{a:.1f},{y - 20} v12 M{b:.1f},{y - 20} v12"/>'
        yield f'<text x="{(a + b) / 2:.1f}" y="{y - 20}">{-end:.0f} frames late</text>'


LEGEND = (("new", "computed in this step"), ("kept", "kept from steps before"), ("past", "no longer needed"))


def _legend(y: float, streams: bool) -> Iterator[str]:
    x = LEFT
    for kind, text in LEGEND if streams else LEGEND[:2]:
        yield _rect(kind, x, x + 14, y - 11, 14)
        yield f'<text class="note" x="{x + 20}" y="{y}">{text}</text>'
        x += 210


def _bar(clip: int, step: float | None, y: float) -> Iterator[str]:
    """A step's multiply-adds of a clip's."""
    full, share = WIDTH - RIGHT - LEFT, 1.0 if step is None else step / clip
    yield f'<text class="label" x="{LEFT - 16}" y="{y + 11}">multiply-adds</text>'
    yield _rect("kept", LEFT, LEFT + full, y, 14)
    yield _rect("new", LEFT, LEFT + full * share, y, 14)
    said = (
        f"a step {scaled(step)}, the clip anew {scaled(clip)}"
        if step is not None
        else f"no stream: {scaled(clip)} for every clip"
    )
    yield f'<text class="note" x="{LEFT}" y="{y + 30}">{said}</text>'


TEMPLATE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>{title}</title>
<style>
svg {{ background: #fff }} text {{ text-anchor: middle; fill: #444 }} .note {{ text-anchor: start }}
.label, .verdict {{ text-anchor: end }} .title {{ text-anchor: start; font-size: 17px; font-weight: bold; fill: #111 }}
.verdict {{ font-size: 15px; fill: #111 }} .new {{ fill: #e8590c }} .kept {{ fill: #5c9be0 }} .past {{ fill: #e6eaf0 }}
.more {{ fill: #e8590c; opacity: .35 }}
polygon {{ fill: #5c9be0; opacity: .28 }} path {{ fill: none; stroke: #8795a8 }}
.delay {{ stroke: #e8590c; stroke-width: 1.6 }}
@media (prefers-color-scheme: dark) {{ svg {{ background: #14171c }} text {{ fill: #b9c3cf }}
.title, .verdict {{ fill: #f2f5f8 }} .past {{ fill: #262c35 }} }}
</style>
{parts}
</svg>
"""


def figures_of(family: str) -> dict[Path, System]:
    """Where the networks of a family are drawn."""
    return {FOLDER / f"{family}-{kind.replace(' ', '-')}.svg": system for kind, system in pictured(family).items()}


def figures() -> dict[Path, System]:
    """Where each network is drawn."""
    return {path: system for family in drawn_families() for path, system in figures_of(family).items()}


def main() -> None:
    """Writes the figures."""
    FOLDER.mkdir(exist_ok=True)
    for path, system in figures().items():
        path.write_text(drawn(system))


if __name__ == "__main__":
    main()
