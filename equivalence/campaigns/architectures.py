"""Hypothesis strategies for random architectures, their contents, and schedules: `coequal.strategies`.

    from hypothesis import given, strategies as st
    from coequal import strategies

    @given(strategies.architectures("conv"), st.integers(0, 2**32 - 1))
    def test_mine(architecture, seed):
        clip = strategies.clip(architecture, seed)
        parameters = strategies.weights(architecture.layer, seed)
        expected = architecture.layer(parameters, clip)              # the reference, in NumPy
        regular = strategies.twin(architecture.layer, parameters)    # the torch module with these weights

Structure is drawn, smallest first, and valid by construction; one drawn seed fills the tensors. `hypothesis.event` notes
each operator, so that `pytest --hypothesis-show-statistics` shows what was covered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from coequal.equivalence.campaigns.contents import Architecture, clip, fits, twin, weights
from coequal.equivalence.campaigns.networks import trees
from coequal.proofs.cost import formulas
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import (
    activation,
    adaptive_pool,
    attention,
    channels,
    class_token,
    clip_attention,
    compose,
    conv,
    decoder,
    frame_difference,
    linear,
    non_local,
    norm,
    pad,
    pathways,
    pool,
    position,
    qkv_attention,
    recurrent,
    relational,
    shift,
    squeeze_excite,
    tokens,
    transformer,
)
from coequal.reference.layer import Layer, Shape
from coequal.subjects.listing import modules_of

__all__ = ["OPERATORS", "Architecture", "architectures", "clip", "schedules", "trees", "twin", "weights"]

Draw = Callable[[st.SearchStrategy], Any]
Strategy = Callable[[], st.SearchStrategy[Architecture]]

# operator, as its file in every room is called -> strategy; of those that have none, `operators` makes one
OPERATORS: dict[str, Strategy] = {"compose": trees}
LETTERS = {1: "T", 2: "TW", 3: "THW"}


def strategy(operator: str) -> Callable[[Strategy], Strategy]:
    """Decorator: draws architectures of this operator."""

    def add(drawn: Strategy) -> Strategy:
        OPERATORS[operator] = drawn
        return drawn

    return add


def _axes(draw: Draw, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def _clip_shape(draw: Draw, channels: int, extent: tuple[int, ...]) -> Shape:
    return (draw(st.integers(1, 2)), channels, *extent)


def _extent(draw: Draw, reach: tuple[int, ...], extra: int = 5) -> tuple[int, ...]:
    """Long enough for a window of `reach`, in time a little longer."""
    return tuple(max(3, n) + draw(st.integers(0, extra if i == 0 else 1)) for i, n in enumerate(reach))


@strategy("conv")
@st.composite
def convolutions(draw: Draw) -> Architecture:
    """Kernel, stride, dilation, padding and its mode, groups; 1 to 3 axes."""
    rank = draw(st.integers(1, 3))
    kernel, dilation, stride = _axes(draw, rank, 1, 3), _axes(draw, rank, 1, 2), _axes(draw, rank, 1, 3)
    mode = draw(st.sampled_from(["zeros", "replicate", "reflect"]))
    groups = draw(st.integers(1, 2))
    channels = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 2))
    if draw(st.booleans()):
        groups, channels = channels[0], (channels[0], channels[0])
    layer = conv.Conv(*channels, kernel, stride, _axes(draw, rank, 0, 2), dilation, groups, draw(st.booleans()), mode)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    return Architecture(layer, _clip_shape(draw, channels[0], _extent(draw, reach)))


@strategy("pool")
@st.composite
def pools(draw: Draw) -> Architecture:
    """Average and maximum, all their options, and global pooling over a window."""
    rank = draw(st.integers(1, 3))
    kernel = _axes(draw, rank, 1, 3)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    stride, ceil = _axes(draw, rank, 1, 3), draw(st.booleans())
    kind = draw(st.sampled_from(["average", "maximum", "global average", "global maximum"]))
    layer: Any
    if kind == "average":
        divisor = draw(st.sampled_from([None, 3])) if rank > 1 else None
        layer = pool.AvgPool(kernel, stride, padding, ceil, draw(st.booleans()), divisor)
    elif kind == "maximum":
        layer = pool.MaxPool(kernel, stride, padding, _axes(draw, rank, 1, 2), ceil)
    else:
        cls = adaptive_pool.GlobalAvgPool if kind == "global average" else adaptive_pool.GlobalMaxPool
        layer = cls(rank, draw(st.integers(1, 4)))
    return Architecture(layer, _clip_shape(draw, 2, _extent(draw, (7,) * rank)))


@strategy("pad")
@st.composite
def pads(draw: Draw) -> Architecture:
    """Padding in time and space before a convolution: causal, lop-sided, of any mode."""
    rank = draw(st.integers(1, 2))
    sides = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    mode = draw(st.sampled_from(["constant", "replicate", "reflect"]))
    layers = (pad.Pad(sides, mode, draw(st.sampled_from([0.0, 2.0])) if mode == "constant" else 0.0),
              conv.Conv(2, 2, _axes(draw, rank, 1, 3)))  # fmt: skip
    return Architecture(compose.Sequential(layers), _clip_shape(draw, 2, _extent(draw, (4,) * rank)))


@strategy("norm")
@st.composite
def norms(draw: Draw) -> Architecture:
    """Those that look at one frame: batch norm, layer norm, RMS norm, instance norm with running statistics."""
    size = draw(st.integers(1, 4))
    tokens: list[Layer] = [norm.LayerNorm(size, bias=draw(st.booleans())), norm.RMSNorm(size, 1e-5)]
    channels: list[Layer] = [
        norm.BatchNorm(size, affine=draw(st.booleans())),
        norm.InstanceNorm(size, track_running_stats=True),
    ]
    layer = draw(st.sampled_from(channels + tokens))
    length = draw(st.integers(2, 6))
    return Architecture(layer, (2, length, size) if layer.time == 1 else (2, size, length, 3))


@strategy("activation")
@st.composite
def activations(draw: Draw) -> Architecture:
    """Every elementwise activation of torch.nn."""
    name = draw(st.sampled_from(sorted({*activation.TABLE, "PReLU"})))
    options = (("threshold", 0.5), ("value", -1.0)) if name == "Threshold" else ()
    return Architecture(activation.Activation(name, options), (2, 3, draw(st.integers(1, 5)), 2))


@strategy("linear")
@st.composite
def linears(draw: Draw) -> Architecture:
    """Linear maps and embeddings of tokens."""
    sizes, length = _axes(draw, 2, 1, 4), draw(st.integers(1, 6))
    if draw(st.booleans()):
        return Architecture(linear.Embedding(sizes[0], sizes[1]), (2, length))
    return Architecture(linear.Linear(sizes[0], sizes[1], draw(st.booleans())), (2, length, sizes[0]))


@strategy("recurrent")
@st.composite
def recurrents(draw: Draw) -> Architecture:
    """RNN, LSTM, GRU; layers, bias, projection."""
    sizes, depth, bias = _axes(draw, 2, 1, 3), draw(st.integers(1, 2)), draw(st.booleans())
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    layer: Layer
    if kind == "RNN":
        layer = recurrent.RNN(sizes[0], sizes[1], depth, bias, nonlinearity=draw(st.sampled_from(["tanh", "relu"])))
    elif kind == "LSTM":
        layer = recurrent.LSTM(sizes[0], sizes[1], depth, bias, proj_size=draw(st.integers(0, sizes[1] - 1)))
    else:
        layer = recurrent.GRU(sizes[0], sizes[1], depth, bias)
    return Architecture(layer, (2, draw(st.integers(1, 7)), sizes[0]))


@strategy("attention")
@st.composite
def attentions(draw: Draw) -> Architecture:
    """Causal, sliding, single-output and retroactive attention."""
    heads, window = draw(st.integers(1, 2)), draw(st.integers(1, 4))
    mode = draw(st.sampled_from(["causal", "sliding", "single", "full"]))
    width = heads * draw(st.integers(1, 3))
    kept = None if mode == "causal" else window
    bias, out_bias = draw(st.booleans()), draw(st.sampled_from([None, False, True]))
    layer = attention.MultiheadAttention(width, heads, bias, mode=mode, window=kept, out_bias=out_bias)
    return Architecture(layer, (2, window + draw(st.integers(0, 6)), width), kept if mode == "full" else None)


@strategy("qkv_attention")
@st.composite
def given_attentions(draw: Draw) -> Architecture:
    """Attention of queries, keys and values that something else projects."""
    heads = draw(st.integers(1, 2))
    width = heads * draw(st.integers(1, 3))
    layer = qkv_attention.QKVAttention(width, heads, draw(st.sampled_from(["full", "causal"])))
    return Architecture(layer, (2, draw(st.integers(1, 7)), 3 * width))


@strategy("transformer")
@st.composite
def transformers(draw: Draw) -> Architecture:
    """Encoders of one to three layers, pre- and post-norm."""
    heads, window = draw(st.integers(1, 2)), draw(st.integers(1, 4))
    mode = draw(st.sampled_from(["causal", "sliding", "single", "full"]))
    width, kept = heads * draw(st.integers(1, 2)), None if mode == "causal" else window
    layer = transformer.TransformerEncoderLayer(
        width, heads, draw(st.integers(1, 4)), draw(st.sampled_from(["relu", "gelu"])),
        norm_first=draw(st.booleans()), mode=mode, window=kept,
        attention_bias=draw(st.none() | st.tuples(st.booleans(), st.booleans())),
    )  # fmt: skip
    depth = draw(st.integers(1, 3))
    whole = transformer.TransformerEncoder(layer, depth, draw(st.booleans()))
    return Architecture(whole, (2, window + draw(st.integers(0, 5)), width), kept if mode == "full" else None)


@strategy("class_token")
@st.composite
def class_tokens(draw: Draw) -> Architecture:
    """A token at the end or at the start, alone and read by a layer of attention, of which the first token is told."""
    width = draw(st.integers(1, 4))
    kinds = [class_token.AppendToken(width), class_token.PrependToken(width), class_token.PrependToken(width, learned=False)]
    layer: Layer = draw(st.sampled_from(kinds))
    if draw(st.booleans()):
        layer = compose.Sequential((layer, attention.MultiheadAttention(width, 1)))
    if draw(st.booleans()):
        layer = compose.Sequential((layer, class_token.FirstToken()))
    return Architecture(layer, (draw(st.integers(1, 2)), draw(st.integers(1, 5)), width))


@strategy("tokens")
@st.composite
def tokens_of_clips(draw: Draw) -> Architecture:
    """Linear maps and attention over space, time or all tokens; a class token of each frame."""
    over, heads = draw(st.sampled_from(tokens.OVER)), draw(st.integers(1, 2))
    width = heads * draw(st.integers(1, 2))
    mode = draw(st.sampled_from(["causal", "full"])) if over != "time" else "causal"
    inner: Layer = draw(st.sampled_from([linear.Linear(width, 2), attention.MultiheadAttention(width, heads, mode=mode)]))
    if over == "space" and draw(st.booleans()):
        inner = compose.Sequential((class_token.PrependToken(width), inner, class_token.FirstToken()))
    space = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    return Architecture(tokens.Tokens(inner, over), (draw(st.integers(1, 2)), width, draw(st.integers(2, 5)), *space))


@strategy("decoder")
@st.composite
def decoders(draw: Draw) -> Architecture:
    """One to two layers on one to three queries."""
    heads = draw(st.integers(1, 2))
    width, wide, depth = heads * draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
    queries, classes = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    layer = decoder.QueryDecoder(width, heads, wide, depth, queries, classes, draw(st.sampled_from(["relu", "gelu"])))
    return Architecture(layer, (draw(st.integers(1, 2)), draw(st.integers(1, 4)), width))


@strategy("pathways")
@st.composite
def two_pathways(draw: Draw) -> Architecture:
    """A selection of frames, or two pathways of one to three stages."""
    alpha, channels, length = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (draw(st.integers(1, 2)), channels, alpha * length, draw(st.integers(1, 3)))
    if draw(st.booleans()):
        return Architecture(pathways.SelectFrames(alpha), shape)
    slow: list[Layer] = []
    fast: list[Layer] = []
    lateral: list[Layer] = []
    narrow = wide = channels
    for _ in range(draw(st.integers(0, 2))):
        slow.append(conv.Conv(wide, 2, (1, 1)))
        fast.append(conv.Conv(narrow, 1, (3, 1), padding=(1, 0)))
        lateral.append(conv.Conv(1, 2, (1, 1), (alpha, 1)))
        narrow, wide = 1, 4
    ends = [compose.Sequential((conv.Conv(c, 2, (1, 1)), pool.GlobalAvgPool(2))) for c in (wide, narrow)]
    layer = pathways.Pathways(alpha, (*slow, ends[0]), (*fast, ends[1]), tuple(lateral))
    return Architecture(layer, shape)


@strategy("position")
@st.composite
def positions(draw: Draw) -> Architecture:
    """Sinusoidal, learned, recycling and rotary encodings, and those of a grid."""
    width, length = 2 * draw(st.integers(1, 3)), draw(st.integers(1, 8))
    if draw(st.booleans()):
        space, recycled = tuple(draw(st.lists(st.integers(1, 2), max_size=2))), draw(st.booleans())
        return Architecture(position.GridEncoding(width, 3 if recycled else 8, 4, recycled), (2, width, length, *space))
    layers: list[Layer] = [
        position.SinusoidalEncoding(width, 8),
        position.LearnedEncoding(width, 8),
        position.RecyclingEncoding(width, draw(st.integers(1, 5)), draw(st.booleans())),
        position.RotaryEncoding(width, interleaved=draw(st.booleans())),
    ]
    return Architecture(draw(st.sampled_from(layers)), (2, length, width))


@strategy("squeeze_excite")
@st.composite
def squeezes(draw: Draw) -> Architecture:
    """Gates from a frame, or from the last frames."""
    window = draw(st.sampled_from([None, 1, 2, 4]))
    layer = squeeze_excite.SqueezeExcite(3, 2, "frame" if window is None else "window", window)
    return Architecture(layer, _clip_shape(draw, 3, _extent(draw, (3, 2))))


@strategy("non_local")
@st.composite
def non_locals(draw: Draw) -> Architecture:
    """Of every mode, with keys pooled or not; alone, or in a block between convolutions."""
    inner, mode = draw(st.integers(1, 3)), draw(st.sampled_from(non_local.MODES))
    layer: Layer = non_local.NonLocal(3, inner, mode, draw(st.booleans()))
    if draw(st.booleans()):
        point, time = (1, 1, 1), (3, 1, 1)
        block = compose.Sequential((layer, conv.Conv(layer.output_shape((1, 3, 1, 2, 2))[1], 3, point), norm.BatchNorm(3)))
        before, after = conv.Conv(3, 3, time, 1, (1, 0, 0)), conv.Conv(3, 2, time, 1, (1, 0, 0))
        layer = compose.Sequential((before, compose.Residual(block), after))
    extent = draw(st.integers(1, 3)), draw(st.integers(2, 4)), draw(st.integers(2, 4))
    return Architecture(layer, (draw(st.integers(1, 2)), 3, *extent))


@strategy("frame_difference")
@st.composite
def differences(draw: Draw) -> Architecture:
    """Of the two halves of the channels."""
    count = draw(st.integers(1, 3))
    return Architecture(frame_difference.FrameDifference(count), _clip_shape(draw, 2 * count, _extent(draw, (1, 1))))


@strategy("channels")
@st.composite
def channel_moves(draw: Draw) -> Architecture:
    """Zeros after the channels, or some of the channels."""
    count = draw(st.integers(1, 5))
    start = draw(st.integers(0, count - 1))
    zeros = channels.ZeroChannels(count, count + draw(st.integers(0, 3)))
    layer = draw(st.sampled_from([zeros, channels.SelectChannels(start, draw(st.integers(start + 1, count)))]))
    return Architecture(layer, _clip_shape(draw, count, _extent(draw, (1, 1))))


@strategy("relational")
@st.composite
def relations(draw: Draw) -> Architecture:
    """Of a few heads and features; windows may be longer than the clip, and larger than its frames."""
    heads, features = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    frames, side = (draw(st.sampled_from([1, 3, 5])) for _ in range(2))
    layer = relational.RelationalSelfAttention(heads * features, heads, frames, side)
    return Architecture(layer, _clip_shape(draw, heads * features, _extent(draw, (1, 1, 1))))


@strategy("clip_attention")
@st.composite
def attentions_inside_clips(draw: Draw) -> Architecture:
    """Over space, over time, and over the frames of a window."""
    heads, features = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    over, window = draw(st.sampled_from([("space", None), ("time", None), ("time", 1), ("time", 3)]))
    layer = clip_attention.ClipAttention(heads * features, heads, over, window)
    return Architecture(layer, _clip_shape(draw, heads * features, _extent(draw, (1, 1))))


@strategy("shift")
@st.composite
def shifts(draw: Draw) -> Architecture:
    """Uni- and bidirectional temporal shift."""
    channels = draw(st.integers(4, 8))
    return Architecture(shift.TemporalShift(4, draw(st.booleans())), _clip_shape(draw, channels, _extent(draw, (1, 1))))


def operators() -> dict[str, Strategy]:
    """Of every operator: the strategy that was written for it, or that of its example in small sizes."""
    found = modules_of(formulas, "example")
    return {name: functools.partial(examples, module.example) for name, module in found.items()} | OPERATORS


@st.composite
def examples(draw: Draw, example: Callable[[Scale], tuple[Layer, Shape]]) -> Architecture:
    """The example that stands with an operator's formula, in small sizes."""
    heads = draw(st.integers(1, 2))
    scale = Scale(
        channels=draw(st.integers(1, 8)),
        frames=draw(st.integers(1, 9)),
        side=draw(st.integers(2, 4)),
        tokens=draw(st.integers(1, 6)),
        width=2 * heads * draw(st.integers(1, 2)),
        heads=heads,
        hidden=draw(st.integers(1, 4)),
    )
    layer, shape = example(scale)
    return Architecture(layer, (draw(st.integers(1, 2)), *shape[1:]))


@st.composite
def architectures(draw: Draw, operator: str | None = None) -> Architecture:
    """A random architecture of one operator, or of any; the layer takes clips of the drawn shape."""
    known = operators()
    name = draw(st.sampled_from(sorted(known))) if operator is None else operator
    drawn = draw(known[name]().filter(fits))
    event(f"operator: {type(drawn.layer).__name__}")
    return drawn


@st.composite
def schedules(draw: Draw, length: int, largest: int | None = None) -> tuple[int, ...]:
    """Chunk sizes that add up to `length`."""
    chunks: list[int] = []
    while sum(chunks) < length:
        left = length - sum(chunks)
        chunks.append(draw(st.integers(1, left if largest is None else min(left, largest))))
    return tuple(chunks)
