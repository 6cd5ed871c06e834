"""Does a network stream, and how? Read off the timings of its operators; one that does not stream has a counterexample.

    streams exactly     it has the newest output of a clip as soon as the clip's last frame is there
    with a delay        it has that output D frames later: where the clip has padding, the stream waits for frames
    at a phase          a stride of S in time: outputs at one frame of S alone, D frames later
    last output only    of the outputs of a window, attention of mode "single" has the newest
    not exactly         an operator looks at the whole clip, however long

The clip is the whole stream so far, padded once at its start and end. The delay `D` is the padding at its end: so many
frames of the future the newest output of a clip would see. An output that sees N frames and no padding, as behind a mean
over the last N frames, stands for the newest of them: that the first output takes N frames is warm-up. (`Timing.delay`
counts from the oldest frame, so that it has both.)

Whatever its delay, a stream is refuted by two clips that differ in their last frame alone: if the closest variant that
streams has output 0 after frame W, clips of W + 2 frames are the shortest with a frame that came too late for output 0, and
output 0 changes. `make catalogue` proves every network that streams; `tests/systems/test_streamability.py` proves one for
each mechanism, and refutes every network that does not stream.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from coequal.reference.adaptive_kernel import AdaptiveKernel
from coequal.reference.attention import MultiheadAttention
from coequal.reference.channels import SelectChannels
from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer, Shape
from coequal.reference.pathways import Pathways, joined_shape
from coequal.reference.pool import GlobalAvgPool, GlobalMaxPool, MaxPool
from coequal.reference.position import GridEncoding, LearnedEncoding, RecyclingEncoding, SinusoidalEncoding
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.skeleton import AdaptiveJointMixing
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.reference.timing import Timing
from coequal.reference.tokens import Tokens, split
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

KINDS = EXACTLY, DELAYED, PHASED, LAST, NOT = (
    "streams exactly",
    "with a delay",
    "at a phase",
    "last output only",
    "not exactly",
)


LONGEST = 256  # frames more than a stream waits for, of clips that are tried


@dataclass(frozen=True)
class Counterexample:
    """Clips of `length` frames that differ in `frame` alone, and all the same in `output`; the operator that is to blame."""

    path: str
    operator: str
    length: int
    output: int = 0

    @property
    def frame(self) -> int:
        """The last one."""
        return self.length - 1

    def __str__(self) -> str:
        return f"clips of {self.length} frames: output {self.output} changes with frame {self.frame}"


@dataclass(frozen=True)
class Variant:
    """The closest network that streams: `changes` say what is another operator than in the original."""

    layer: Layer
    changes: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.changes)


@dataclass(frozen=True)
class Streamability:
    """A verdict of KINDS. In frames, None without a stream: delay, phase, and those before the first output (`warm_up`)."""

    kind: str
    delay: int | None = None
    phase: int | None = None
    warm_up: int | None = None
    counterexample: Counterexample | None = None
    variant: Variant | None = None

    @property
    def streams(self) -> bool:
        """Whether any stream has its outputs."""
        return self.kind != NOT

    def __str__(self) -> str:
        return f"{self.kind} of {self.phase}" if self.kind == PHASED else self.kind


def streamability(layer: Layer, shape: Shape) -> Streamability:
    """The verdict on a network that was published with clips of `shape`."""
    timing = layer.timing
    if timing is None:
        closest = variant(layer, shape)
        return Streamability(NOT, counterexample=counterexample(layer, shape, closest), variant=closest)
    if any(_mode(operator) == "single" for _, operator in operators(layer)):
        kind = LAST
    elif timing.stride > 1:
        kind = PHASED
    else:
        kind = DELAYED if timing.pad_end > 0 else EXACTLY
    return Streamability(kind, max(0, timing.pad_end), timing.stride, timing.delay)


def operators(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """What a tree is made of, with its path: all but the containers of `reference/compose.py`, and layers over time."""
    if isinstance(layer, Sequential):
        inside = {str(i): child for i, child in enumerate(layer.layers)}
    elif isinstance(layer, (Parallel, Residual)):
        inside = layer.branches
    elif isinstance(layer, Tokens) and layer.over == "time":
        inside = {"inner": layer.inner}
    else:
        yield path, layer
        return
    for name, child in inside.items():
        yield from operators(child, f"{path}.{name}" if path else name)


def counterexample(layer: Layer, shape: Shape, closest: Variant | None) -> Counterexample:
    """The shortest clips that refute a stream as fast as the closest variant, or as the operators that do stream.

    The latter where there is no variant, or one whose output 0 is not that of the network. Of a network that takes no clip
    of such a length it is the published one.
    """
    path, guilty = next((path, operator) for path, operator in operators(layer) if operator.timing is None)
    if closest is None or closest.layer.output_shape(shape) != layer.output_shape(shape):
        stream = _rebuilt(layer, shape, lambda operator, _: Identity() if operator.timing is None else operator)
    else:
        stream = closest.layer
    delay: int = stream.timing.delay  # pyright: ignore[reportOptionalMemberAccess]
    before = _before(layer, path)
    lengths = [n for n in range(delay + 2, delay + LONGEST) if _reaches(before, n)]
    if closest is None:  # strides may leave frames out, but none where all of them begin
        stride: int = stream.timing.stride  # pyright: ignore[reportOptionalMemberAccess]
        lengths = [n for n in lengths if (n - 1) % stride == 0] or lengths
    taken = (n for n in lengths if takes(layer, lasting(layer, shape, n)))
    return Counterexample(path, type(guilty).__name__, next(taken, shape[layer.time or 2]))


def _before(layer: Layer, path: str) -> Timing:
    """The timing of all layers before the operator at a path."""
    timing, places = Timing(), path.split(".") if path else []
    while places:
        place = places.pop(0)
        if isinstance(layer, Sequential):
            for earlier in layer.layers[: int(place)]:
                timing = timing.then(earlier.timing)  # type: ignore[arg-type]
            layer = layer.layers[int(place)]
        elif isinstance(layer, (Parallel, Residual)):
            layer = layer.branches[place]
        else:
            layer = layer.inner  # type: ignore[attr-defined]
    return timing


def _reaches(before: Timing, length: int) -> bool:
    """Whether the last of so many frames is seen: strides without padding may leave it out."""
    last = (before.output_length(length) - 1) * before.stride
    return last - before.pad_start + before.receptive_field >= length


def _rebuilt(layer: Layer, shape: Shape, change: Callable[[Layer, Shape], Layer]) -> Any:
    """The tree with every operator changed; it is told the shape of the clip that it gets."""
    if isinstance(layer, Sequential):
        children, known = [], dict[tuple[int, Shape], tuple[Any, Shape]]()  # a block is often many times in a network
        for child in layer.layers:
            if (seen := (id(child), shape)) not in known:
                rebuilt = _rebuilt(child, shape, change)
                left_out = isinstance(child, PrependToken) and isinstance(rebuilt, Identity)
                known[seen] = rebuilt, shape if left_out else child.output_shape(shape)
            rebuilt, shape = known[seen]
            children.append(rebuilt)
        return Sequential(tuple(children))
    if isinstance(layer, Tokens) and layer.over == "time":
        return dataclasses.replace(layer, inner=_rebuilt(layer.inner, split("time", shape), change))
    if isinstance(layer, (Parallel, Residual)):
        branches = {
            name: _rebuilt(branch, lasting(layer, shape, 1) if _summing_up(branch, shape) else shape, change)
            for name, branch in layer.branches.items()
        }
        if isinstance(layer, Parallel):
            return dataclasses.replace(layer, layers=tuple(branches.values()))
        return dataclasses.replace(layer, main=branches["main"], shortcut=layer.shortcut and branches["shortcut"])
    return change(layer, shape)


def _summing_up(branch: Layer, shape: Shape) -> bool:
    """Whether it gives one frame for the whole clip: beside frames, that is one for each of them."""
    return branch.timing is None and branch.time is not None and branch.output_shape(shape)[branch.time] == 1


def lasting(layer: Layer, shape: Shape, length: int) -> Shape:
    """The shape with so many frames."""
    assert layer.time is not None
    return (*shape[: layer.time], length, *shape[layer.time + 1 :])


def takes(layer: Layer, shape: Shape) -> bool:
    """Whether a network gives anything for clips of a shape."""
    try:
        return min(layer.output_shape(shape)) > 0
    except ValueError:
        return False


def _mode(operator: Layer) -> str | None:
    """Of attention, in an encoder or by itself."""
    return getattr(getattr(operator, "layer", operator), "mode", None)


# -- the closest variant that streams ----------------------------------------------------------------------------------


def variant(layer: Layer, shape: Shape) -> Variant | None:
    """The network with another operator, from SUBSTITUTES, for each one that no stream can have; None where one has none."""
    changes: dict[str, None] = {}

    def change(operator: Layer, shape: Shape) -> Layer:
        if _endless(operator):
            return operator
        changed, words = SUBSTITUTES[type(operator)](operator, shape)
        changes[words] = None
        return changed

    try:
        changed = _rebuilt(layer, shape, change)
        changed.output_shape(shape)
    except (KeyError, ValueError):
        return None
    return Variant(changed, tuple(changes))


def _endless(operator: Layer) -> bool:
    """Whether a stream of it may be as long as one likes: it does not need the whole clip, nor runs out of positions."""
    return operator.timing is not None and getattr(operator, "longest", None) is None


Substitute = tuple[Layer, str]  # and what it does otherwise
Stage = tuple[Any, Shape]  # all layers up to there, and what comes out of them


def _gated(layer: SqueezeExcite, shape: Shape) -> Substitute:
    return dataclasses.replace(layer, scope="frame"), "gates frame by frame"


def _pooled(layer: Any, shape: Shape) -> Substitute:
    """Over as many frames as the clip has; beside frames, where one mean is for all of them, over each frame."""
    frames = shape[layer.time]
    return dataclasses.replace(layer, window=frames), f"{layer.reduce} {'of each frame' if frames == 1 else 'that slides'}"


def _edges_of_frames(layer: AdaptiveJointMixing, shape: Shape) -> Substitute:
    return dataclasses.replace(layer, scope="frame"), "edges of each frame"


def _looking_back(layer: ClipAttention, shape: Shape) -> Substitute:
    """To as many frames as the clip has."""
    return dataclasses.replace(layer, window=shape[2]), "attends to frames before"


def _newest(layer: TransformerEncoderLayer, shape: Shape) -> Substitute:
    return dataclasses.replace(layer, mode="single", window=shape[1]), "newest output"


def _newest_of_encoder(layer: TransformerEncoder, shape: Shape) -> Substitute:
    last = dataclasses.replace(layer.layer, mode="single", window=shape[1])
    return dataclasses.replace(layer, layer=last), "newest output"


def _causal(layer: Any, shape: Shape) -> Substitute:
    return dataclasses.replace(layer, mode="causal"), "causal attention"


def _newest_token(layer: Layer, shape: Shape) -> Substitute:
    """The newest token sees as much of a window as a class token does."""
    return Identity(layer.time), "newest token for class token"


def _grid_in_turn(layer: GridEncoding, shape: Shape) -> Substitute:
    return dataclasses.replace(layer, recycled=True), "recycled positions"


def _in_turn(layer: Any, shape: Shape) -> Substitute:
    """With as many rows as tell distances within a window apart (`reference/position.py`)."""
    return RecyclingEncoding(layer.embed_dim, 2 * shape[1] - 1, isinstance(layer, LearnedEncoding)), "recycled positions"


def _thinned(layer: Pathways, shape: Shape) -> Substitute:
    """Frames 0, alpha, 2 alpha ... are slow. A tree has no shared parts: a fast stage stands wherever it is heard."""
    thin = MaxPool((1, 1, 1), (layer.alpha, 1, 1))
    stages = {"select": layer.select, **layer.children}

    def windowed(operator: Layer, shape: Shape) -> Layer:
        return operator if _endless(operator) else SUBSTITUTES[type(operator)](operator, shape)[0]

    def stage(name: str, before: Stage) -> Stage:
        tree, seen = before
        here = thin if name == "select" else _rebuilt(stages[name], seen, windowed)
        return Sequential((*tree.layers, here)), stages[name].output_shape(seen)

    def join(a: Stage, b: Stage) -> Stage:
        beside = b[0] if b[0].timing.stride == layer.alpha else Sequential((*b[0].layers, thin))
        return Sequential((Parallel((a[0], beside), "concatenate"),)), joined_shape(a[1], b[1])

    return layer.run(stage, join, (Sequential(()), shape))[0], "uniform slow frames, means that slide"


def _one_kernel(layer: AdaptiveKernel, shape: Shape) -> Substitute:
    """A convolution over time, of the half that is convolved."""
    padding, channels = (layer.taps // 2, *[0] * (len(shape) - 3)), layer.channels
    kernel = (layer.taps, *[1] * (len(shape) - 3))
    conv = Conv(channels, channels, kernel, padding=padding, groups=channels, bias=False)
    return Sequential((SelectChannels(0, channels), conv)), "one kernel for all clips"


SUBSTITUTES: dict[type, Callable[[Any, Shape], Substitute]] = {
    Pathways: _thinned,
    AdaptiveKernel: _one_kernel,
    AdaptiveJointMixing: _edges_of_frames,
    ClipAttention: _looking_back,
    SqueezeExcite: _gated,
    GlobalAvgPool: _pooled,
    GlobalMaxPool: _pooled,
    TransformerEncoderLayer: _newest,
    TransformerEncoder: _newest_of_encoder,
    LearnedEncoding: _in_turn,
    GridEncoding: _grid_in_turn,
    MultiheadAttention: _causal,
    QKVAttention: _causal,
    PrependToken: _newest_token,
    FirstToken: _newest_token,
    SinusoidalEncoding: _in_turn,
}
