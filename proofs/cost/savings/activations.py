"""Memory of activations: the numbers that are held at once, in clip mode and for a frame; no parameters, no state.

operator      its input and its output
in sequence   one after the other, each of which frees its input
shortcut      what branches start from stays until the last of them has had it, and their outputs until the sum
attention     tokens, keys and values of all, queries and scores of those that are returned
views         the tokens of all of them, while one is worked on
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coequal.proofs.cost.algebra.counts import Size
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas import multiview, pooling_attention
from coequal.proofs.cost.formulas.compose import SideBySide
from coequal.proofs.cost.formulas.dispatch import Sizes, endless, output_shape, parts, time_axis
from coequal.reference.attention import MultiheadAttention
from coequal.reference.compose import Identity
from coequal.reference.decoder import QueryDecoder
from coequal.reference.layer import Layer
from coequal.reference.multiview import MultiviewEncoder
from coequal.reference.pathways import Pathways
from coequal.reference.pooling_attention import PoolingEncoder
from coequal.reference.tokens import Tokens, split
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer

# numbers held besides; what runs, None: a sum of what is held; its input; whether somebody needs the input afterwards
Moment = tuple[Size, Layer | None, Sizes, bool]
Measure = Callable[[Sizes], Size]  # numbers in a clip; in one frame of it


def peak_activation(layer: Layer, shape: Sizes, keep: bool = False) -> Size:
    """Numbers held at once in clip mode; `keep`: the clip is needed afterwards, and held all the time."""
    return _peak(layer, shape, keep, numel)


def _peak(layer: Layer, shape: Sizes, keep: bool, size: Measure) -> Size:
    if size is not numel and (window := _of_window(layer)):
        return _peak(layer, (shape[0], window, shape[2]), keep, numel)
    if isinstance(layer, Tokens):
        return _of_tokens(layer, shape, keep, size)
    moments = MOMENTS.get(type(layer), _in_sequence)(layer, shape, keep, size)
    inside = [held if at is None else held + _peak(at, clip, kept, size) for held, at, clip, kept in moments]
    return largest(inside) if inside else _running(layer, shape, size)


def _running(layer: Layer, shape: Sizes, size: Measure) -> Size:
    """An operator."""
    if isinstance(layer, MultiheadAttention):
        batch, length, features = shape
        seen = length if size is numel else layer.window or length
        return 3 * size(shape) + size(output_shape(layer, shape)) + layer.num_heads * seen * size(scores(layer, shape))
    if isinstance(layer, QueryDecoder):
        batch, length, features = shape
        return batch * (3 * length * features + layer.queries * (2 * features + layer.nhead * length))
    return size(shape) + size(output_shape(layer, shape))


def _of_tokens(layer: Tokens, shape: Sizes, keep: bool, size: Measure) -> Size:
    """The inner layer, on all tokens or, in a step, on those of a frame."""
    if size is numel:
        return _peak(layer.inner, split(layer.over, shape), keep, numel)
    if layer.over == "space":
        return _peak(layer.inner, split("space", (*shape[:2], 1, *shape[3:])), keep, numel)
    return _peak(layer.inner, split(layer.over, shape), keep, lambda sizes: numel((sizes[0], *sizes[2:])))


def scores(layer: MultiheadAttention, shape: Sizes) -> Sizes:
    """Queries of one head: each has a score for every key."""
    return (*output_shape(layer, shape)[:2], 1)


def _in_sequence(layer: Layer, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    for i, part in enumerate(parts(layer, shape)):
        yield (size(shape) if keep and i else 0), part.layer, part.shape, keep and not i


def _side_by_side(layer: SideBySide, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    """One branch after the other; the output of a plain shortcut is the input itself."""
    branches = [child for child in layer.branches.values() if not isinstance(child, Identity)]
    keep, waiting = keep or len(branches) < len(layer.branches), 0
    for i, child in enumerate(branches, 1):
        yield waiting, child, shape, keep or i < len(branches)
        waiting += size(output_shape(child, shape))
    yield waiting + size(output_shape(layer, shape)) + (size(shape) if keep else 0), None, shape, keep


def _pathways(layer: Pathways, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    """Each pathway waits while the other one runs."""
    found = {part.name: part for part in parts(layer, shape)}
    outputs = {name: size(output_shape(part.layer, part.shape)) for name, part in found.items()}
    yield 0, layer.select, shape, True
    for i in range(len(layer.slow)):
        slow, fast = found[f"slow.{i}"], found[f"fast.{i}"]
        clip = size(shape) if keep and i else 0
        yield clip + size(fast.shape), slow.layer, slow.shape, False
        yield clip + outputs[slow.name], fast.layer, fast.shape, keep and not i
        clip = size(shape) if keep else 0
        joined = outputs[slow.name] + outputs.get(f"lateral.{i}", outputs[fast.name])
        if i < len(layer.lateral):
            lateral = found[f"lateral.{i}"]
            yield clip + outputs[slow.name], lateral.layer, lateral.shape, True
            yield clip + 2 * joined + outputs[fast.name], None, shape, keep
        else:
            yield clip + 2 * joined, None, shape, keep


def _block(layer: TransformerEncoderLayer, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    """Attention and perceptron, around each of which the tokens wait for the sum."""
    tokens, rows = size(shape), size(output_shape(layer, shape))
    first = layer.norm_first
    waiting = {"self_attn": tokens * first, "linear1": rows * first, "activation": rows, "linear2": rows}
    starts = "norm1" if first else "self_attn"
    for part in parts(layer, shape):
        clip = tokens if keep and part.name not in (starts, *(("self_attn",) if first else ())) else 0
        yield clip + waiting.get(part.name, 0), part.layer, part.shape, False
    yield 3 * rows + (tokens if keep else 0), None, shape, keep


def _pooling(layer: PoolingEncoder, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    """Projections, attention and perceptron of each block, around which the tokens wait for the sum."""
    clip = size(shape) if keep else 0
    for _, block, grid in pooling_attention.walk(layer, shape):
        queries, keys = (1 + product(pooling_attention.pooled(block, name, grid)) for name in "qk")
        tokens, heads = 1 + product(grid), block.num_heads
        before, rows = shape[0] * tokens * block.in_features, shape[0] * queries * block.inner
        yield clip + 2 * before + 3 * shape[0] * tokens * block.inner, None, shape, keep
        seen = shape[0] * (2 * keys * block.inner + heads * queries * keys)
        yield clip + before + 2 * rows + seen, None, shape, keep
        yield clip + 2 * rows + 4 * rows, None, shape, keep


def _views(layer: MultiviewEncoder, shape: Sizes, keep: bool, size: Measure) -> Iterator[Moment]:
    """A block of one view while the others wait; between views, the norms of all of them."""
    tokens, clip = multiview.tokens(layer, shape), size(shape) if keep else 0
    total = sum(map(numel, tokens))
    for view, own in zip(layer.views, tokens, strict=True):
        yield clip + total - numel(own), view.block, own, False
    for i in layer.asked:
        (groups, queries, width), (_, keys, _) = tokens[i - 1], tokens[i]
        asked = groups * (2 * queries * width + 2 * keys * width + layer.views[i - 1].num_heads * queries * keys)
        yield clip + 2 * total + asked, None, shape, keep


MOMENTS: dict[type, Callable[..., Iterator[Moment]]] = {
    **dict.fromkeys(SideBySide.__args__, _side_by_side),
    Pathways: _pathways,
    TransformerEncoderLayer: _block,
    PoolingEncoder: _pooling,
    MultiviewEncoder: _views,
}


def step_activation(layer: Layer, shape: Sizes) -> Size:
    """The same for one frame of a stream, without its state (`state_size`): sizes of an endless clip, time left out."""
    time = time_axis(layer)
    return _peak(layer, endless(layer, shape), False, lambda sizes: numel((*sizes[:time], *sizes[time + 1 :])))


def _of_window(layer: Layer) -> int | None:
    """Tokens that are worked on in every step; None: the new one alone."""
    inner = layer.layer if isinstance(layer, TransformerEncoder) else layer
    stacked = isinstance(layer, TransformerEncoder) and layer.num_layers > 1 and layer.layer.mode == "single"
    return getattr(inner, "window", None) if stacked or getattr(inner, "mode", None) == "full" else None


def largest(sizes: list[Size]) -> Size:
    """The maximum; of expressions the one that is largest for large letters."""
    return max(sizes, key=lambda size: size if isinstance(size, int) else size.subs(dict.fromkeys(size.free_symbols, 1024)))
